"""The best reduced value of every line at given prices, bounded from above in exact integers.

A pair is worth nothing below its least use and pays its one-off costs when used, so what it adds
is bounded by the least concave function above it: its best average first, then what each further
tick adds. A line fills up with the best of its pairs' ticks, and can't beat the best pairs alone
that its limit of partners allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.engine.indices import Indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market

# int64 where it holds every sum of the proof, Python's integers (dtype object) where it does not.
Exact = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Worth:
    """Scaled worth of a pair's tick before its slot's price, and what using the pair costs once."""

    tick: Exact  # [P]
    once: Exact  # [P] negative where using the pair brings a gain


@dataclass(frozen=True, eq=False)
class _Ticks:
    """Variables in order of pair and falling value, and the range that each fills of its pair."""

    x: IntArray
    value: Exact
    before: IntArray
    room: IntArray


def worth_of_pairs(
    m: Market, of: Indices, scale: int, kind: type, cap: Exact, budget: Exact
) -> Worth:
    """Values after caps and budgets; a set-up's cost is shared by its pairs by size."""
    per_demand = budget[of.pair_demand]
    charged: Exact = np.zeros(m.pairs, dtype=kind)
    np.add.at(charged, m.cap_pairs, cap[of.cap_of])
    tick = of.per_tick.astype(kind) * scale - per_demand * m.pair_unit_cost - charged
    group: Exact = -np.minimum(of.per_setup, 0).astype(kind) * scale
    group = group + np.where(of.setup_demand >= 0, budget[of.setup_demand], 0) * m.setup_cost
    shared = np.maximum(setup_most(m, of), 1)[m.pair_setup]
    # Rounded down: together the pairs never pay more than the set-up costs.
    part = group[m.pair_setup] * of.pair_most // shared
    return Worth(tick, part + per_demand * m.pair_fixed_cost - of.per_pair.astype(kind) * scale)


def setup_most(m: Market, of: Indices) -> IntArray:
    """Per set-up group the most ticks that its pairs could carry."""
    shared = np.zeros(m.setups, dtype=np.int64)
    np.add.at(shared, m.pair_setup, of.pair_most)
    return shared


def least_use(m: Market, of: Indices) -> IntArray:
    """Per pair the least that a feasible use carries: what its line's other partners can't."""
    largest = np.zeros(m.lines, dtype=np.int64)
    np.maximum.at(largest, m.pair_line, of.pair_most)
    pairs = np.bincount(m.pair_line, minlength=m.lines)
    partners = np.where(m.line_max_partners > 0, np.minimum(m.line_max_partners, pairs), pairs)
    rest = m.line_least - np.maximum(partners - 1, 0) * largest
    least: IntArray = np.maximum(of.pair_least, rest[m.pair_line])
    return least


def best_lines(
    m: Market, of: Indices, scale: int, kind: type, slot: Exact, worth: Worth
) -> tuple[Exact, Mask]:
    """Per line an upper bound on its reduced value when served, and whether it can be served."""
    least = least_use(m, of)
    usable = of.pair_most >= least
    ticks = _ticks(m, of, worth.tick[m.x_pair] - slot[m.x_slot] * m.pair_use[m.x_pair])
    average, first, alone = _pairs(m, ticks, worth.once, least, usable, kind)
    later = ticks.room - np.clip(first[m.x_pair[ticks.x]] - ticks.before, 0, ticks.room)
    own = np.flatnonzero(usable)
    filled = _fill(
        m,
        np.concatenate([m.pair_line[own], of.x_line[ticks.x]]),
        np.concatenate([average[own], ticks.value]),
        np.concatenate([first[own], np.where(usable[m.x_pair[ticks.x]], later, 0)]),
        kind,
    )
    base: Exact = of.per_line.astype(kind) * scale
    served = _partner_sum(m, np.where(usable, of.pair_most, 0), np.int64) >= m.line_least
    limited = m.line_max_partners > 0
    best = np.where(limited, np.minimum(filled, _best_partners(m, alone, usable, kind)), filled)
    return best + base, served


def _ticks(m: Market, of: Indices, value: Exact) -> _Ticks:
    # Of equal values the roomiest first: where a pair's best average is first reached hangs on it.
    order = np.argsort(-of.x_upper, kind="stable")
    order = order[np.argsort(-value[order], kind="stable")]
    order = order[np.argsort(m.x_pair[order], kind="stable")]
    pair, upper = m.x_pair[order], of.x_upper[order]
    before = np.cumsum(upper) - upper
    if len(order):
        before = before - before[np.searchsorted(pair, np.arange(m.pairs))[pair]]
    before = np.minimum(before, m.line_quantity[m.pair_line[pair]])
    room = np.minimum(upper, m.line_quantity[m.pair_line[pair]] - before)
    return _Ticks(order, value[order], before, room)


def _pairs(
    m: Market, ticks: _Ticks, once: Exact, least: IntArray, usable: Mask, kind: type
) -> tuple[Exact, IntArray, Exact]:
    """Per pair its best average (rounded up), the fewest ticks that reach it, its best total."""
    pair = m.x_pair[ticks.x]
    total: Exact = np.cumsum(ticks.value * ticks.room)
    if len(pair):
        starts = np.searchsorted(pair, np.arange(m.pairs))[pair]
        total = total - (total[starts] - (ticks.value * ticks.room)[starts])
    at_least: Exact = np.zeros(m.pairs, dtype=kind)
    np.add.at(at_least, pair, ticks.value * np.clip(least[pair] - ticks.before, 0, ticks.room))
    reach = ticks.before + ticks.room
    valid = np.flatnonzero((ticks.room > 0) & (reach >= least[pair]) & usable[pair])
    own = np.flatnonzero(usable)
    owner = np.concatenate([own, pair[valid]])
    size = np.concatenate([least[own], reach[valid]])
    gain = np.concatenate([at_least[own], total[valid]]) - once[owner]
    mean = -(-gain // size)
    average: Exact = np.zeros(m.pairs, dtype=kind)
    alone: Exact = np.zeros(m.pairs, dtype=kind)
    first: IntArray = np.zeros(m.pairs, dtype=np.int64)
    # The pair's own first candidate stands at its place before the others are compared.
    average[own], alone[own] = mean[: len(own)], gain[: len(own)]
    np.maximum.at(average, owner, mean)
    np.maximum.at(alone, owner, gain)
    first[own] = np.iinfo(np.int64).max
    reached = mean == average[owner]
    np.minimum.at(first, owner[reached], size[reached])
    return average, first, alone


def _fill(m: Market, line: IntArray, rate: Exact, size: IntArray, kind: type) -> Exact:
    """Each line filled with the best rates: its least part at any rate, then only what gains."""
    order = np.argsort(-rate, kind="stable")
    order = order[np.argsort(line[order], kind="stable")]
    line, rate, size = line[order], rate[order], size[order]
    before = np.cumsum(size) - size
    if len(order):
        before = before - before[np.searchsorted(line, np.arange(m.lines))[line]]
    wanted = np.where(rate > 0, m.line_quantity[line], m.line_least[line])
    best: Exact = np.zeros(m.lines, dtype=kind)
    np.add.at(best, line, rate * np.clip(wanted - before, 0, size))
    return best


def _best_partners(m: Market, alone: Exact, usable: Mask, kind: type) -> Exact:
    """Per line the best pair alone, and those that gain next to it, up to its limit."""
    own = np.flatnonzero(usable)
    order = own[np.argsort(-alone[own], kind="stable")]
    order = order[np.argsort(m.pair_line[order], kind="stable")]
    line, gain = m.pair_line[order], alone[order]
    rank = np.arange(len(order))
    if len(order):
        rank = rank - np.searchsorted(line, np.arange(m.lines))[line]
    counted = np.where(rank == 0, gain, np.where(gain > 0, gain, 0))
    total: Exact = np.zeros(m.lines, dtype=kind)
    np.add.at(total, line, np.where(rank < _partners(m)[line], counted, 0))
    return total


def _partner_sum(m: Market, size: IntArray, kind: type) -> Exact:
    """Per line the sum of its largest sizes, as many as it may have partners."""
    order = np.lexsort((-size, m.pair_line))
    line = m.pair_line[order]
    rank = np.arange(m.pairs)
    if len(order):
        rank = rank - np.searchsorted(line, np.arange(m.lines))[line]
    total: Exact = np.zeros(m.lines, dtype=kind)
    np.add.at(total, line, np.where(rank < _partners(m)[line], size[order], 0))
    return total


def _partners(m: Market) -> IntArray:
    return np.where(m.line_max_partners > 0, m.line_max_partners, m.pairs)
