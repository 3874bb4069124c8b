"""The columns of CSV files: their names, what stands in them, and how a cell is read and written.

Quantities are in the capability's unit and money is in CNY, as decimals; weeks are ISO weeks.
Several values in a cell are divided by a semicolon. An empty cell sets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli import amounts
from cli.amounts import WrongAmount
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.offer_pb2 import PeriodQuantity

ATTRIBUTE: Final = "attributes."
"""Columns of attributes are named `attributes.<key>`."""


@dataclass(frozen=True)
class Column:
    """One column. `path` leads to the field from the offer, the demand or the line."""

    name: str
    path: str
    help: str
    read: Callable[[str, str], Any]
    """The value of a cell, given the resolution of the unit; raises WrongAmount."""
    write: Callable[[Any, str], str]
    field: str = ""
    """The field as the registry names it in a refusal, where it differs from the path."""


def text(name: str, help_: str, path: str = "") -> Column:
    """A text."""
    return Column(name, path or name, help_, lambda cell, _: cell, lambda value, _: str(value))


def words(name: str, help_: str, path: str = "") -> Column:
    """Several texts."""
    return Column(name, path or name, help_, lambda cell, _: _split(cell), lambda v, _: ";".join(v))


def number(name: str, help_: str, path: str = "") -> Column:
    """A whole number."""
    return Column(name, path or name, help_, lambda c, _: amounts.count(c), lambda v, _: str(v))


def quantity(name: str, help_: str, path: str = "") -> Column:
    """A quantity in units."""
    return Column(name, path or name, help_, amounts.ticks, amounts.units)


def price(name: str, path: str, help_: str) -> Column:
    """CNY per unit."""
    return Column(name, path, help_, amounts.fen_per_tick, amounts.cny_per_unit)


def amount(name: str, path: str, help_: str) -> Column:
    """CNY."""
    return Column(name, path, help_, lambda c, _: amounts.fen(c), lambda v, _: amounts.cny(v))


def flag(name: str, help_: str) -> Column:
    """Yes or no."""
    return Column(name, name, help_, lambda cell, _: _yes(cell), lambda v, _: "yes" if v else "")


def level(group: str) -> Column:
    """A disclosure level."""
    return Column(
        f"disclosure_{group}",
        f"disclosure.{group}",
        "public, on_proposal, on_confirmation or never",
        lambda cell, _: _level(cell),
        lambda value, _: _level_name(value),
    )


def capacity(cell: str, resolution: str) -> list[PeriodQuantity]:
    """`2026-W48=40;2026-W49=20` as quantities by period."""
    found = []
    for part in _split(cell):
        period, equals, amount_ = part.partition("=")
        if not equals:
            raise WrongAmount(f"{part} is no week with a quantity", "Write 2026-W48=40")
        ticks = amounts.ticks(amount_, resolution)
        found.append(PeriodQuantity(period=period.strip(), quantity=ticks))
    return found


def capacity_cell(quantities: Any, resolution: str) -> str:
    """Quantities by period as a cell."""
    return ";".join(f"{q.period}={amounts.units(q.quantity, resolution)}" for q in quantities)


_PARTNER: Final = (
    words("regions", "countries or regions of the partner, such as CN-ZJ;DE", "reach.regions"),
    number("radius_km", "greatest distance", "reach.radius_km"),
    text("least_credit_grade", "worst grade accepted, A to E", "requirements.least_credit_grade"),
    words("standards", "standards asked, such as ISO 9001", "requirements.standards"),
)
_LEVELS: Final = tuple(
    level(group) for group in ("identity", "price", "quantity", "attributes", "requirements")
)

OFFER: Final = (
    text("name", "organizations/<organization>/offers/<id>"),
    text("capability", "code of the taxonomy"),
    text("title", "one line that tells what it is"),
    text("description", "more words"),
    Column("capacity", "capacity", "2026-W48=40;2026-W49=20, in units", capacity, capacity_cell),
    price("unit_price_cny", "unit_price", "CNY per unit"),
    amount("setup_price_cny", "setup_price", "CNY once per demand served"),
    quantity("minimum_order", "least quantity of one demand"),
    quantity("minimum_run", "least quantity over all demands"),
    number("lead_time_periods", "weeks between a round and the first delivery"),
    *_PARTNER,
    words(
        "excluded_organizations",
        "organizations with which there is no match",
        "requirements.excluded_organizations",
    ),
    *_LEVELS,
)

DEMAND: Final = (
    text("name", "organizations/<organization>/demands/<id>; rows with one name are one demand"),
    text("title", "one line that tells what it is"),
    text("description", "more words"),
    flag("bundle", "yes: all lines or none"),
    Column(
        "precedences",
        "precedences",
        "design>mould: the first line ends before the second starts",
        lambda cell, _: _precedences(cell),
        lambda value, _: ";".join(f"{each.before}>{each.after}" for each in value),
    ),
    amount("budget_cny", "budget", "CNY for the whole demand; empty: no limit"),
    words("preferred_organizations", "liked as partners"),
    words("excluded_organizations", "organizations with which there is no match"),
    text("priority_class", "as the policy names it"),
    *_LEVELS,
)

LINE: Final = (
    text("line", "id of the line, such as mould", "id"),
    text("capability", "code of the taxonomy"),
    quantity("quantity", "in units"),
    quantity("least_quantity", "least part worth having; empty: all or nothing"),
    text("earliest", "first week", "window.earliest"),
    text("latest", "last week", "window.latest"),
    price("limit_price_cny", "limit_price", "most paid per unit, transport included"),
    number("max_partners", "most partners; empty: one", "sourcing.max_partners"),
    quantity("least_share", "least quantity of each partner", "sourcing.least_share"),
    *_PARTNER,
)


def known(kind: str) -> Mapping[str, Column]:
    """The columns of a kind of file by name, attributes left out."""
    columns = OFFER if kind == "offers" else (*DEMAND, *LINE)
    return {column.name: column for column in columns}


def _split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def _yes(cell: str) -> bool:
    if cell.lower() not in ("yes", "no"):
        raise WrongAmount(f"{cell} is neither yes nor no", "Write yes or no")
    return cell.lower() == "yes"


def _level(cell: str) -> int:
    name = f"DISCLOSURE_LEVEL_{cell.upper()}"
    found = disclosure_pb2.DisclosureLevel.DESCRIPTOR.values_by_name.get(name)
    if found is None:
        mend = "Write public, on_proposal, on_confirmation or never"
        raise WrongAmount(f"{cell} is no disclosure level", mend)
    return int(found.number)


def _level_name(value: Any) -> str:
    name = disclosure_pb2.DisclosureLevel.Name(value)
    return name.removeprefix("DISCLOSURE_LEVEL_").lower()


def _precedences(cell: str) -> list[dict[str, str]]:
    found = []
    for part in _split(cell):
        before, arrow, after = part.partition(">")
        if not arrow:
            raise WrongAmount(f"{part} is no order of lines", "Write first>second")
        found.append({"before": before.strip(), "after": after.strip()})
    return found
