"""Prices of whole demands that prove a bound, rounded to integers, and the bound they prove.

The rows "a demand is done once at most" are relaxed at a price per demand; each slot then packs the
demands that are worth most after that, a 0/1 knapsack solved exactly in integers where its table is
small, else bounded by its fractional relaxation:

    B(y) = sum of y_d + sum over slots of max { sum (w_p - y_d) : sum of use <= C_t }

`verify` counts it again with code of its own (`whole_proof`).
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.certificate import DEFAULT_SCALE, prove
from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.result import Certificate
from services.matching.engine.whole.jobs import able_pairs, pair_worth
from services.matching.engine.whole.knapsack import FloatArray

# Cells of a knapsack's table up to which it is solved exactly; `whole_proof` keeps the same rule.
MOST_EXACT = 2**22


def certify_whole(market: Market, slot_price: FloatArray, demand_price: FloatArray) -> Certificate:
    """Round prices down to integers over a scale that keeps all sums inside int64."""
    scale, demand = rounded(market, demand_price)
    slot = np.rint(np.maximum(slot_price, 0.0) * scale).astype(np.int64)
    cap, budget = np.zeros(market.caps, np.int64), np.zeros(market.demands, np.int64)
    bound = min(prove(market, scale, slot, cap, budget), packed_bound(market, scale, demand))
    return Certificate(scale, slot, cap, budget, bound, demand)


def rounded(market: Market, demand_price: FloatArray) -> tuple[int, IntArray]:
    """The scale, and the demands' prices over it."""
    worth = pair_worth(market, indices(market))
    largest = float(np.abs(worth).max(initial=1)) + float(np.abs(demand_price).max(initial=0.0))
    scale = DEFAULT_SCALE
    while scale > 1 and largest * scale * (market.demands + market.pairs + 1) > 2.0**61:
        scale //= 2
    return scale, np.rint(np.maximum(demand_price, 0.0) * scale).astype(np.int64)


def packed_bound(market: Market, scale: int, demand: IntArray) -> int:
    """The integer bound that ``demand[D]`` over ``scale`` proves for a market of whole demands."""
    m, of = market, indices(market)
    able = able_pairs(m, of)[m.x_pair]
    gain = pair_worth(m, of)[m.x_pair] * scale - demand[of.x_demand]
    size = (m.pair_use * m.line_quantity[m.pair_line])[m.x_pair]
    kept = np.flatnonzero(able & (gain > 0))
    order = kept[np.argsort(m.x_slot[kept], kind="stable")]
    starts = np.searchsorted(m.x_slot[order], np.arange(m.slots + 1))
    total = int(demand.sum())
    for slot, capacity in enumerate(m.slot_capacity.tolist()):
        own = order[starts[slot] : starts[slot + 1]]
        total += _packed(gain[own], size[own], capacity)
    return total // scale


def _packed(gain: IntArray, size: IntArray, capacity: int) -> int:
    """The most that fits, or a bound on it."""
    if int(size.sum()) <= capacity:
        return int(gain.sum())
    if len(gain) * (capacity + 1) <= MOST_EXACT:
        best = np.zeros(capacity + 1, dtype=np.int64)
        for value, ticks in zip(gain.tolist(), size.tolist(), strict=True):
            best[ticks:] = np.maximum(best[ticks:], best[: capacity + 1 - ticks] + value)
        return int(best[-1])
    order = np.argsort(-(gain // size), kind="stable")
    held = np.cumsum(size[order])
    # Any price of capacity bounds the knapsack: the rate of the item that no longer fits.
    last = order[int(np.searchsorted(held, capacity, side="right"))]
    value, ticks = int(gain[last]), int(size[last])
    above = np.maximum(gain.astype(object) * ticks - size.astype(object) * value, 0)
    return -(-(value * capacity + int(above.sum())) // ticks)
