"""A policy as a form: every weight of the contract, in the units that people think in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from google.protobuf.duration_pb2 import Duration

from services.gateway.formats import MINOR
from services.gateway.forms.fields import Form
from spareline.matching.v1.policy_pb2 import Policy

Kind = Literal["percent", "money", "hours", "minutes", "seconds", "weeks", "yes", "rule"]
Group = Literal["worth", "fair", "near", "steady", "price", "time"]

_SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1}
_SPARE_ROWS = 2
# Beyond these a number does not fit the contract's field; the service knows the real limits.
_MOST, _MOST_WEEKS = 10**11, 10**6


@dataclass(frozen=True, slots=True)
class PolicyField:
    """A field of the contract, how it is written, and with which others it stands."""

    name: str
    kind: Kind
    group: Group


FIELDS = (
    PolicyField("surplus_permille", "percent", "worth"),
    PolicyField("fill_permille", "percent", "worth"),
    PolicyField("fill_per_demand", "money", "worth"),
    PolicyField("fairness_permille", "percent", "fair"),
    PolicyField("concentration_permille", "percent", "fair"),
    PolicyField("credit_permille", "percent", "fair"),
    PolicyField("preference_permille", "percent", "fair"),
    PolicyField("locality_per_tick_1000km", "money", "near"),
    PolicyField("partner_penalty", "money", "near"),
    PolicyField("stability_permille", "percent", "steady"),
    PolicyField("reopens_unanswered", "yes", "steady"),
    PolicyField("change_permille", "percent", "steady"),
    PolicyField("price_rule", "rule", "price"),
    PolicyField("k_permille", "percent", "price"),
    PolicyField("lease", "hours", "time"),
    PolicyField("time_limit", "seconds", "time"),
    PolicyField("schedule", "minutes", "time"),
    PolicyField("debounce", "seconds", "time"),
    PolicyField("horizon_periods", "weeks", "time"),
)
REPEATED = ("transport", "priority_classes")

PLACES = {
    **{f"policy.{field.name}": field.name for field in FIELDS},
    **{f"trial_policy.{field.name}": field.name for field in FIELDS},
    **{f"{root}.{name}": name for root in ("policy", "trial_policy") for name in REPEATED},
    "policy.display_name": "display_name",
    "trial_policy.display_name": "display_name",
}
"""Where what a service finds wrong belongs in the form."""


def fill(policy: Policy) -> Form:
    """Return a form with a policy's values."""
    form = Form({"display_name": policy.display_name, "etag": policy.etag})
    for field in FIELDS:
        form.values[field.name] = _written(policy, field)
    rates = [
        (rate.capability, _money(rate.per_tick_1000km), _money(rate.per_shipment_km))
        for rate in policy.transport
    ]
    classes = [(each.name, _plain(each.bonus_permille, 10)) for each in policy.priority_classes]
    for name, texts in zip(
        ("rate_capability", "rate_tick", "rate_shipment"), _columns(rates, 3), strict=True
    ):
        form.values[name] = texts
    for name, texts in zip(("class_name", "class_bonus"), _columns(classes, 2), strict=True):
        form.values[name] = texts
    return form


def rows(form: Form, *names: str) -> list[tuple[str, ...]]:
    """Return what stands in the columns of a table of the form, row by row."""
    columns = [_texts(form, name) for name in names]
    longest = max(len(column) for column in columns)
    return [
        tuple(column[at] if at < len(column) else "" for column in columns) for at in range(longest)
    ]


def read(form: Form, base: Policy, wrong: str) -> Policy:
    """Return the policy that the form asks for; ``wrong`` is what stands beside a bad number.

    What the form does not show (name, etag when it sends none) is that of ``base``.
    """
    policy = Policy(name=base.name, etag=form.text("etag") or base.etag)
    policy.display_name = form.require("display_name", wrong)
    for field in FIELDS:
        _take(policy, field, form, wrong)
    for capability, tick, shipment in rows(form, "rate_capability", "rate_tick", "rate_shipment"):
        if tick or shipment:
            policy.transport.add(
                capability=capability,
                per_tick_1000km=_number(form, "transport", tick, MINOR, wrong),
                per_shipment_km=_number(form, "transport", shipment, MINOR, wrong),
            )
    for name, bonus in rows(form, "class_name", "class_bonus"):
        if name:
            policy.priority_classes.add(
                name=name, bonus_permille=_number(form, "priority_classes", bonus, 10, wrong)
            )
    return policy


def changes(before: Policy, after: Policy) -> list[str]:
    """Return the fields in which two versions differ, in the order of the form."""
    names = [field.name for field in FIELDS if _raw(before, field.name) != _raw(after, field.name)]
    names += [name for name in REPEATED if list(_raw(before, name)) != list(_raw(after, name))]
    return names


def _raw(policy: Policy, name: str) -> Any:
    return getattr(policy, name)


def _written(policy: Policy, field: PolicyField) -> str:
    value = getattr(policy, field.name)
    if field.kind in _SECONDS:
        seconds = value.ToNanoseconds() / Decimal(10**9)
        return _plain(seconds, _SECONDS[field.kind]) if seconds else ""
    if field.kind == "yes":
        return "yes" if value else ""
    if field.kind == "percent":
        return _plain(value, 10)
    if field.kind == "money":
        return _money(value)
    return str(value or 1) if field.kind == "rule" else str(value)


def _take(policy: Policy, field: PolicyField, form: Form, wrong: str) -> None:
    text = form.text(field.name)
    if field.kind == "yes":
        setattr(policy, field.name, bool(text))
    elif field.kind == "rule":
        policy.price_rule = (
            Policy.PRICE_RULE_K_DOUBLE_AUCTION if text == "2" else Policy.PRICE_RULE_OFFER
        )
    elif field.kind in _SECONDS:
        seconds = _number(form, field.name, text, _SECONDS[field.kind], wrong)
        if text and seconds:
            getattr(policy, field.name).CopyFrom(Duration(seconds=seconds))
    else:
        factor = {"percent": 10, "money": MINOR}.get(field.kind, 1)
        number = _number(form, field.name, text, factor, wrong)
        setattr(policy, field.name, min(number, _MOST_WEEKS) if field.kind == "weeks" else number)


def _number(form: Form, name: str, text: str, factor: int, wrong: str) -> int:
    """Read a number written by people, times a factor, as a whole one; 0 when it is not."""
    if not text:
        return 0
    found = Form({"it": text}).decimal("it", wrong)
    scaled = None if found is None else found * factor
    if scaled is None or scaled != scaled.to_integral_value() or scaled > _MOST:
        form.problems.setdefault(name, wrong)
        return 0
    return int(scaled)


def _plain(value: int | Decimal, divisor: int) -> str:
    return f"{(Decimal(value) / divisor).normalize():f}"


def _money(minor: int) -> str:
    return _plain(minor, MINOR) if minor else ""


def _columns(found: Sequence[tuple[str, ...]], count: int) -> list[list[str]]:
    padded = [*found, *[("",) * count] * _SPARE_ROWS]
    return [[row[at] for row in padded] for at in range(count)]


def _texts(form: Form, name: str) -> list[str]:
    value = form.values.get(name, [])
    return [str(one).strip() for one in (value if isinstance(value, list) else [value])]
