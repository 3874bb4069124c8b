"""An offer as a form, and a form as an offer."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.gateway.formats import text
from services.gateway.forms import attributes, calendar, partners, quantities
from services.gateway.forms.fields import Form
from services.gateway.languages import translations
from services.gateway.understanding import plan
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity

ROWS = 6
HORIZON_WEEKS = 52
LONGEST_LEAD = 52
MOST_ROWS = 60
MOST_WEEKS = 104

# Where the registry's complaints belong in the form; the longest beginning wins.
PLACES = {
    "offer.title": "title",
    "offer.description": "description",
    "offer.capability": "capability",
    "offer.capacity": "quantity_0",
    "offer.unit_price": "unit_price",
    "offer.setup_price": "setup_price",
    "offer.minimum_order": "minimum_order",
    "offer.minimum_run": "minimum_run",
    "offer.lead_time_periods": "lead_time",
    "offer.reach": "regions",
    "offer.requirements": "standards",
}


def places(capability: Capability) -> dict[str, str]:
    """Return PLACES with those of the capability's attributes."""
    return PLACES | {
        f"offer.attributes[{attribute.key}]": f"attr_{attribute.key}"
        for attribute in capability.attributes
    }


def blank(capability: Capability, today: date, language: str) -> Form:
    """Return the form of a new offer, with the next quarter as a first guess."""
    weeks = quantities.upcoming(today, 14)
    return Form(
        {
            "capability": capability.code,
            "title": text(capability.display_name, language),
            "from_0": weeks[1],
            "to_0": weeks[13],
            "lead_time": "0",
            "identity": "on_confirmation",
        }
    )


def fill(offer: Offer, capability: Capability) -> Form:
    """Return the form that shows a stored offer."""
    unit = capability.unit
    values: dict[str, object] = {
        "capability": offer.capability,
        "title": offer.title,
        "description": offer.description,
        "unit_price": quantities.typed_price(offer.unit_price, unit),
        "setup_price": quantities.typed_money(offer.setup_price) if offer.setup_price else "",
        "minimum_order": quantities.typed_quantity(offer.minimum_order, unit)
        if offer.minimum_order
        else "",
        "minimum_run": quantities.typed_quantity(offer.minimum_run, unit)
        if offer.minimum_run
        else "",
        "lead_time": str(offer.lead_time_periods),
        "etag": offer.etag,
    }
    runs = quantities.runs((c.period, c.quantity) for c in offer.capacity)
    if len(runs) == 1:
        values |= {"from_0": runs[0].first, "to_0": runs[0].last}
        values["quantity_0"] = quantities.typed_quantity(runs[0].quantity, unit)
    else:
        values |= calendar.fields(
            (c.period, quantities.typed_quantity(c.quantity, unit)) for c in offer.capacity
        )
    values |= attributes.fill(dict(offer.attributes), "")
    values |= partners.fill(offer.reach, offer.requirements, "")
    values |= partners.fill_disclosure(offer.disclosure)
    return Form(values)


def copy(offer: Offer, capability: Capability, today: date) -> Form:
    """Return the form of a new offer like a stored one, without the weeks that are over."""
    now = quantities.period(today)
    left = Offer()
    left.CopyFrom(offer)
    del left.capacity[:]
    left.capacity.extend(each for each in offer.capacity if each.period >= now)
    form = fill(left, capability)
    del form.values["etag"]
    return form


def read(form: Form, capability: Capability, language: str) -> Offer:
    """Return the offer that was typed in; what is wrong is noted in the form."""
    _ = translations(language).gettext
    unit = capability.unit
    number = _("Give a number, such as 40 or 12.5.")
    offer = Offer(
        capability=capability.code,
        title=form.require("title", _("Give a line that tells what it is.")),
        description=form.text("description"),
        attributes=attributes.read(form, capability, "", "offer", language),
        disclosure=partners.read_disclosure(form, "offer"),
    )
    reach, requirements = partners.read(form, "", language)
    offer.reach.CopyFrom(reach)
    offer.requirements.CopyFrom(requirements)
    form.require("unit_price", _("Give a price; 0 is allowed."))
    price = form.decimal("unit_price", number)
    with partners.whole(form, "unit_price", language):
        offer.unit_price = quantities.price_per_tick(price or Decimal(), unit)
    with partners.whole(form, "setup_price", language):
        offer.setup_price = quantities.minor(form.decimal("setup_price", number) or Decimal())
    for name in ("minimum_order", "minimum_run"):
        with partners.whole(form, name, language):
            setattr(offer, name, quantities.ticks(form.decimal(name, number) or Decimal(), unit))
    offer.lead_time_periods = form.whole("lead_time", number, LONGEST_LEAD)
    offer.capacity.extend(_capacity(form, capability, language))
    return offer


def _capacity(form: Form, capability: Capability, language: str) -> list[PeriodQuantity]:
    _ = translations(language).gettext
    by_week: dict[str, int] = {}
    for i in range(rows(form)):
        if not form.text(f"quantity_{i}"):
            continue
        amount = form.decimal(f"quantity_{i}", _("Give a number, such as 40 or 12.5."))
        first, last = form.text(f"from_{i}"), form.text(f"to_{i}") or form.text(f"from_{i}")
        if amount is None:
            continue
        if not (quantities.exists(first) and quantities.exists(last)) or first > last:
            form.problems[f"from_{i}"] = _("The first week must not be after the last.")
            continue
        with partners.whole(form, f"quantity_{i}", language):
            quantity = quantities.ticks(amount, capability.unit)
            for week in quantities.span(first, last):
                by_week[week] = by_week.get(week, 0) + quantity
    _single_weeks(form, capability, language, by_week)
    if not any(by_week.values()) and not form.problems:
        form.problems["quantity_0"] = _("Say how much is free in at least one week.")
    return [PeriodQuantity(period=week, quantity=q) for week, q in sorted(by_week.items()) if q]


def _single_weeks(
    form: Form, capability: Capability, language: str, by_week: dict[str, int]
) -> None:
    """Put the weeks that have a field of their own above the others."""
    _ = translations(language).gettext
    for name in sorted(name for name in form.values if name.startswith(calendar.PREFIX)):
        week = name.removeprefix(calendar.PREFIX)
        if not form.text(name) or not quantities.exists(week) or len(by_week) > 2 * MOST_WEEKS:
            continue
        amount = form.decimal(name, _("Give a number, such as 40 or 12.5."))
        if amount is not None:
            with partners.whole(form, name, language):
                by_week[week] = quantities.ticks(amount, capability.unit)


def fill_weeks(form: Form, capability: Capability, today: date, language: str) -> None:
    """Fill the grid from what is told in text or was pasted; nothing else changes."""
    told = plan.read(str(form.values.get("plan", "")), capability.unit, today)
    if not told:
        _ = translations(language).gettext
        form.problems["plan"] = _("Not understood. Write it as: 40 every week until March.")
        return
    form.values |= calendar.fields((w, quantities.plain(q)) for w, q in told.items())
    form.values["plan"] = ""


def rows(form: Form) -> int:
    """Return how many rows of weeks the form has room for."""
    used = [i for i in range(ROWS, MOST_ROWS) if f"quantity_{i}" in form.values]
    return max([ROWS, *(i + 1 for i in used)])
