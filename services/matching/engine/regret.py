"""How far each demand stays below what it could be worth at given prices."""

from __future__ import annotations

import numpy as np

from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.prices import FloatArray, Prices
from services.matching.engine.reduced import best_lines, worth_of_pairs


def regrets(market: Market, prices: Prices, quantity: IntArray) -> FloatArray:
    """Per demand its part of the gap between bound and value, in the objective's unit.

    What remains of the gap is the price of capacity that ``quantity[X]`` leaves idle. A guide for
    the search only, so real numbers will do.
    """
    m, of = market, indices(market)
    worth = worth_of_pairs(m, of, 1, np.float64, prices.cap, prices.budget)
    best, served = best_lines(m, of, 1, np.float64, prices.slot, worth)
    used = np.zeros(m.pairs, dtype=bool)
    used[m.x_pair[quantity > 0]] = True
    reached = np.zeros(m.lines)
    charged = prices.slot[m.x_slot] * m.pair_use[m.x_pair]
    np.add.at(reached, of.x_line, (worth.tick[m.x_pair] - charged) * quantity)
    np.add.at(reached, m.pair_line, -worth.once * used)
    lines = np.zeros(m.lines, dtype=bool)
    lines[m.pair_line[used]] = True
    missed = np.where(served, np.maximum(best, 0.0), 0.0) - reached - of.per_line * lines
    total = np.zeros(m.demands)
    np.add.at(total, m.line_demand, missed)
    return total
