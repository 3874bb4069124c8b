"""A small market served better from what it is now, by a short walk of ruin and recreate.

For a handful of demands around a change this finds in milliseconds what a model takes ten times as
long for; see `recreate.py` for the walk.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.compact import by_price, compact
from services.matching.engine.desk import loaded_state
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.recreate import new_memory, walk
from services.matching.engine.serving import FloatArray, new_desk

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
    state = loaded_state(market, sorting, quantity)
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
