"""A sentence as the fields of a form: what was understood, in the units of a capability."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from services.gateway.formats import MINOR
from services.gateway.forms import attributes, quantities
from services.gateway.understanding import amounts, details
from services.gateway.understanding.sentence import Sentence
from spareline.market.v1.capability_pb2 import AttributeSchema, Capability, Unit

QUARTER = 13
SPREAD = 4
HORIZON = 52


def offer(sentence: Sentence, capability: Capability, today: date) -> dict[str, object]:
    """Return the fields of an offer that the sentence fills."""
    fields: dict[str, object] = {}
    weekly = _weekly(sentence, capability.unit)
    count = QUARTER if weekly is not None else SPREAD
    first, last = weeks_of(sentence, today, count)
    weeks = quantities.span(first, last)
    if weekly is None and (whole := _amount(sentence, capability.unit)) is not None:
        weekly = whole / len(weeks)
    if weekly is not None and (rounded := _floor(weekly, capability.unit)):
        fields["quantity_0"] = quantities.plain(rounded)
        fields |= {"from_0": first, "to_0": last}
    elif sentence.span.first or sentence.span.last:
        fields |= {"from_0": first, "to_0": last}
    if price := _price(sentence, capability.unit):
        fields["unit_price"] = price
    return fields | attributes.fill(details.find(sentence.text, capability), "")


def demand(
    sentence: Sentence, capability: Capability, prefix: str, today: date
) -> dict[str, object]:
    """Return the fields of a demand's line that the sentence fills, and the demand's budget."""
    fields: dict[str, object] = {}
    first, last = weeks_of(sentence, today, QUARTER)
    if sentence.span.first or sentence.span.last:
        fields |= {f"{prefix}earliest": first, f"{prefix}latest": last}
    weekly = _weekly(sentence, capability.unit)
    whole = (
        _amount(sentence, capability.unit)
        if weekly is None
        else weekly * len(quantities.span(first, last))
    )
    if whole and (rounded := _ceiling(whole, capability.unit)):
        fields[f"{prefix}quantity"] = quantities.plain(rounded)
    if sentence.price and sentence.price.whole:
        fields["budget"] = quantities.plain(sentence.price.number)
    elif price := _price(sentence, capability.unit):
        fields[f"{prefix}limit"] = price
    asked = {
        key: value
        for key, value in details.find(sentence.text, capability).items()
        if not _certain(capability, key)
    }
    return fields | attributes.fill(asked, prefix)


def _certain(capability: Capability, key: str) -> bool:
    """Tell whether the capability itself says it: to ask for 5 axes of 5-axis mills is no news."""
    schema = next(a for a in capability.attributes if a.key == key)
    return schema.type == AttributeSchema.TYPE_INTEGER and key == "axes"


def _weekly(sentence: Sentence, unit: Unit) -> Decimal | None:
    if sentence.amount is None or (weekly := sentence.amount.weekly()) is None:
        return None
    return amounts.in_unit(weekly, sentence.amount.family, unit)


def _amount(sentence: Sentence, unit: Unit) -> Decimal | None:
    if sentence.amount is None or sentence.amount.rate:
        return None
    return amounts.in_unit(sentence.amount.number, sentence.amount.family, unit)


def _price(sentence: Sentence, unit: Unit) -> str:
    if sentence.price is None or sentence.price.whole:
        return ""
    price = amounts.price_per_unit(sentence.price, unit)
    if price is None:
        return ""
    # A price that can be written per tick in whole fen.
    step = Decimal(1) / MINOR / Decimal(unit.resolution or "1")
    return quantities.plain((price / step).quantize(Decimal(1), ROUND_HALF_UP) * step)


def weeks_of(sentence: Sentence, today: date, count: int) -> tuple[str, str]:
    """Return the first and last week, from next week on where nothing was said."""
    furthest = today + timedelta(weeks=HORIZON - 1)
    first = max(sentence.span.first or today + timedelta(weeks=1), today)
    first = min(first, furthest)
    if sentence.span.first is None and sentence.span.last and sentence.span.last < first:
        first = today
    last = sentence.span.last or first + timedelta(weeks=count - 1)
    last = min(max(last, first), furthest)
    return quantities.period(first), quantities.period(last)


def _floor(amount: Decimal, unit: Unit) -> Decimal:
    step = Decimal(unit.resolution or "1")
    return (amount / step).to_integral_value(ROUND_FLOOR) * step


def _ceiling(amount: Decimal, unit: Unit) -> Decimal:
    step = Decimal(unit.resolution or "1")
    return -((-amount / step).to_integral_value(ROUND_FLOOR)) * step
