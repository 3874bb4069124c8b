"""Who reads what: every group at every level for every standing, and what never leaves."""

import itertools

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import InvalidArgument
from services.registry.domain import disclosure, field_masks, offers, search_words
from services.registry.domain.disclosure import GROUPS, Standing
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand, Line, LineBalance, Window
from spareline.market.v1.disclosure_pb2 import Disclosure, DisclosureLevel
from spareline.market.v1.offer_pb2 import Offer, PeriodBalance, PeriodQuantity, Reach, Requirements

ALIAS = "organizations/undisclosed/offers/1-ab"

FIELDS = {
    "identity": ("name",),
    "price": ("unit_price", "setup_price"),
    "quantity": ("capacity", "balances", "minimum_order", "minimum_run"),
    "attributes": ("title", "description", "attributes"),
    "requirements": ("requirements", "reach"),
}
SHOWN_FROM = {
    "DISCLOSURE_LEVEL_PUBLIC": Standing.STRANGER,
    "DISCLOSURE_LEVEL_ON_PROPOSAL": Standing.PROPOSED,
    "DISCLOSURE_LEVEL_ON_CONFIRMATION": Standing.CONFIRMED,
    "DISCLOSURE_LEVEL_NEVER": Standing.OWN,
}


def full_offer() -> Offer:
    offer = Offer(
        name="organizations/acme/offers/mill",
        capability="production.machining",
        title="Mill",
        description="Five axes",
        capacity=[PeriodQuantity(period="2026-W50", quantity=4)],
        balances=[PeriodBalance(period="2026-W50", capacity=4)],
        unit_price=100,
        setup_price=10,
        minimum_order=1,
        minimum_run=2,
        reach=Reach(radius_km=100),
        requirements=Requirements(
            least_credit_grade="B", excluded_organizations=["organizations/rival"]
        ),
    )
    offer.attributes["axes"].integer = 5
    offer.disclosure.CopyFrom(
        disclosure.completed(Disclosure(), demand=False, identity=disclosure.UNSPECIFIED)
    )
    return offer


@pytest.mark.parametrize(
    ("group", "level", "standing"), list(itertools.product(GROUPS, SHOWN_FROM, Standing))
)
def test_a_group_is_read_from_its_level_on(group: str, level: str, standing: Standing) -> None:
    offer = full_offer()
    setattr(offer.disclosure, group, DisclosureLevel.Value(level))
    decided = disclosure.view(offer, standing)
    seen = disclosure.redacted(offer, decided, ALIAS)
    # Who runs the market knows who takes part in it, whatever the level of the identity.
    least = min(SHOWN_FROM[level], Standing.OPERATOR) if group == "identity" else SHOWN_FROM[level]
    shown = standing >= least
    present = {field.name for field, _ in seen.ListFields()}
    if group == "identity":
        assert (seen.name == offer.name) == shown
        assert (seen.name == ALIAS) != shown
    else:
        assert (set(FIELDS[group]) <= present) == shown
        assert present.isdisjoint(FIELDS[group]) != shown
    others = {field for name, fields in FIELDS.items() if name != group for field in fields}
    assert others <= present
    noted = shown and level != "DISCLOSURE_LEVEL_PUBLIC"
    assert set(decided.disclosed) == (set(FIELDS[group]) if noted else set())


def test_whom_an_organization_excludes_never_leaves() -> None:
    offer = full_offer()
    seen = disclosure.redacted(offer, disclosure.view(offer, Standing.CONFIRMED), ALIAS)
    assert seen.requirements.least_credit_grade == "B"
    assert list(seen.requirements.excluded_organizations) == []


def test_a_demand_hides_its_limits_in_every_line() -> None:
    demand = Demand(
        name="organizations/buyer/demands/part",
        title="Part",
        budget=9,
        lines=[
            Line(id=name, quantity=3, limit_price=7, window=Window(earliest="2026-W50"))
            for name in ("a", "b")
        ],
        balances=[LineBalance(line="a", quantity=3)],
        preferred_organizations=["organizations/friend"],
    )
    demand.disclosure.CopyFrom(
        disclosure.completed(
            Disclosure(quantity=disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL),
            demand=True,
            identity=disclosure.UNSPECIFIED,
        )
    )
    seen = disclosure.redacted(demand, disclosure.view(demand, Standing.STRANGER), "")
    assert not seen.HasField("budget")
    assert [line.id for line in seen.lines] == ["a", "b"]
    assert {line.limit_price for line in seen.lines} == {0}
    assert {line.quantity for line in seen.lines} == {0}
    assert not seen.lines[0].HasField("window")
    assert not seen.balances
    assert not seen.preferred_organizations
    closer = disclosure.view(demand, Standing.PROPOSED)
    assert "lines.quantity" in closer.disclosed
    assert disclosure.redacted(demand, closer, "").lines[1].quantity == 3


def test_an_organization_s_own_default_hides_its_identity() -> None:
    level = disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION
    filled = disclosure.completed(Disclosure(), demand=False, identity=level)
    assert filled.identity == level
    public = disclosure.completed(
        Disclosure(identity=disclosure.PUBLIC), demand=False, identity=level
    )
    assert public.identity == disclosure.PUBLIC


def test_a_mask_changes_and_clears_only_what_it_names() -> None:
    present = full_offer()
    given = Offer(title="New", unit_price=1, reach=Reach(regions=["CN"]))
    mask = FieldMask(paths=["title", "description", "reach.regions", "attributes"])
    after = field_masks.merged(present, given, mask, offers.CHANGEABLE, "offer")
    assert (after.title, after.description, after.unit_price) == ("New", "", 100)
    assert (after.reach.radius_km, list(after.reach.regions)) == (100, ["CN"])
    assert not after.attributes


@pytest.mark.parametrize("paths", [[], ["*"]])
def test_no_mask_replaces_all_that_can_be_changed(paths: list[str]) -> None:
    given = Offer(title="New", state=Offer.STATE_EXPIRED)
    after = field_masks.merged(
        full_offer(), given, FieldMask(paths=paths), offers.CHANGEABLE, "offer"
    )
    assert (after.title, after.unit_price, after.name) == ("New", 0, full_offer().name)
    assert after.state == Offer.STATE_UNSPECIFIED


@pytest.mark.parametrize("path", ["colour", "state", "name", "capacity.period", "reach.nothing"])
def test_a_path_that_is_unknown_or_fixed_is_named(path: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        field_masks.merged(
            full_offer(), Offer(), FieldMask(paths=["title", path]), offers.CHANGEABLE, "offer"
        )
    [violation] = refused.value.violations
    assert violation.field == "update_mask"
    assert path in violation.description


def test_words_of_both_languages() -> None:
    assert search_words.words("CNC-Fräsen, 5 Achsen; CNC") == ["cnc", "fräsen", "achsen"]
    assert search_words.words("注塑机时 mould") == ["注塑", "塑机", "机时", "mould"]
    assert search_words.words("５轴 A") == ["轴"]
