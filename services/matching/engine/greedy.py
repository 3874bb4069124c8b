"""A feasible assignment in one sweep over the demands: hint for the search, and its fallback.

Demands are served one by one, the most valuable first, each from the offers with the best reduced
value (value less the price of the slot). Offers that end below their minimum run are closed, the
least filled first, and their demands are served again from what is left.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.fill import Filler, Plan
from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.objective import value
from services.matching.engine.prices import FloatArray


def greedy(market: Market, slot_price: FloatArray) -> IntArray | None:
    """The best ``quantity[X]`` of a few sweeps; None when pins must be kept.

    ``slot_price[S]`` (objective per tick) steers away from scarce slots; zeros are allowed.
    """
    if market.pin_quantity.any():
        return None
    best: IntArray | None = None
    best_value = 0
    for price in (slot_price, np.zeros(market.slots)):
        for by_tick in (True, False):
            quantity = _sweep(Filler(market, price), _order(market, price, by_tick))
            worth = value(market, quantity)
            if best is None or worth > best_value:
                best, best_value = quantity, worth
        if not slot_price.any():
            break
    return best


def _order(market: Market, price: FloatArray, by_tick: bool) -> list[int]:
    """Demands by the best reduced value they could reach, in total or per tick, ties by index."""
    of = indices(market)
    reduced = of.per_tick[market.x_pair] - price[market.x_slot] * market.pair_use[market.x_pair]
    best = np.full(market.lines, -np.inf)
    np.maximum.at(best, of.x_line, reduced)
    best[np.isinf(best)] = 0.0
    worth = of.per_demand.astype(float)
    np.add.at(worth, market.line_demand, best * market.line_quantity + of.per_line)
    if by_tick:
        ticks = np.zeros(market.demands)
        np.add.at(ticks, market.line_demand, market.line_quantity)
        worth = worth / np.maximum(ticks, 1)
    served = np.unique(of.pair_demand)
    return [int(d) for d in served[np.argsort(-worth[served], kind="stable")]]


def _sweep(filler: Filler, order: list[int]) -> IntArray:
    """Serve in order, close offers below their minimum run, and fill up what is left."""
    plans: dict[int, Plan] = {}
    _serve(filler, order, plans)
    while (offer := filler.emptiest_below_run()) is not None:
        filler.closed.add(offer)
        moved = [d for d in order if d in plans and filler.touches(plans[d], offer)]
        for demand in moved:
            filler.undo(plans.pop(demand))
        _serve(filler, [d for d in order if d not in plans], plans)
    filler.close_unopened()
    _serve(filler, [d for d in order if d not in plans], plans)
    quantity = np.zeros(filler.variables, dtype=np.int64)
    for plan in plans.values():
        for x, ticks in plan.ticks.items():
            quantity[x] = ticks
    return quantity


def _serve(filler: Filler, demands: list[int], plans: dict[int, Plan]) -> None:
    for demand in demands:
        plan = filler.plan(demand)
        if plan is not None:
            filler.apply(plan)
            plans[demand] = plan
