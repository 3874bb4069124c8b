"""A small market served better from what it is now, by a short walk of ruin and recreate.

For a handful of demands around a change this finds in milliseconds what a model takes ten times as
long for; see `recreate.py` for the walk.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.compact import Sorting, by_price, compact
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.recreate import new_memory, walk
from services.matching.engine.serving import FloatArray, State, new_desk, new_state

SLICES = 12
# Temperatures, as shares of the mean worth of a served demand.
HOT, COLD = 0.05, 0.0005


def rearranged(
    market: Market, quantity: IntArray, price: FloatArray, seed: int, turns: int
) -> IntArray:
    """The best assignment that a walk of so many turns from ``quantity[X]`` came by.

    ``price[S]`` guides it. Nothing may be pinned.
    """
    sorting = by_price(compact(market), price)
    c = sorting.rows
    state = _loaded(market, sorting, quantity)
    able = np.flatnonzero(np.diff(c.lines["pair0"][c.demands["line0"]]))
    best, most = state.quantity.copy(), int(state.worth.sum())
    mean = float(state.worth[state.worth > 0].mean()) if (state.worth > 0).any() else 1.0
    desk, memory = new_desk(c), new_memory(c, seed)
    everywhere = np.zeros(market.offers, dtype=np.int64)
    home = np.zeros(market.demands, dtype=np.int64)
    each = max(1, turns // SLICES)
    for at in range(SLICES):
        # A slice begins where the best was found once the walk has cooled down.
        heat = mean * HOT * (COLD / HOT) ** (at / SLICES)
        cool = mean * HOT * (COLD / HOT) ** ((at + 1) / SLICES)
        steps = np.array([at * each, each, SLICES * each])
        walk(c, state, desk, memory, price, everywhere, 0, home, able, steps, heat, cool)
        if int(state.worth.sum()) > most:
            best, most = state.quantity.copy(), int(state.worth.sum())
    found = np.zeros(market.variables, dtype=np.int64)
    found[sorting.x] = best
    return found


def _loaded(market: Market, sorting: Sorting, quantity: IntArray) -> State:
    """The state in which ``quantity`` is served."""
    c = sorting.rows
    s = new_state(c, market.slot_capacity, market.cap_limit)
    s.quantity[:] = quantity[sorting.x]
    pair = np.repeat(np.arange(len(c.pairs) - 1), np.diff(c.pairs["x0"]))
    np.add.at(s.pair_ticks, pair, s.quantity)
    np.subtract.at(s.slot_left, c.xs["slot"][:-1], s.quantity * c.pairs["use"][pair])
    np.subtract.at(s.offer_left, c.pairs["offer"][pair], s.quantity * c.pairs["use"][pair])
    np.add.at(s.offer_used, c.pairs["offer"][:-1], s.pair_ticks)
    np.subtract.at(s.cap_left, c.cap, np.repeat(s.pair_ticks, np.diff(c.pairs["cap0"])))
    s.closed[:] = (market.min_run > 0) & (s.offer_used == 0)
    s.worth[:] = _worth(sorting, s.pair_ticks)
    return s


def _worth(sorting: Sorting, ticks: IntArray) -> IntArray:
    """Per demand what it is worth as it is served."""
    c = sorting.rows
    pairs, used = c.pairs[:-1], np.flatnonzero(ticks)
    worth = np.zeros(len(c.demands) - 1, dtype=np.int64)
    demand = c.lines["demand"][pairs["line"]]
    np.add.at(worth, demand[used], (pairs["tick"] * ticks + pairs["once"])[used])
    groups, first = np.unique(pairs["group"][used], return_index=True)
    np.add.at(worth, demand[used][first], c.groups["worth"][groups])
    lines = np.unique(pairs["line"][used])
    np.add.at(worth, c.lines["demand"][lines], c.lines["worth"][lines])
    served = np.unique(demand[used])
    worth[served] += c.demands["worth"][served]
    return worth
