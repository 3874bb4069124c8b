"""Prices that prove a bound, and the bound they prove, in exact integer arithmetic.

For prices ``slot, cap, budget >= 0`` the Lagrangian function of the capacity, concentration and
budget rows bounds every feasible assignment from above (Geoffrion 1974, *Lagrangean relaxation for
integer programming*). What is left falls apart by demand, and each demand's best reduced value is
bounded by `reduced.best_lines`: one-off costs, least uses and limits of partners count there as far
as a concave bound can tell. Prices per pair of offers with a minimum run make these count
(`running.py`), and sequences with them (`chaining.py`); without, both are left out, which can only
raise the bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.matching.engine.compact import compact
from services.matching.engine.exact import STRETCH, Whole, demands_bound
from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.reduced import Exact, best_lines, worth_of_pairs
from services.matching.engine.result import Certificate
from services.matching.engine.running import earn, new_load, runs_of

DEFAULT_SCALE = 2**16
# Above this many variables the bound is summed by compiled loops.
LARGEST_ARRAYS = 20_000


class Integers(NamedTuple):
    """Prices as integers over a certificate's scale."""

    slot: IntArray  # [S]
    cap: IntArray  # [C]
    budget: IntArray  # [D]
    pair: IntArray | None  # [P]


def certify(
    market: Market,
    slot_price: npt.NDArray[np.float64],
    cap_price: npt.NDArray[np.float64],
    budget_price: npt.NDArray[np.float64],
    pair_price: npt.NDArray[np.float64] | None = None,
) -> Certificate:
    """Round real prices to integers and compute the bound that those integers prove.

    Any prices are safe: rounding moves the bound, never its validity. Without prices per pair,
    minimum runs and sequences do not count.
    """
    prices = in_integers(market, slot_price, cap_price, budget_price, pair_price)
    return certificate_of(prices, scaled_bound(market, DEFAULT_SCALE, *prices))


def certificate_of(prices: Integers, total: int) -> Certificate:
    """Prices over `DEFAULT_SCALE` and the scaled sum that they prove."""
    bound = total // DEFAULT_SCALE
    return Certificate(
        DEFAULT_SCALE, prices.slot, prices.cap, prices.budget, bound, pair_price=prices.pair
    )


def in_integers(
    market: Market,
    slot_price: npt.NDArray[np.float64],
    cap_price: npt.NDArray[np.float64],
    budget_price: npt.NDArray[np.float64],
    pair_price: npt.NDArray[np.float64] | None = None,
) -> Integers:
    """Real prices rounded to integers over `DEFAULT_SCALE`.

    Prices per pair are left out where int64 would not hold their sums.
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
    pair: IntArray | None = None
    if pair_price is not None:
        clean = np.clip(np.nan_to_num(pair_price), -(2.0**44), 2.0**44)
        clean[market.min_run[market.pair_offer] == 0] = 0.0
        pair = np.rint(clean * scale).astype(np.int64)
        if not _fits_each(market, of, scale, slot, cap, budget, pair):
            pair = None
    return Integers(slot, cap, budget, pair)


def prove(
    market: Market,
    scale: int,
    slot: IntArray,
    cap: IntArray,
    budget: IntArray,
    pair: IntArray | None = None,
) -> int:
    """The integer bound that the prices prove: nothing feasible is worth more.

    Raises:
        OverflowError: there are prices per ``pair``, and int64 does not hold their sums.
    """
    return scaled_bound(market, scale, slot, cap, budget, pair) // scale


def scaled_bound(
    market: Market,
    scale: int,
    slot: IntArray,
    cap: IntArray,
    budget: IntArray,
    pair: IntArray | None = None,
) -> int:
    """The same, not divided by ``scale`` yet.

    Raises:
        OverflowError: there are prices per ``pair``, and int64 does not hold their sums.
    """
    of = indices(market)
    budget = np.where(market.budget >= 0, budget, 0)
    fits = market.variables > LARGEST_ARRAYS or pair is not None
    fits = fits and _fits_each(market, of, scale, slot, cap, budget, pair)
    if pair is not None and not fits:
        raise OverflowError("pair_price times capacities exceeds int64: use none, or a lower scale")
    if fits:
        return _prove_compiled(market, scale, slot, cap, budget, pair)
    kind: type = np.int64 if _fits(market, of, scale, slot, cap, budget) else object
    slots: Exact = slot.astype(kind)
    caps: Exact = cap.astype(kind)
    total = int((slots * market.slot_capacity).sum()) + int((caps * market.cap_limit).sum())
    total += _demands(market, of, scale, kind, slots, caps, budget.astype(kind))
    return total


def _prove_compiled(
    market: Market,
    scale: int,
    slot: IntArray,
    cap: IntArray,
    budget: IntArray,
    pair: IntArray | None,
) -> int:
    """The same in compiled loops: arrays of all pairs and slots sorted anew are too slow there."""
    sorting = compact(market)
    own = np.zeros(market.pairs, dtype=np.int64) if pair is None else pair[sorting.pair]
    total = _dot(slot, market.slot_capacity) + _dot(cap, market.cap_limit)
    if pair is not None and pair.any():
        runs = runs_of(market, sorting.rows)
        each = np.zeros(len(runs.need), dtype=np.int64)
        earn(runs, own, np.zeros(market.pairs, dtype=np.int64), new_load(runs), each)
        total += sum(each.tolist())
    prices = Whole(slot, cap, budget, own, int(pair is not None))
    total += demands_bound(sorting.rows, prices, market.slot_capacity, scale)
    return total


def _dot(price: IntArray, amount: IntArray) -> int:
    """Their inner product, in high and low halves so that no sum can overflow."""
    high, low = amount >> 20, amount & (2**20 - 1)
    fits = float(price.max(initial=0)) * float(max(high.max(initial=0), 2**20)) * len(price) < 2**62
    if not fits:
        return sum(p * a for p, a in zip(price.tolist(), amount.tolist(), strict=True))
    return (int((price * high).sum()) << 20) + int((price * low).sum())


def _fits_each(
    m: Market,
    of: Indices,
    scale: int,
    slot: IntArray,
    cap: IntArray,
    budget: IntArray,
    pair: IntArray | None,
) -> bool:
    """Whether int64 holds the proof's sums over some demands, and what any one offer earns."""
    beta, shared = float(budget.max(initial=0)), float(np.bincount(m.cap_pairs).max(initial=0))
    tick = scale * _most(of.per_tick) + beta * _most(m.pair_unit_cost)
    dearest = 0.0 if pair is None else _most(pair)
    tick += (float(slot.max(initial=0)) + dearest) * _most(m.pair_use)
    tick += float(cap.max(initial=0)) * shared
    once = scale * (_most(of.per_pair) + _most(of.per_setup))
    once += beta * (_most(m.pair_fixed_cost) + _most(m.setup_cost))
    demand = scale * _most(of.per_demand) + beta * _most(m.budget)
    lines = float(np.bincount(m.line_demand).max(initial=1))
    pairs = float(np.bincount(of.pair_demand).max(initial=1))
    each = demand + lines * scale * _most(of.per_line) + 2 * pairs * once
    each += tick * lines * _most(m.line_quantity)
    offered = np.bincount(m.slot_offer, weights=m.slot_capacity, minlength=1).max()
    return max(each * STRETCH, once * _most(of.pair_most), dearest * float(offered)) < 2.0**61


def _most(values: IntArray) -> float:
    return float(np.abs(values).max(initial=0))


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
