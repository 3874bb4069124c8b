"""A demand as a form, and a form as a demand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from services.gateway.formats import text
from services.gateway.forms import attributes, lines, partners, quantities
from services.gateway.forms.fields import Form
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand, Line, Sourcing, Window

MOST_PARTNERS = 50


def places(count: int) -> dict[str, str]:
    """Return where the registry's complaints belong in a form of so many lines."""
    found = {
        "demand.title": "title",
        "demand.description": "description",
        "demand.budget": "budget",
        "demand.precedences": "l1_after",
        "demand.priority_class": "priority",
        "demand.lines": "l0_capability",
    }
    for i in range(count):
        for path, name in {
            "": "capability",
            ".capability": "capability",
            ".quantity": "quantity",
            ".least_quantity": "least",
            ".window": "earliest",
            ".limit_price": "limit",
            ".sourcing": "partners",
            ".reach": "regions",
            ".requirements": "standards",
        }.items():
            found[f"demand.lines[{i}]{path}"] = f"l{i}_{name}"
    return found


def attribute_places(capabilities: list[Capability | None]) -> dict[str, str]:
    """Return where complaints about attributes belong."""
    return {
        f"demand.lines[{i}].attributes[{attribute.key}]": f"l{i}_attr_{attribute.key}"
        for i, capability in enumerate(capabilities)
        if capability
        for attribute in capability.attributes
    }


def blank(capability: Capability | None, today: date, language: str) -> Form:
    """Return the form of a new demand: one line, to be had within a quarter."""
    values: dict[str, object] = {"lines": "1", "identity": "on_confirmation"}
    if capability is not None:
        values["title"] = text(capability.display_name, language)
    return Form(values | line_defaults(0, capability, today))


def line_defaults(index: int, capability: Capability | None, today: date) -> dict[str, object]:
    """Return the fields of a line that nobody has touched."""
    weeks = quantities.upcoming(today, 14)
    return {
        f"l{index}_capability": capability.code if capability else "",
        f"l{index}_earliest": weeks[1],
        f"l{index}_latest": weeks[13],
        f"l{index}_partners": "1",
    }


def complete_lines(form: Form, today: date) -> None:
    """Give lines the fields that were not on the page yet, as their capability was not known."""
    for index in range(lines.count(form)):
        if f"l{index}_earliest" not in form.values:
            given = form.values.get(f"l{index}_capability", "")
            form.values |= line_defaults(index, None, today)
            form.values[f"l{index}_capability"] = given


def fill(demand: Demand, known: Mapping[str, Capability]) -> Form:
    """Return the form that shows a stored demand."""
    values: dict[str, object] = {
        "title": demand.title,
        "description": demand.description,
        "lines": str(len(demand.lines)),
        "bundle": "yes" if demand.bundle else "",
        "budget": quantities.typed_money(demand.budget) if demand.HasField("budget") else "",
        "priority": demand.priority_class,
        "etag": demand.etag,
    }
    for i, line in enumerate(demand.lines):
        unit = known[line.capability].unit
        p = f"l{i}_"
        values |= {
            f"{p}id": line.id,
            f"{p}capability": line.capability,
            f"{p}quantity": quantities.typed_quantity(line.quantity, unit),
            f"{p}least": quantities.typed_quantity(line.least_quantity, unit)
            if line.least_quantity
            else "",
            f"{p}earliest": line.window.earliest,
            f"{p}latest": line.window.latest,
            f"{p}limit": quantities.typed_price(line.limit_price, unit),
            f"{p}partners": str(max(1, line.sourcing.max_partners)),
            f"{p}share": quantities.typed_quantity(line.sourcing.least_share, unit)
            if line.sourcing.least_share
            else "",
        }
        values |= attributes.fill(dict(line.attributes), p)
        values |= partners.fill(line.reach, line.requirements, p)
    values |= lines.fill(demand) | partners.fill_disclosure(demand.disclosure)
    return Form(values)


def copy(demand: Demand, known: Mapping[str, Capability], today: date) -> Form:
    """Return the form of a new demand like a stored one; windows that are over move to now."""
    form = fill(demand, known)
    del form.values["etag"]
    weeks = quantities.upcoming(today, 14)
    for i in range(len(demand.lines)):
        form.values[f"l{i}_id"] = ""
        if form.text(f"l{i}_latest") < weeks[0]:
            form.values |= {f"l{i}_earliest": weeks[1], f"l{i}_latest": weeks[13]}
        elif form.text(f"l{i}_earliest") < weeks[0]:
            form.values[f"l{i}_earliest"] = weeks[0]
    return form


def read(form: Form, known: Mapping[str, Capability], language: str) -> Demand:
    """Return the demand that was typed in; what is wrong is noted in the form."""
    _ = translations(language).gettext
    count = lines.count(form)
    read_lines = [_line(form, i, known, language) for i in range(count)]
    demand = Demand(
        title=form.require("title", _("Give a line that tells what you need.")),
        description=form.text("description"),
        lines=[line for line in read_lines if line is not None],
        bundle=count > 1 and form.checked("bundle"),
        priority_class=form.text("priority"),
        precedences=lines.precedences(form, read_lines),
        disclosure=partners.read_disclosure(form, "demand"),
    )
    budget = form.decimal("budget", _("Give an amount in yuan, such as 50000."))
    if budget is not None:
        with partners.whole(form, "budget", language):
            demand.budget = quantities.minor(budget)
    return demand


def _line(form: Form, index: int, known: Mapping[str, Capability], language: str) -> Line | None:
    _ = translations(language).gettext
    p = f"l{index}_"
    capability = known.get(form.text(f"{p}capability"))
    if capability is None:
        form.problems[f"{p}capability"] = _("Choose what you need.")
        return None
    unit = capability.unit
    number = _("Give a number, such as 40 or 12.5.")
    form.require(f"{p}quantity", _("Say how much you need."))
    form.require(f"{p}limit", _("Say what you would pay at most; nobody else sees it."))
    earliest, latest = form.text(f"{p}earliest"), form.text(f"{p}latest")
    if not (quantities.exists(earliest) and quantities.exists(latest)) or earliest > latest:
        form.problems[f"{p}earliest"] = _("The first week must not be after the last.")
    line = Line(
        id=form.text(f"{p}id") or _fresh_id(form, index),
        capability=capability.code,
        attributes=attributes.read(form, capability, p, "demand", language),
        window=Window(earliest=earliest, latest=latest),
        sourcing=Sourcing(max_partners=form.whole(f"{p}partners", number, MOST_PARTNERS) or 1),
    )
    for name, target in (("quantity", "quantity"), ("least", "least_quantity")):
        with partners.whole(form, f"{p}{name}", language):
            amount = form.decimal(f"{p}{name}", number) or Decimal()
            setattr(line, target, quantities.ticks(amount, unit))
    with partners.whole(form, f"{p}share", language):
        share = form.decimal(f"{p}share", number) or Decimal()
        line.sourcing.least_share = quantities.ticks(share, unit)
    with partners.whole(form, f"{p}limit", language):
        limit = form.decimal(f"{p}limit", number) or Decimal()
        line.limit_price = quantities.price_per_tick(limit, unit)
    reach, requirements = partners.read(form, p, language)
    line.reach.CopyFrom(reach)
    line.requirements.CopyFrom(requirements)
    return line


def _fresh_id(form: Form, index: int) -> str:
    """Return an id that no other line has, whichever lines were dropped before."""
    taken = {form.text(f"l{i}_id") for i in range(lines.count(form))}
    names = (f"line-{n}" for n in range(index + 1, index + 2 + 2 * lines.MOST, lines.MOST))
    return next((name for name in names if name not in taken), f"line-{index + 1}")
