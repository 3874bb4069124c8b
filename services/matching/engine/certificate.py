"""Prices that prove a bound, and the bound they prove, in exact integer arithmetic.

For prices ``slot, cap, budget >= 0`` the Lagrangian function of the capacity, concentration and
budget rows bounds every feasible assignment from above (Geoffrion 1974, *Lagrangean relaxation for
integer programming*). What is left falls apart by demand, and each demand's best reduced value is
bounded by filling its lines with the best reduced ticks first. One-off costs are spread over the
most ticks that could share them, which can only raise the bound. Minimum runs, least shares,
minimum orders and sequences are left out, which can only raise it too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.result import Certificate

DEFAULT_SCALE = 2**16

# int64 where it holds every sum, Python's integers (dtype object) where it does not.
Exact = npt.NDArray[Any]


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
    unit += float(slot.max(initial=0)) + float(cap.max(initial=0)) * max(1, m.caps)
    dearest = m.pair_unit_cost.max(initial=0) + m.pair_fixed_cost.max(initial=0)
    dearest += m.setup_cost.max(initial=0) + m.budget.max(initial=0)
    unit += float(budget.max(initial=0)) * float(dearest)
    count = m.pairs + m.setups + m.lines + m.demands
    return unit * (reach + count + 1) < 2.0**61


def _demands(
    m: Market, of: Indices, scale: int, kind: type, slot: Exact, cap: Exact, budget: Exact
) -> int:
    """The sum over demands of the best reduced value, scaled."""
    best, served = _lines(m, of, scale, kind, slot, cap, budget)
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


def _lines(
    m: Market, of: Indices, scale: int, kind: type, slot: Exact, cap: Exact, budget: Exact
) -> tuple[Exact, npt.NDArray[np.bool_]]:
    """Per line the best reduced value when served, and whether it can be served at all."""
    reduced = reduced_pairs(m, of, scale, kind, cap, budget)[m.x_pair] - slot[m.x_slot]
    order = np.argsort(-reduced, kind="stable")
    order = order[np.argsort(of.x_line[order], kind="stable")]
    line, upper = of.x_line[order], of.x_upper[order]
    before = np.cumsum(upper) - upper
    starts = np.searchsorted(line, np.arange(m.lines))
    before = before - (before[starts[line]] if len(line) else before)
    # The least part must be taken at any price; beyond it only what gains.
    wanted = np.where(reduced[order] > 0, m.line_quantity[line], m.line_least[line])
    take = np.clip(wanted - before, 0, upper)
    best: Exact = of.per_line.astype(kind) * scale
    np.add.at(best, line, reduced[order] * take)
    np.add.at(best, np.arange(m.lines), _pair_gains(m, of, kind) * scale)
    room = np.zeros(m.lines, dtype=np.int64)
    np.add.at(room, of.x_line, of.x_upper)
    return best, room >= m.line_least


def reduced_pairs(
    m: Market, of: Indices, scale: int, kind: type, cap: Exact, budget: Exact
) -> Exact:
    """Reduced value of one tick of each pair before its slot's price, scaled, rounded up.

    Costs that fall once are spread over the most ticks that could share them: x <= most * y.
    """
    per_demand = budget[of.pair_demand]
    once = -np.minimum(of.per_pair, 0).astype(kind) * scale + per_demand * m.pair_fixed_cost
    by_group: Exact = -np.minimum(of.per_setup, 0).astype(kind) * scale
    by_group = by_group + np.where(of.setup_demand >= 0, budget[of.setup_demand], 0) * m.setup_cost
    shared = np.zeros(m.setups, dtype=np.int64)
    np.add.at(shared, m.pair_setup, of.pair_most)
    value: Exact = of.per_tick.astype(kind) * scale - per_demand * m.pair_unit_cost
    value = value - once // np.maximum(of.pair_most, 1)
    value = value - (by_group // np.maximum(shared, 1))[m.pair_setup]
    charged: Exact = np.zeros(m.pairs, dtype=kind)
    np.add.at(charged, m.cap_pairs, cap[of.cap_of])
    return value - charged


def _pair_gains(m: Market, of: Indices, kind: type) -> Exact:
    """Per line the one-off gains of its best pairs, as many as it may have partners."""
    gains = np.maximum(of.per_pair, 0)
    order = np.lexsort((-gains, m.pair_line))
    line = m.pair_line[order]
    starts = np.searchsorted(line, np.arange(m.lines))
    rank = np.arange(m.pairs) - (starts[line] if len(line) else 0)
    allowed = np.where(m.line_max_partners > 0, m.line_max_partners, m.pairs)[line]
    total: Exact = np.zeros(m.lines, dtype=kind)
    np.add.at(total, line, np.where(rank < allowed, gains[order], 0).astype(kind))
    return total
