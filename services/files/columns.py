"""The columns of tables: their names, what stands in them, and how a cell is read and written.

Quantities are in the capability's unit and money is in CNY, as decimals; weeks are ISO weeks.
Several values in a cell are divided by a semicolon. An empty cell sets nothing. Instead of
`capacity` a table may have a column of quantities for each week, headed by the week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.files import amounts
from services.files.cells import split
from services.files.weeks import week
from services.files.wording import WrongCell, mark
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.offer_pb2 import PeriodQuantity

Kind = Literal["offers", "demands"]
Content = Literal["text", "words", "number", "week", "capacity", "flag", "level", "regions"]

ATTRIBUTE: Final = "attributes."
"""Columns of attributes are named `attributes.<key>`."""


@dataclass(frozen=True)
class Column:
    """One column. `path` leads to the field from the offer, the demand or the line."""

    name: str
    title: str
    path: str
    help: str
    content: Content
    read: Callable[[str, str], Any]
    """The value of a cell, given the resolution of the unit; raises WrongCell."""
    write: Callable[[Any, str], str]
    needed: bool = False
    """Whether a person who fills in a table has to say something here, be it 0."""


def _as_text(value: Any, _resolution: str) -> str:
    return str(value)


def text(name: str, title: str, help_: str, path: str = "", *, needed: bool = False) -> Column:
    """A text."""
    return Column(name, title, path or name, help_, "text", lambda c, _: c, _as_text, needed)


def words(name: str, title: str, help_: str, path: str = "", content: Content = "words") -> Column:
    """Several texts."""
    return Column(
        name, title, path or name, help_, content, lambda c, _: split(c), lambda v, _: ";".join(v)
    )


def number(name: str, title: str, help_: str, path: str = "") -> Column:
    """A whole number."""
    return Column(
        name, title, path or name, help_, "number", lambda c, _: amounts.count(c), _as_text
    )


def quantity(name: str, title: str, help_: str, path: str = "", *, needed: bool = False) -> Column:
    """A quantity in units."""
    return Column(name, title, path or name, help_, "number", amounts.ticks, amounts.units, needed)


def price(name: str, title: str, path: str, help_: str) -> Column:
    """CNY per unit."""
    return Column(
        name, title, path, help_, "number", amounts.fen_per_tick, amounts.cny_per_unit, True
    )


def amount(name: str, title: str, path: str, help_: str) -> Column:
    """CNY."""
    return Column(
        name,
        title,
        path,
        help_,
        "number",
        lambda cell, _: amounts.fen(cell),
        lambda value, _: amounts.cny(value),
    )


def period(name: str, title: str, path: str, help_: str) -> Column:
    """A week."""
    return Column(name, title, path, help_, "week", lambda cell, _: week(cell), _as_text, True)


def flag(name: str, title: str, help_: str) -> Column:
    """Yes or no."""
    return Column(
        name,
        title,
        name,
        help_,
        "flag",
        lambda cell, _: _yes(cell),
        lambda value, _: "yes" if value else "",
    )


def level(group: str, title: str) -> Column:
    """A disclosure level."""
    return Column(
        f"disclosure_{group}",
        title,
        f"disclosure.{group}",
        mark("public, on_proposal, on_confirmation or never"),
        "level",
        lambda cell, _: _level(cell),
        lambda value, _: level_name(value),
    )


def capacity(cell: str, resolution: str) -> list[PeriodQuantity]:
    """`2026-W48=40;2026-W49=20` as quantities by period."""
    found = []
    for part in split(cell):
        before, equals, amount_ = part.partition("=")
        if not equals:
            raise WrongCell(
                mark("%(part)s is no week with a quantity"), mark("Write 2026-W48=40"), part=part
            )
        ticks = amounts.ticks(amount_, resolution)
        found.append(PeriodQuantity(period=week(before), quantity=ticks))
    return found


def capacity_cell(quantities: Any, resolution: str) -> str:
    """Quantities by period as a cell."""
    return ";".join(f"{q.period}={amounts.units(q.quantity, resolution)}" for q in quantities)


_PARTNER: Final = (
    words(
        "regions",
        mark("Regions of the partner"),
        mark("countries or regions of the partner, such as CN-ZJ;DE"),
        "reach.regions",
        "regions",
    ),
    number(
        "radius_km", mark("Greatest distance, km"), mark("greatest distance"), "reach.radius_km"
    ),
    text(
        "least_credit_grade",
        mark("Least credit grade"),
        mark("worst grade accepted, A to E"),
        "requirements.least_credit_grade",
    ),
    words(
        "standards",
        mark("Standards asked for"),
        mark("standards asked, such as ISO 9001"),
        "requirements.standards",
    ),
)
_LEVELS: Final = (
    level("identity", mark("Who sees: our name")),
    level("price", mark("Who sees: the price")),
    level("quantity", mark("Who sees: the quantity")),
    level("attributes", mark("Who sees: the details")),
    level("requirements", mark("Who sees: what is asked of partners")),
)

OFFER: Final = (
    text("name", mark("Id"), mark("organizations/<organization>/offers/<id>")),
    text("capability", mark("Capability"), mark("code of the taxonomy"), needed=True),
    text("title", mark("Title"), mark("one line that tells what it is"), needed=True),
    text("description", mark("Description"), mark("more words")),
    Column(
        "capacity",
        mark("Capacity by week"),
        "capacity",
        mark("2026-W48=40;2026-W49=20, in units"),
        "capacity",
        capacity,
        capacity_cell,
        True,
    ),
    price("unit_price_cny", mark("Price per unit, CNY"), "unit_price", mark("CNY per unit")),
    amount(
        "setup_price_cny",
        mark("Set-up price, CNY"),
        "setup_price",
        mark("CNY once per demand served"),
    ),
    quantity("minimum_order", mark("Least order"), mark("least quantity of one demand")),
    quantity("minimum_run", mark("Least run"), mark("least quantity over all demands")),
    number(
        "lead_time_periods",
        mark("Lead time, weeks"),
        mark("weeks between a round and the first delivery"),
    ),
    *_PARTNER,
    words(
        "excluded_organizations",
        mark("Never with"),
        mark("organizations with which there is no match"),
        "requirements.excluded_organizations",
    ),
    *_LEVELS,
)

DEMAND: Final = (
    text(
        "name",
        mark("Id"),
        mark("organizations/<organization>/demands/<id>; rows with one name are one demand"),
    ),
    text("title", mark("Title"), mark("one line that tells what it is"), needed=True),
    text("description", mark("Description"), mark("more words")),
    flag("bundle", mark("All lines or none"), mark("yes: all lines or none")),
    Column(
        "precedences",
        mark("Order of lines"),
        "precedences",
        mark("design>mould: the first line ends before the second starts"),
        "words",
        lambda cell, _: _precedences(cell),
        lambda value, _: ";".join(f"{each.before}>{each.after}" for each in value),
    ),
    amount(
        "budget_cny",
        mark("Budget, CNY"),
        "budget",
        mark("CNY for the whole demand; empty: no limit"),
    ),
    words("preferred_organizations", mark("Preferably with"), mark("liked as partners")),
    words(
        "excluded_organizations",
        mark("Never with"),
        mark("organizations with which there is no match"),
    ),
    text("priority_class", mark("Priority class"), mark("as the policy names it")),
    *_LEVELS,
)

LINE: Final = (
    text("line", mark("Line"), mark("id of the line, such as mould"), "id"),
    text("capability", mark("Capability"), mark("code of the taxonomy"), needed=True),
    quantity("quantity", mark("Quantity"), mark("in units"), needed=True),
    quantity(
        "least_quantity",
        mark("Least quantity"),
        mark("least part worth having; empty: all or nothing"),
    ),
    period("earliest", mark("First week"), "window.earliest", mark("first week")),
    period("latest", mark("Last week"), "window.latest", mark("last week")),
    price(
        "limit_price_cny",
        mark("Limit price per unit, CNY"),
        "limit_price",
        mark("most paid per unit, transport included"),
    ),
    number(
        "max_partners",
        mark("Most partners"),
        mark("most partners; empty: one"),
        "sourcing.max_partners",
    ),
    quantity(
        "least_share",
        mark("Least share of each partner"),
        mark("least quantity of each partner"),
        "sourcing.least_share",
    ),
    *_PARTNER,
)
_BY_NAME: Final[Mapping[Kind, Mapping[str, Column]]] = {
    "offers": {column.name: column for column in OFFER},
    "demands": {column.name: column for column in (*DEMAND, *LINE)},
}

LEVELS: Final[Mapping[str, str]] = {
    "public": mark("everybody"),
    "on_proposal": mark("partners, once proposed"),
    "on_confirmation": mark("partners, once agreed"),
    "never": mark("nobody"),
}
"""What people call the levels of disclosure."""
YES_NO: Final[Mapping[str, str]] = {"yes": mark("yes"), "no": mark("no")}
GRADES: Final = "ABCDE"


def known(kind: Kind) -> Mapping[str, Column]:
    """The columns of a kind of file by name, attributes left out."""
    return _BY_NAME[kind]


def level_name(value: Any) -> str:
    """A level of disclosure as it stands in files."""
    name = disclosure_pb2.DisclosureLevel.Name(value)
    return name.removeprefix("DISCLOSURE_LEVEL_").lower()


def _yes(cell: str) -> bool:
    if cell.lower() not in ("yes", "no"):
        raise WrongCell(mark("%(text)s is neither yes nor no"), mark("Write yes or no"), text=cell)
    return cell.lower() == "yes"


def _level(cell: str) -> int:
    name = f"DISCLOSURE_LEVEL_{cell.upper()}"
    found = disclosure_pb2.DisclosureLevel.DESCRIPTOR.values_by_name.get(name)
    if found is None:
        raise WrongCell(
            mark("%(text)s is no disclosure level"),
            mark("Write public, on_proposal, on_confirmation or never"),
            text=cell,
        )
    return int(found.number)


def _precedences(cell: str) -> list[dict[str, str]]:
    found = []
    for part in split(cell):
        before, arrow, after = part.replace("＞", ">").partition(">")
        if not arrow:
            raise WrongCell(
                mark("%(part)s is no order of lines"), mark("Write first>second"), part=part
            )
        found.append({"before": before.strip(), "after": after.strip()})
    return found
