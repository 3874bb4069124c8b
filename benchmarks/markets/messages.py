"""A drawn book as the service's own messages: what explanations are worked out from.

Two things differ from the columns: transport costs what the policy says for all, not what each
offer says; and priority classes and need are left to the policy and the rounds.
"""

from __future__ import annotations

from benchmarks.markets.book import PERIODS, Book, tree_codes
from services.matching.domain import periods
from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.grid import ranks_of
from services.matching.domain.tables import GRADES
from spareline.market.v1.capability_pb2 import AttributeSchema, Capability
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1.policy_pb2 import Policy

FIRST_PERIOD = periods.ordinal("2026-W48")
STANDARDS = ("ISO 9001", "ISO 14001", "IATF 16949")
_WEEKS = [periods.name(FIRST_PERIOD + week) for week in range(PERIODS)]
_PRICED = 1250  # budgets are drawn in thousandths of limits with a fifth for transport and setup


def policy() -> Policy:
    """Surplus with a bonus for fill; transport as most drawn offers have it."""
    made = Policy(
        name="policies/benchmark",
        version=1,
        surplus_permille=1000,
        fill_permille=50,
        horizon_periods=PERIODS - 1,
    )
    made.transport.add(per_tick_1000km=150)
    return made


def snapshot(book: Book) -> BookSnapshot:
    """All of a book; the same for the same book."""
    codes = tree_codes()
    rank, low, high = ranks_of(codes)
    by_rank = {int(place): code for place, code in zip(rank, codes, strict=True)}
    by_branch = {(int(a), int(b)): c for a, b, c in zip(low, high, codes, strict=True)}
    offers = [_offer(book, row, by_rank) for row in range(len(book.capacity))]
    lines: list[list[Line]] = [[] for _ in range(book.demands)]
    follows = set(book.after.tolist())
    owners = [0] * book.demands
    after: list[list[tuple[str, str]]] = [[] for _ in range(book.demands)]
    for row, demand in enumerate(book.line_demand.tolist()):
        made = _line(book, row, len(lines[demand]), by_branch)
        if row in follows:
            after[demand].append((lines[demand][-1].id, made.id))
        lines[demand].append(made)
        owners[demand] = int(book.lines.organization[row])
    demands = [
        _demand(book, row, owners[row], lines[row], after[row]) for row in range(book.demands)
    ]
    capabilities = tuple(_capability(code) for code in codes)
    return BookSnapshot(
        capabilities,
        tuple(_organizations(book)),
        tuple(sorted(offers, key=lambda each: each.name)),
        tuple(sorted(demands, key=lambda each: each.name)),
    )


def _capability(code: str) -> Capability:
    made = Capability(name=f"capabilities/{code}", code=code, ships=True)
    made.unit.code = "machine_hour"
    kinds = AttributeSchema
    made.attributes.add(key="ability", type=kinds.TYPE_INTEGER, rule=kinds.RULE_AT_LEAST)
    return made


def _firm(organization: int) -> str:
    return f"organizations/f{organization:07d}"


def _held(bits: int) -> list[str]:
    return [name for place, name in enumerate(STANDARDS) if bits >> place & 1]


def _organizations(book: Book) -> list[Organization]:
    found: dict[int, Organization] = {}
    sides = (
        (book.offers, book.offer_standards.tolist()),
        (book.lines, book.asker_standards.tolist()),
    )
    for side, standards in sides:
        for row, number in enumerate(side.organization.tolist()):
            if number not in found:
                made = Organization(name=_firm(number), region="CN-ZJ", generation=1)
                made.credit_grade = GRADES[int(side.grade[row])]
                made.location.latitude = float(side.latitude[row])
                made.location.longitude = float(side.longitude[row])
                made.standards.extend(_held(standards[row]))
                found[number] = made
    return [found[number] for number in sorted(found)]


def _offer(book: Book, row: int, codes: dict[int, str]) -> Offer:
    side = book.offers
    made = Offer(
        name=f"{_firm(int(side.organization[row]))}/offers/o{row:07d}",
        capability=codes[int(side.rank[row])],
        state=Offer.STATE_OPEN,
        generation=1,
        unit_price=int(side.price[row]),
        setup_price=int(book.setup_price[row]),
        minimum_order=int(book.min_order[row]),
        minimum_run=int(book.min_run[row]),
    )
    for week in range(int(side.first[row]), PERIODS):
        if book.capacity[row, week]:
            made.capacity.add(period=_WEEKS[week], quantity=int(book.capacity[row, week]))
    made.attributes["ability"].integer = int(book.offer_ability[row])
    made.reach.radius_km = int(side.radius[row])
    made.requirements.least_credit_grade = GRADES[int(side.least_grade[row])]
    made.requirements.standards.extend(_held(int(book.offer_asks[row])))
    return made


def _line(book: Book, row: int, number: int, codes: dict[tuple[int, int], str]) -> Line:
    side = book.lines
    quantity, least = int(book.quantity[row]), int(book.least[row])
    made = Line(
        id=f"l{number}",
        capability=codes[int(side.low[row]), int(side.high[row])],
        quantity=quantity,
        least_quantity=least if least < quantity else 0,
        limit_price=int(side.limit[row]),
    )
    made.window.earliest = _WEEKS[int(side.first[row])]
    made.window.latest = _WEEKS[int(side.last[row])]
    made.sourcing.max_partners = int(book.partners[row]) or 10
    made.sourcing.least_share = int(book.share[row])
    if book.line_ability[row]:
        made.attributes["ability"].integer = int(book.line_ability[row])
    made.reach.radius_km = int(side.radius[row])
    made.requirements.least_credit_grade = GRADES[int(side.least_grade[row])]
    made.requirements.standards.extend(_held(int(book.line_standards[row])))
    return made


def _demand(
    book: Book, row: int, owner: int, lines: list[Line], after: list[tuple[str, str]]
) -> Demand:
    made = Demand(
        name=f"{_firm(owner)}/demands/d{row:07d}",
        lines=lines,
        bundle=bool(book.bundle[row]),
        state=Demand.STATE_OPEN,
        generation=1,
    )
    if book.budget_permille[row] >= 0:
        reach = sum(each.limit_price * each.quantity for each in lines)
        made.budget = reach * int(book.budget_permille[row]) // _PRICED
    for before, following in after:
        made.precedences.add(before=before, after=following)
    return made
