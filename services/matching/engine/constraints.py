"""The constraints of the assignment problem, one function each, as rows over the flat vector.

Every function takes a `Layout` and returns `Rows`: sparse rows ``low <= sum coefficient * variable
<= high``. The numbers in the docstrings are those of the list in docs/engine.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching.engine.layout import Layout
from services.matching.engine.limits import IntArray

UNBOUNDED = 2**62


@dataclass(frozen=True, eq=False)
class Rows:
    """Sparse rows: entries (row, variable, coefficient), and low and high per row."""

    row: IntArray
    variable: IntArray
    coefficient: IntArray
    low: IntArray
    high: IntArray

    def broken(self, vector: IntArray) -> IntArray:
        """The rows that ``vector`` does not satisfy."""
        activity = np.zeros(len(self.low), dtype=np.int64)
        np.add.at(activity, self.row, self.coefficient * vector[self.variable])
        return np.flatnonzero((activity < self.low) | (activity > self.high))


Entry = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


def _rows(count: int, low: int, high: int | IntArray, *entries: Entry) -> Rows:
    """Rows from blocks of (row, variable, coefficient), each broadcast to the block's length."""
    blocks = [np.broadcast_arrays(*(np.atleast_1d(part) for part in entry)) for entry in entries]
    columns = [np.concatenate([b[i] for b in blocks]).astype(np.int64) for i in range(3)]
    lows, highs = np.full(count, low, dtype=np.int64), np.full(count, high, dtype=np.int64)
    return Rows(columns[0], columns[1], columns[2], lows, highs)


def _join(first: Rows, *others: Rows) -> Rows:
    """All rows one after another."""
    joined = first
    for rows in others:
        joined = Rows(
            np.concatenate([joined.row, rows.row + len(joined.low)]),
            np.concatenate([joined.variable, rows.variable]),
            np.concatenate([joined.coefficient, rows.coefficient]),
            np.concatenate([joined.low, rows.low]),
            np.concatenate([joined.high, rows.high]),
        )
    return joined


def capacity(v: Layout) -> Rows:
    """1. In each slot, what is taken is at most what is left there."""
    m = v.market
    return _rows(
        m.slots, 0, m.slot_capacity, (m.x_slot, np.arange(m.variables), m.pair_use[m.x_pair])
    )


def quantity(v: Layout) -> Rows:
    """2. A served line gets between its least part and all it wants, any other nothing."""
    m, lines, x = v.market, np.arange(v.market.lines), np.arange(v.market.variables)
    most = _rows(
        m.lines, -UNBOUNDED, 0, (v.of.x_line, x, 1), (lines, v.s + lines, -m.line_quantity)
    )
    least = _rows(m.lines, 0, UNBOUNDED, (v.of.x_line, x, 1), (lines, v.s + lines, -m.line_least))
    return _join(most, least)


def sourcing_partners(v: Layout) -> Rows:
    """3a. A line takes from at most so many offers; a pair that is not used carries nothing."""
    m, pairs, x = v.market, np.arange(v.market.pairs), np.arange(v.market.variables)
    limit = np.where(m.line_max_partners > 0, m.line_max_partners, UNBOUNDED)
    partners = _rows(m.lines, 0, limit, (m.pair_line, v.y + pairs, 1))
    used = _rows(m.pairs, -UNBOUNDED, 0, (m.x_pair, x, 1), (pairs, v.y + pairs, -v.of.pair_most))
    return _join(partners, used)


def least_share(v: Layout) -> Rows:
    """3b. Each partner of a line carries at least the line's least share, and at least one tick."""
    m, pairs, x = v.market, np.arange(v.market.pairs), np.arange(v.market.variables)
    share = np.maximum(m.line_least_share[m.pair_line], 1)
    return _rows(m.pairs, 0, UNBOUNDED, (m.x_pair, x, 1), (pairs, v.y + pairs, -share))


def minimum_order(v: Layout) -> Rows:
    """3c. A used pair carries at least the offer's minimum order."""
    m = v.market
    asked = np.flatnonzero(m.pair_min_order > 0)
    row = np.full(m.pairs, -1, dtype=np.int64)
    row[asked] = np.arange(len(asked))
    x = np.flatnonzero(m.pair_min_order[m.x_pair] > 0)
    entries = (np.arange(len(asked)), v.y + asked, -m.pair_min_order[asked])
    return _rows(len(asked), 0, UNBOUNDED, (row[m.x_pair[x]], x, 1), entries)


def bundle(v: Layout) -> Rows:
    """4a. A bundle is served whole or not at all; another demand when any line is served."""
    m, lines = v.market, np.arange(v.market.lines)
    demands = np.arange(m.demands)
    none = _rows(
        m.demands, -UNBOUNDED, 0, (demands, v.z + demands, 1), (m.line_demand, v.s + lines, -1)
    )
    high = np.zeros(m.lines, dtype=np.int64)
    each = _rows(m.lines, -1, high, (lines, v.s + lines, 1), (lines, v.z + m.line_demand, -1))
    each.low[m.bundle[m.line_demand] > 0] = 0
    return _join(none, each)


def sequence(v: Layout) -> Rows:
    """4b. The line after starts in a period after the last one of the line before.

    A monotone cut per precedence says from which period on `before` has ended: before may run only
    where the cut is 0, after only where it is 1. Outside a bundle, after is served only if before
    is.
    """
    m = v.market
    rules, cuts = np.arange(len(m.before_line)), np.arange(len(v.cut_rule))
    follows = _rows(
        len(rules), -1, 0, (rules, v.s + m.after_line, 1), (rules, v.s + m.before_line, -1)
    )
    same = np.flatnonzero(np.diff(v.cut_rule) == 0)
    rises = _rows(
        len(same),
        -1,
        0,
        (np.arange(len(same)), v.c + same, 1),
        (np.arange(len(same)), v.c + same + 1, -1),
    )
    row, x = _at_cuts(v, m.before_line)
    most = _reach(v, row, x, len(cuts))
    before = _rows(len(cuts), -UNBOUNDED, most, (row, x, 1), (cuts, v.c + cuts, most))
    row, x = _at_cuts(v, m.after_line)
    most = _reach(v, row, x, len(cuts))
    after = _rows(len(cuts), -UNBOUNDED, 0, (row, x, 1), (cuts, v.c + cuts, -most))
    return _join(follows, rises, before, after)


def _at_cuts(v: Layout, line_of_rule: IntArray) -> tuple[IntArray, IntArray]:
    """For each cut the x of the rule's line in the cut's period, as (cut, x) entries."""
    m = v.market
    period = m.slot_period[m.x_slot]
    rows: list[IntArray] = []
    xs: list[IntArray] = []
    for rule, line in enumerate(line_of_rule.tolist()):
        own = np.flatnonzero(v.of.x_line == line)
        first, last = np.searchsorted(v.cut_rule, [rule, rule + 1])
        rows.append(first + np.searchsorted(v.cut_period[first:last], period[own]))
        xs.append(own)
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(rows), np.concatenate(xs)


def _reach(v: Layout, row: IntArray, x: IntArray, count: int) -> IntArray:
    """The most that the x of each cut could carry together."""
    total = np.zeros(count, dtype=np.int64)
    np.add.at(total, row, v.of.x_upper[x])
    most = np.zeros(count, dtype=np.int64)
    np.maximum.at(most, row, v.market.line_quantity[v.of.x_line[x]])
    return np.minimum(total, most)


def budget(v: Layout) -> Rows:
    """5. What a demand pays (ticks, one-off costs, set-ups) is within its budget."""
    m = v.market
    asked = np.flatnonzero(m.budget >= 0)
    row = np.full(m.demands + 1, -1, dtype=np.int64)
    row[asked] = np.arange(len(asked))
    x = np.flatnonzero(row[v.of.x_demand] >= 0)
    pairs = np.flatnonzero(row[v.of.pair_demand] >= 0)
    groups = np.flatnonzero(row[v.of.setup_demand] >= 0)
    return _rows(
        len(asked),
        0,
        m.budget[asked],
        (row[v.of.x_demand[x]], x, m.pair_unit_cost[m.x_pair[x]]),
        (row[v.of.pair_demand[pairs]], v.y + pairs, m.pair_fixed_cost[pairs]),
        (row[v.of.setup_demand[groups]], v.g + groups, m.setup_cost[groups]),
    )


def minimum_run(v: Layout) -> Rows:
    """6a. An offer is used at least to its minimum run over the round, or not at all."""
    m, runs = v.market, np.arange(len(v.run_offers))
    row = np.full(m.offers, -1, dtype=np.int64)
    row[v.run_offers] = runs
    x = np.flatnonzero(row[v.of.x_offer] >= 0)
    reached = _rows(
        len(runs),
        0,
        UNBOUNDED,
        (row[v.of.x_offer[x]], x, 1),
        (runs, v.u + runs, -m.min_run[v.run_offers]),
    )
    pairs = np.flatnonzero(row[m.pair_offer] >= 0)
    count = np.arange(len(pairs))
    opened = _rows(
        len(pairs), -1, 0, (count, v.y + pairs, 1), (count, v.u + row[m.pair_offer[pairs]], -1)
    )
    return _join(reached, opened)


def setup_once(v: Layout) -> Rows:
    """6b. A set-up is paid once when any pair of (offer, demand) is used, and only then."""
    m, pairs, groups = v.market, np.arange(v.market.pairs), np.arange(v.market.setups)
    paid = _rows(m.pairs, -1, 0, (pairs, v.y + pairs, 1), (pairs, v.g + m.pair_setup, -1))
    needed = _rows(
        m.setups, -UNBOUNDED, 0, (groups, v.g + groups, 1), (m.pair_setup, v.y + pairs, -1)
    )
    return _join(paid, needed)


def pins(v: Layout) -> Rows:
    """7. What is pinned stays as it is."""
    m = v.market
    rows = _rows(len(m.pin_x), 0, m.pin_quantity, (np.arange(len(m.pin_x)), m.pin_x, 1))
    rows.low[:] = m.pin_quantity
    return rows


def concentration(v: Layout) -> Rows:
    """8. The pairs of a cap carry at most its limit together."""
    m = v.market
    order = np.argsort(m.x_pair, kind="stable")
    starts = np.searchsorted(m.x_pair[order], np.arange(m.pairs + 1))
    counts = np.diff(starts)[m.cap_pairs]
    offset = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    x = order[np.repeat(starts[m.cap_pairs], counts) + offset]
    return _rows(m.caps, 0, m.cap_limit, (np.repeat(v.of.cap_of, counts), x, 1))


Constraint = Callable[[Layout], Rows]

ALL: tuple[Constraint, ...] = (
    capacity,
    quantity,
    sourcing_partners,
    least_share,
    minimum_order,
    bundle,
    sequence,
    budget,
    minimum_run,
    setup_once,
    pins,
    concentration,
)
