"""A row of an upload as a person reads it: what it would post, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.files import columns
from services.files.taxonomy import Taxonomy
from services.files.wording import folded
from services.gateway import formats
from services.gateway.files.out import is_ours
from services.gateway.files.told import Told, told
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.import_pb2 import ImportRow, ImportTable
from spareline.market.v1.offer_pb2 import Offer

_Shown = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class RowView:
    """One posting of a file. ``more`` counts the lines of a demand after the first."""

    number: int
    sheet: str
    title: str
    what: str
    amount: str
    when: str
    price: str
    more: int
    problems: Sequence[Told]


def of(row: ImportRow, tables: Sequence[ImportTable], known: Taxonomy, language: str) -> RowView:
    """Return what a reader is shown of a row."""
    problems = _together(told(row, tables, known, language), language)
    number = row.lines[0].number if row.lines else row.index + 1
    sheet = tables[row.table].name if len(tables) > 1 and row.table < len(tables) else ""
    if row.HasField("offer"):
        shown = _offer(row.offer, known, language)
        return _view(number, sheet, shown, 0, problems)
    if row.HasField("demand"):
        more = max(len(row.demand.lines) - 1, 0)
        return _view(number, sheet, _demand(row.demand, known, language), more, problems)
    return RowView(number, sheet, "", "", "", "", "", 0, problems)


def _view(number: int, sheet: str, shown: _Shown, more: int, problems: Sequence[Told]) -> RowView:
    title, what, amount, when, price = shown
    if any(each.name in ("unit_price_cny", "limit_price_cny") for each in problems):
        price = ""  # what cannot be read is not nothing
    return RowView(number, sheet, title, what, amount, when, price, more, problems)


def _together(problems: Sequence[Told], language: str) -> Sequence[Told]:
    """Return the problems, with all columns that a file lacks told as one."""
    lacking = [each for each in problems if each.place < 0 and _is_column(each.name)]
    if len(lacking) < 2:
        return problems
    _ = translations(language).gettext
    titles = ("、" if language == "zh" else ", ").join(each.title for each in lacking)
    mend = _("Add these columns; the template of the capability has them")
    one = replace(lacking[0], title=titles, description=_("the file lacks them"), mend=mend)
    return [*(each for each in problems if each not in lacking), one]


def _is_column(name: str) -> bool:
    every = {**columns.known("offers"), **columns.known("demands")}
    return name in every or name.startswith(columns.ATTRIBUTE)


def ignored(tables: Sequence[ImportTable]) -> list[str]:
    """Return what heads the columns that mean nothing here."""
    found = {
        folded(title): title
        for table in tables
        for title, column in zip(table.header, table.columns, strict=False)
        if title and not column and not is_ours(title)
    }
    return list(found.values())


def _offer(offer: Offer, known: Taxonomy, language: str) -> _Shown:
    capability = known.capabilities.get(offer.capability)
    if capability is None:
        return offer.title, offer.capability, "", "", ""
    periods = sorted(each.period for each in offer.capacity)
    return (
        offer.title,
        formats.text(capability.display_name, language),
        _amount(sum(each.quantity for each in offer.capacity), capability, language),
        _span(periods[0], periods[-1], language) if periods else "",
        formats.unit_money(offer.unit_price, capability.unit, language),
    )


def _demand(demand: Demand, known: Taxonomy, language: str) -> _Shown:
    line = demand.lines[0] if demand.lines else None
    capability = known.capabilities.get(line.capability) if line is not None else None
    if line is None or capability is None:
        return demand.title, line.capability if line is not None else "", "", "", ""
    window = line.window
    return (
        demand.title,
        formats.text(capability.display_name, language),
        _amount(line.quantity, capability, language),
        _span(window.earliest, window.latest, language) if window.earliest else "",
        formats.unit_money(line.limit_price, capability.unit, language),
    )


def _amount(ticks: int, capability: Capability, language: str) -> str:
    return formats.quantity(ticks, capability.unit, language) if ticks else ""


def _span(first: str, last: str, language: str) -> str:
    """Write weeks by the days with which they begin and end."""
    try:
        end = formats.short_sunday(last or first, language)
        return f"{formats.short_monday(first, language)} – {end}"
    except ValueError:
        return ""
