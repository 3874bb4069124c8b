"""A feasible assignment from one that only keeps to the capacities.

What breaks a rule of its pair or line is taken out in bulk; the lines that lost all of theirs are
served again, one by one, from what is left.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.fill import Filler
from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.prices import FloatArray


def repaired(market: Market, quantity: IntArray, slot_price: FloatArray) -> IntArray:
    """A feasible ``quantity[X]`` near the one given; for markets that are a transport problem."""
    of = indices(market)
    kept = _without_breaches(market, of, quantity)
    served = np.zeros(market.demands, dtype=bool)
    served[of.x_demand[kept > 0]] = True
    waiting = np.setdiff1d(np.unique(of.pair_demand), np.flatnonzero(served))
    if not len(waiting):
        return kept
    filler = Filler(market, slot_price)
    filler.take(kept)
    for demand in waiting.tolist():
        plan = filler.plan(demand)
        if plan is not None:
            filler.apply(plan)
            for x, ticks in plan.ticks.items():
                kept[x] = ticks
    return kept


def _without_breaches(m: Market, of: Indices, quantity: IntArray) -> IntArray:
    """Pairs below their least use, beyond the limit of partners or at a loss, and short lines."""
    kept = quantity.copy()
    pair = _sum(m.x_pair, kept, m.pairs)
    drop = pair < of.pair_least
    # With what it pays at once, a pair must be worth its while on its own.
    drop |= of.per_tick * pair + of.per_pair + of.per_setup[m.pair_setup] < 0
    pair[drop] = 0
    order = np.lexsort((-pair, m.pair_line))
    line = m.pair_line[order]
    rank = np.arange(m.pairs) - np.searchsorted(line, np.arange(m.lines))[line]
    limit = np.where(m.line_max_partners > 0, m.line_max_partners, m.pairs)
    drop[order[rank >= limit[line]]] = True
    kept[drop[m.x_pair]] = 0
    short = _sum(of.x_line, kept, m.lines) < m.line_least
    kept[short[of.x_line]] = 0
    return kept


def _sum(keys: IntArray, values: IntArray, size: int) -> IntArray:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, keys, values)
    return total
