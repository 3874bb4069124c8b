"""The part of the market around a change: who could make room, with all others kept as they are.

Keeping the others fixed can only make a change look less able than it is, so what is confirmed in
the neighbourhood holds in the whole market. Everybody but the reader is seen through the lens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.matching.domain.arrays import market_of
from services.matching.domain.cutting import Cut, cut
from services.matching.domain.pairs import Pairs
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import BoolArray, IntArray
from services.matching.engine import Market
from services.matching.explain.lens import Lens
from services.matching.explain.ranges import Ranges

MOST_DEMANDS = 12
"""Demands that may move; what is around a change stops growing here."""

_STEPPED_LINES = ("limit_price", "quantity", "least", "least_share")
_STEPPED_DEMANDS = ("need", "budget")


@dataclass(frozen=True, eq=False)
class Change:
    """What differs from the round: tables, and the pairs of some lines, or of one offer, anew."""

    tables: Tables
    pairs: Pairs
    lines: IntArray
    offer: int = -1


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A market in which what the others take is gone, and the rows that it is cut from."""

    market: Market
    demands: IntArray
    lines: IntArray
    offers: IntArray


class Surroundings:
    """Finds neighbourhoods in one solution; reads as much of the market as they hold."""

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        solution = lens.solution
        market = solution.market
        lines = len(solution.problem.tables.lines.messages)
        self._pairs = Ranges(lens.pairs.line, lines)
        self._lines = Ranges(market.line_demand, market.demands)
        used = np.flatnonzero(solution.quantity)
        offer = market.pair_offer[market.x_pair[used]]
        self._users = Ranges(offer, market.offers)
        slot = market.x_slot[used]
        self._used_column = market.slot_period[slot] - solution.problem.tables.now_period
        self._used_offer = offer
        self._used_demand = market.line_demand[solution.x_line[used]]
        self._used_ticks = solution.quantity[used]

    def around(self, change: Change, demands: IntArray, own: int = -1) -> Neighbourhood:
        """The neighbourhood of some demands; ``own`` is the demand that the reader knows exactly.

        All demands in a small market, and where shares of the whole are capped: there each can
        stand in another's way.
        """
        inside = np.zeros(len(change.tables.demands.messages), dtype=np.bool_)
        inside[demands] = True
        if change.tables.policy.concentration_permille or len(inside) <= MOST_DEMANDS:
            inside[:] = True
            return self._cut(change, inside, own)
        while inside.sum() < MOST_DEMANDS:
            added = self._users_near(change, inside)
            if not len(added):
                break
            # Those whose part is worth least make room most easily.
            value = self._lens.known.demand_value[added]
            added = added[np.argsort(value, kind="stable")]
            inside[added[: MOST_DEMANDS - int(inside.sum())]] = True
        return self._cut(change, self._with_run_mates(inside), own)

    def _pairs_of(self, change: Change, inside: BoolArray) -> Pairs:
        demands = np.flatnonzero(inside)
        lines = np.setdiff1d(self._lines.of(demands), change.lines)
        known = self._lens.pairs.take(self._pairs.of(lines))
        if change.offer >= 0:
            known = known.take(known.offer != change.offer)
        fresh = change.pairs.take(inside[change.tables.lines.demand[change.pairs.line]])
        return Pairs.joined([known, fresh])

    def _users_near(self, change: Change, inside: BoolArray) -> IntArray:
        """Those outside who were given capacity that the ones inside could use."""
        pairs = self._pairs_of(change, inside)
        at, counts = self._users.with_counts(pairs.offer)
        column = self._used_column[at]
        met = (np.repeat(pairs.first, counts) <= column) & (column <= np.repeat(pairs.last, counts))
        users = np.unique(self._used_demand[at[met]])
        found: IntArray = users[~inside[users]]
        return found

    def _with_run_mates(self, inside: BoolArray) -> BoolArray:
        """Add all who together keep an offer above its minimum run: one can't be judged alone."""
        run = self._lens.solution.market.min_run[self._used_offer] > 0
        wider = inside.copy()
        while True:
            shared = np.zeros(self._lens.solution.market.offers, dtype=np.bool_)
            shared[self._used_offer[wider[self._used_demand]]] = True
            mates = shared[self._used_offer] & run & ~wider[self._used_demand]
            if not mates.any():
                return wider
            wider[self._used_demand[mates]] = True

    def _cut(self, change: Change, inside: BoolArray, own: int) -> Neighbourhood:
        pairs = self._pairs_of(change, inside)
        offers = np.unique(pairs.offer)
        tables = change.tables
        if tables.policy.concentration_permille:
            offers = np.arange(len(tables.offers.messages))
        demands = np.flatnonzero(inside)
        part = cut(tables, pairs, demands, np.sort(self._lines.of(demands)), offers)
        seen = self._left_by_others(self._stepped(part, own), inside, offers)
        return Neighbourhood(market_of(seen, part.pairs), demands, part.lines, offers)

    def _stepped(self, part: Cut, own: int) -> Tables:
        """All but the reader's own rows as others may know them."""
        known, tables = self._lens.known.problem.tables, part.tables
        mine = part.demands == own
        demands, lines = {}, {}
        for name in _STEPPED_DEMANDS:
            column = getattr(known.demands, name)[part.demands]
            demands[name] = np.where(mine, getattr(tables.demands, name), column)
        for name in _STEPPED_LINES:
            column = getattr(known.lines, name)[part.lines]
            lines[name] = np.where(mine[tables.lines.demand], getattr(tables.lines, name), column)
        return replace(
            tables,
            demands=replace(tables.demands, **demands),
            lines=replace(tables.lines, **lines),
        )

    def _left_by_others(self, tables: Tables, inside: BoolArray, offers: IntArray) -> Tables:
        taken = np.zeros_like(tables.offers.free)
        at, counts = self._users.with_counts(offers)
        row = np.repeat(np.arange(len(offers)), counts)
        outside = ~inside[self._used_demand[at]]
        at, row = at[outside], row[outside]
        np.add.at(taken, (row, self._used_column[at]), self._used_ticks[at])
        # An offer that others keep open already may be used by any amount.
        run = np.where(taken.sum(axis=1) > 0, 0, tables.offers.minimum_run)
        left = replace(tables.offers, free=tables.offers.free - taken, minimum_run=run)
        return replace(tables, offers=left)
