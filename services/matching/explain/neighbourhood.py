"""The part of the market around a change: who could make room, with all others kept as they are.

Keeping the others fixed can only make a change look less able than it is, so what is confirmed in
the neighbourhood holds in the whole market.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.matching.domain.pairs import Pairs
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import BoolArray, IntArray
from services.matching.explain.solution import Solution

MOST_DEMANDS = 12
"""Demands that may move; what is around a change stops growing here."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Tables in which what the others take is gone, and the pairs of those who may move."""

    tables: Tables
    pairs: Pairs


def around(solution: Solution, tables: Tables, pairs: Pairs, demands: IntArray) -> Neighbourhood:
    """The neighbourhood of some demands, given the tables and pairs that hold a change."""
    inside = np.zeros(len(tables.demands.messages), dtype=np.bool_)
    inside[demands] = True
    while inside.sum() < MOST_DEMANDS:
        wider = _with_users(solution, tables, pairs, inside)
        added = np.flatnonzero(wider & ~inside)
        if not len(added):
            break
        # Those whose part is worth least make room most easily.
        added = added[np.argsort(solution.demand_value[added], kind="stable")]
        inside[added[: max(0, MOST_DEMANDS - int(inside.sum()))]] = True
    inside = _with_run_mates(solution, inside)
    return _cut(solution, tables, pairs, inside)


def _with_users(solution: Solution, tables: Tables, pairs: Pairs, inside: BoolArray) -> BoolArray:
    """Add those who were given capacity that the ones inside could use."""
    own = pairs.take(inside[tables.lines.demand[pairs.line]])
    market = solution.market
    wanted = np.zeros((len(tables.offers.messages), tables.columns + 1), dtype=np.int64)
    reachable = own.first <= own.last
    np.add.at(wanted, (own.offer[reachable], own.first[reachable]), 1)
    np.add.at(wanted, (own.offer[reachable], own.last[reachable] + 1), -1)
    wanted = np.cumsum(wanted, axis=1)
    column = market.slot_period - tables.now_period
    used = np.flatnonzero(solution.quantity)
    slots = market.x_slot[used]
    met = wanted[market.slot_offer[slots], column[slots]] > 0
    wider = inside.copy()
    wider[market.line_demand[solution.x_line[used[met]]]] = True
    return wider


def _with_run_mates(solution: Solution, inside: BoolArray) -> BoolArray:
    """Add all who together keep an offer above its minimum run: one can't be judged alone."""
    market = solution.market
    used = np.flatnonzero(solution.quantity)
    offer = market.pair_offer[market.x_pair[used]]
    demand = market.line_demand[solution.x_line[used]]
    wider = inside.copy()
    while True:
        shared = np.zeros(market.offers, dtype=np.bool_)
        shared[offer[wider[demand]]] = True
        mates = shared[offer] & (market.min_run[offer] > 0) & ~wider[demand]
        if not mates.any():
            return wider
        wider[demand[mates]] = True


def _cut(solution: Solution, tables: Tables, pairs: Pairs, inside: BoolArray) -> Neighbourhood:
    market = solution.market
    outside = np.flatnonzero(~inside[market.line_demand[solution.x_line]])
    taken = np.zeros_like(tables.offers.free)
    slots = market.x_slot[outside]
    column = market.slot_period[slots] - tables.now_period
    np.add.at(taken, (market.slot_offer[slots], column), solution.quantity[outside])
    # An offer that others keep open already may be used by any amount.
    run = np.where(taken.sum(axis=1) > 0, 0, tables.offers.minimum_run)
    offers = replace(tables.offers, free=tables.offers.free - taken, minimum_run=run)
    moving = pairs.take(inside[tables.lines.demand[pairs.line]])
    return Neighbourhood(replace(tables, offers=offers), moving)
