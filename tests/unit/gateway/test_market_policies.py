"""A policy as a form: what is written comes back the same, and what is wrong is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.forms import policies
from services.gateway.forms.fields import Form
from services.matching.domain import policies as rules
from spareline.matching.v1.policy_pb2 import Policy

_WHOLE = st.integers(0, 10**6)


def test_every_weight_has_a_place_in_the_form() -> None:
    shown = {field.name for field in policies.FIELDS} | set(policies.REPEATED)
    beside = {"name", "version", "display_name", "active", "create_time", "etag"}
    told = {"author", "adopt_time", "adopter"}
    assert {field.name for field in Policy.DESCRIPTOR.fields} == shown | beside | told


@given(
    numbers=st.dictionaries(
        st.sampled_from([f.name for f in policies.FIELDS if f.kind in ("percent", "money")]), _WHOLE
    ),
    rates=st.lists(st.tuples(st.sampled_from(["", "production"]), _WHOLE, st.integers(1, 99))),
    auction=st.booleans(),
    schedule=st.integers(0, 10**5),
)
def test_what_the_form_shows_is_what_it_reads(
    numbers: dict[str, int], rates: list[tuple[str, int, int]], auction: bool, schedule: int
) -> None:
    policy = rules.standard()
    policy.etag = '"3"'
    for name, value in numbers.items():
        setattr(policy, name, value)
    for code, tick, shipment in rates:
        policy.transport.add(capability=code, per_tick_1000km=tick, per_shipment_km=shipment)
    if auction:
        policy.price_rule = Policy.PRICE_RULE_K_DOUBLE_AUCTION
    if schedule:
        policy.schedule.FromSeconds(60 * schedule)
    form = policies.fill(policy)
    read = policies.read(form, Policy(name=policy.name), "wrong")
    assert form.problems == {}
    assert read == policy
    assert policies.changes(policy, read) == []


def test_numbers_that_are_none_stand_beside_their_field() -> None:
    form = policies.fill(rules.standard())
    form.values.update(
        fill_permille="-3", fairness_permille="ten", k_permille="0.01", lease="9" * 40
    )
    form.values["class_bonus"] = ["0", "much", "200", "", ""]
    form.values["rate_tick"] = ["1.001"]
    policies.read(form, rules.standard(), "wrong")
    wrong = {"fill_permille", "fairness_permille", "k_permille", "lease"}
    assert set(form.problems) == wrong | {"priority_classes", "transport"}
    bare = Form({})
    policies.read(bare, rules.standard(), "wrong")
    assert bare.problems == {"display_name": "wrong"}


def test_what_changed_between_versions_is_named() -> None:
    before, after = rules.standard(), rules.standard()
    after.fill_permille = 300
    after.priority_classes[1].bonus_permille = 1
    assert policies.changes(before, after) == ["fill_permille", "priority_classes"]
