"""A round's problem: the book, the policy and what is remembered, as arrays with their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from services.matching.domain import rows
from services.matching.domain.arrays import market_of
from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.declined import (
    NEVER_FOR_DEMAND,
    NEVER_FOR_OFFER,
    Declined,
    still_stands,
)
from services.matching.domain.fairness import owner
from services.matching.domain.live import Live, fold
from services.matching.domain.pairs import AnyFunnels, Pairs, eligible
from services.matching.domain.participation import OpenLine, open_lines
from services.matching.domain.shortlist import Shortlisted, shortlisted
from services.matching.domain.tables import OrganizationTable, SharedWords, Tables
from services.matching.engine import Market
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.policy_pb2 import FairnessAccount, Policy
from spareline.matching.v1.proposal_pb2 import Proposal

HEAD_START = 1000
"""Need, in thousandths, that a demand at the head of the book has on top of its organization's."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What a round solves, and how its positions are named.

    Offer, demand and line rows of the market are rows of ``tables.offers``, ``tables.demands`` and
    ``tables.lines``; market pair p is ``pairs`` row p. ``live`` says what earlier proposals keep.
    In a dense market not every eligible pair is weighed: ``weighed`` says how many are not.
    """

    tables: Tables
    weighed: Shortlisted
    market: Market
    line_funnels: AnyFunnels
    offer_funnels: AnyFunnels
    live: Live

    @property
    def pairs(self) -> Pairs:
        """The eligible pairs that are weighed, by line, then offer."""
        return self.weighed.pairs

    def shortlist_of(self, line: int) -> int:
        """About how many of a line's eligible pairs are weighed, 0 when all are.

        By the counts that its owner is told of, so that nothing more is told by it.
        """
        most = self.weighed.per_line
        return most if most and self.line_funnels.eligible[line] > most else 0

    def demand_of_line(self, line: int) -> Demand:
        """The demand that a line belongs to."""
        return self.tables.demands.messages[int(self.tables.lines.demand[line])]

    def lines_of(self, demand: int) -> list[int]:
        """Rows of the open lines of a demand."""
        return np.flatnonzero(self.tables.lines.demand == demand).tolist()


def build(
    book: BookSnapshot,
    policy: Policy,
    *,
    now_period: int,
    fairness: Mapping[str, FairnessAccount] | None = None,
    declined: Collection[Declined] = (),
    heads: Collection[str] = (),
    pins: Iterable[Proposal] = (),
    most_pairs: int = 0,
) -> Problem:
    """Build the problem of a round that takes ``now_period`` (an ordinal) as the present week.

    Capacity is assigned from that week on, as far as the policy's horizon. ``fairness`` is by
    organization; ``heads`` names the demands at the head of the book; ``pins`` are all proposals
    that still hold or have committed capacity. Above ``most_pairs`` (0: never) lines keep their
    `shortlist` of eligible pairs.

    Raises:
        InvalidMarket: the book's numbers are too large to be summed exactly.
    """
    tables, live = _tables(
        book, policy, now_period, fairness or {}, frozenset(declined), frozenset(heads), pins
    )
    found = eligible(tables)
    kept = shortlisted(tables, found.parts, most_pairs)
    market = market_of(tables, kept.pairs)
    return Problem(tables, kept, market, found.by_line, found.by_offer, live)


def _tables(
    book: BookSnapshot,
    policy: Policy,
    now_period: int,
    fairness: Mapping[str, FairnessAccount],
    declined: frozenset[Declined],
    heads: frozenset[str],
    pins: Iterable[Proposal],
) -> tuple[Tables, Live]:
    words = SharedWords.fresh()
    live = fold(pins, policy)
    capabilities = {each.code: each for each in book.capabilities}
    organizations = rows.organization_table(book.organizations, words)
    known = organizations.index
    offers = tuple(o for o in book.offers if owner(o.name) in known)
    columns = policy.horizon_periods + 1
    offer_rows = [
        rows.offer_row(o, known[owner(o.name)], policy, capabilities, words) for o in offers
    ]
    offer_table = rows.offer_table(offers, offer_rows, live, now_period, columns)
    demands, parts = _parts(book.demands, organizations, live)
    demand_rows = [
        rows.demand_row(d, known[owner(d.name)], _need(d, fairness, heads), policy) for d in demands
    ]
    at = {demand.name: row for row, demand in enumerate(demands)}
    line_rows = [
        rows.line_row(part, at[demand], now_period, capabilities, words) for demand, part in parts
    ]
    line_table = rows.line_table(parts, line_rows)
    pairs_of = _Lookup(offer_table.index, line_table.index)
    tables = Tables(
        policy,
        now_period,
        columns,
        words,
        capabilities,
        organizations,
        offer_table,
        rows.demand_table(demands, demand_rows),
        line_table,
        frozenset(_declined(declined, pairs_of, offers, parts)),
        {
            pair: ticks
            for names, ticks in live.repeat.items()
            if (pair := pairs_of.find(*names)) is not None
        },
        rows.subtree_index(each.capability for each in offers),
    )
    return tables, live


@dataclass(frozen=True)
class _Lookup:
    """Rows by name."""

    offers: Mapping[str, int]
    lines: Mapping[tuple[str, str], int]

    def find(self, offer: str, demand: str, line: str) -> tuple[int, int] | None:
        """(offer row, line row) when both take part."""
        found = self.offers.get(offer), self.lines.get((demand, line))
        return None if found[0] is None or found[1] is None else (found[0], found[1])


def _parts(
    demands: Iterable[Demand], organizations: OrganizationTable, live: Live
) -> tuple[tuple[Demand, ...], list[tuple[str, OpenLine]]]:
    """The demands that take part, and their open lines."""
    taking, parts = [], []
    for demand in demands:
        lines = open_lines(demand, live) if owner(demand.name) in organizations.index else []
        if lines:
            taking.append(demand)
            parts += [(demand.name, line) for line in lines]
    return tuple(taking), parts


def _need(demand: Demand, fairness: Mapping[str, FairnessAccount], heads: frozenset[str]) -> int:
    account = fairness.get(owner(demand.name))
    need = account.need_permille if account is not None else 0
    return need + (HEAD_START if demand.name in heads else 0)


def _declined(
    declined: frozenset[Declined],
    pairs_of: _Lookup,
    offers: tuple[Offer, ...],
    parts: list[tuple[str, OpenLine]],
) -> Iterable[tuple[int, int]]:
    """The pairs that were turned down on terms that still stand."""
    partners = [each for each in declined if each.terms in (NEVER_FOR_DEMAND, NEVER_FOR_OFFER)]
    if partners:
        yield from _never(partners, offers, [demand for demand, _ in parts])
    for each in declined:
        pair = pairs_of.find(each.offer, each.demand, each.line)
        if pair is not None and still_stands(each, offers[pair[0]], parts[pair[1]][1].line):
            yield pair


def _never(
    records: Iterable[Declined], offers: tuple[Offer, ...], demand_of: list[str]
) -> Iterable[tuple[int, int]]:
    """All pairs of a posting and of the postings of a partner that its owner turned down."""
    offered = _rows_by(offer.name for offer in offers)
    asked = _rows_by(demand_of)
    for each in records:
        if each.terms == NEVER_FOR_DEMAND:
            rows, lines = offered.get(owner(each.offer), []), asked.get(each.demand, [])
        else:
            rows, lines = offered.get(each.offer, []), asked.get(owner(each.demand), [])
        yield from ((row, line) for row in rows for line in lines)


def _rows_by(postings: Iterable[str]) -> dict[str, list[int]]:
    """Rows by posting, and by the organization that it belongs to."""
    found: dict[str, list[int]] = {}
    for row, name in enumerate(postings):
        found.setdefault(name, []).append(row)
        found.setdefault(owner(name), []).append(row)
    return found
