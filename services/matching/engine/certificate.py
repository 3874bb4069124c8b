"""Prices that prove a bound, and the bound they prove, in exact integer arithmetic.

For prices ``slot, cap, budget >= 0`` the Lagrangian function of the capacity, concentration and
budget rows bounds every feasible assignment from above (Geoffrion 1974, *Lagrangean relaxation for
integer programming*). What is left falls apart by demand, and each demand's best reduced value is
bounded by `reduced.best_lines`: one-off costs, least uses and limits of partners count there as far
as a concave bound can tell. Minimum runs and sequences are left out, which can only raise it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.reduced import Exact, best_lines, worth_of_pairs
from services.matching.engine.result import Certificate

DEFAULT_SCALE = 2**16


def certify(
    market: Market,
    slot_price: npt.NDArray[np.float64],
    cap_price: npt.NDArray[np.float64],
    budget_price: npt.NDArray[np.float64],
) -> Certificate:
    """Round real prices to integers and compute the bound that those integers prove.

    Any prices are safe: rounding moves the bound, never its validity.
    """
    of = indices(market)
    # No tick is worth more than the best weights together, so no higher price can help.
    most = float(max(1, np.abs(of.per_tick).max(initial=0)))
    most += float(np.abs(of.per_pair).max(initial=0) + np.abs(of.per_setup).max(initial=0))
    scale = DEFAULT_SCALE

    def rounded(prices: npt.NDArray[np.float64], ceiling: float) -> IntArray:
        clean = np.nan_to_num(prices, nan=0.0, posinf=0.0, neginf=0.0)
        return np.rint(np.clip(clean, 0.0, ceiling) * scale).astype(np.int64)

    slot = rounded(slot_price, min(most, 2.0**44))
    cap = rounded(cap_price, min(most, 2.0**44))
    budget = np.where(market.budget >= 0, rounded(budget_price, 2.0**20), 0)
    bound = prove(market, scale, slot, cap, budget)
    return Certificate(scale, slot, cap, budget, bound)


def prove(market: Market, scale: int, slot: IntArray, cap: IntArray, budget: IntArray) -> int:
    """The integer bound that the prices prove: nothing feasible is worth more."""
    of = indices(market)
    budget = np.where(market.budget >= 0, budget, 0)
    kind: type = np.int64 if _fits(market, of, scale, slot, cap, budget) else object
    slots: Exact = slot.astype(kind)
    caps: Exact = cap.astype(kind)
    total = int((slots * market.slot_capacity).sum()) + int((caps * market.cap_limit).sum())
    total += _demands(market, of, scale, kind, slots, caps, budget.astype(kind))
    return total // scale


def _fits(
    m: Market, of: Indices, scale: int, slot: IntArray, cap: IntArray, budget: IntArray
) -> bool:
    """Whether int64 holds every sum of the proof; Python's integers take over where it does not."""
    reach = float(of.x_upper.sum()) + float(m.slot_capacity.sum()) + float(m.cap_limit.sum())
    weights = (of.per_tick, of.per_pair, of.per_setup, of.per_line, of.per_demand)
    unit = float(scale) * sum(float(np.abs(w).max(initial=0)) for w in weights)
    unit += float(slot.max(initial=0)) * float(m.pair_use.max(initial=1)) + float(
        cap.max(initial=0)
    ) * max(1, m.caps)
    dearest = m.pair_unit_cost.max(initial=0) + m.pair_fixed_cost.max(initial=0)
    dearest += m.setup_cost.max(initial=0) + m.budget.max(initial=0)
    unit += float(budget.max(initial=0)) * float(dearest)
    count = m.pairs + m.setups + m.lines + m.demands
    return unit * (reach + count + 1) < 2.0**61


def _demands(
    m: Market, of: Indices, scale: int, kind: type, slot: Exact, cap: Exact, budget: Exact
) -> int:
    """The sum over demands of the best reduced value, scaled."""
    worth = worth_of_pairs(m, of, scale, kind, cap, budget)
    best, served = best_lines(m, of, scale, kind, slot, worth)
    bundle = m.bundle.astype(bool)
    counted = np.where(bundle[m.line_demand], best, np.maximum(best, 0))
    whole: Exact = np.zeros(m.demands, dtype=kind)
    np.add.at(whole, m.line_demand, np.where(served, counted, 0))
    gain: Exact = np.maximum(of.per_setup, 0).astype(kind) * scale
    rows = np.flatnonzero(of.setup_demand >= 0)
    np.add.at(whole, of.setup_demand[rows], gain[rows])
    whole = whole + of.per_demand.astype(kind) * scale + budget * np.maximum(m.budget, 0)
    lines = np.bincount(m.line_demand, minlength=m.demands)
    able = np.bincount(m.line_demand, weights=served, minlength=m.demands)
    possible = np.where(bundle, (able == lines) & (lines > 0), able > 0)
    return int(np.where(possible, np.maximum(whole, 0), 0).sum())
