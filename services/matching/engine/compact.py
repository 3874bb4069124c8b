"""A market as rows that lie side by side: what compiled loops walk over.

Demands hold a range of lines, lines a range of pairs, pairs a range of variables; all three are
sorted, so that serving, undoing or pricing one demand touches one stretch of memory. Rows are
records (one table per kind) and not columns, because a loop reads several fields of a row at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.reduced import least_use

Rows = npt.NDArray[Any]

DEMAND = np.dtype([("line0", "i8"), ("bundle", "i8"), ("budget", "i8"), ("worth", "i8")])
LINE = np.dtype(
    [
        ("pair0", "i8"),
        ("before0", "i8"),  # range in `before`: lines that must end before
        ("demand", "i8"),
        ("most", "i8"),  # ticks wanted
        ("least", "i8"),
        ("partners", "i8"),  # 0 any number
        ("worth", "i8"),
        ("leads", "i8"),  # 1 when other lines wait for its end
        ("next", "i8"),  # the line that follows it in its chain, -1 none
        ("head", "i8"),  # 1 when it follows none in its chain
    ]
)
PAIR = np.dtype(
    [
        ("x0", "i8"),
        ("cap0", "i8"),  # range in `cap`
        ("line", "i8"),
        ("offer", "i8"),
        ("group", "i8"),
        ("use", "i8"),  # slot ticks per tick
        ("least", "i8"),  # the smallest use of the pair
        ("start", "i8"),  # the smallest use that the line's other partners leave possible
        ("most", "i8"),
        ("tick", "i8"),  # worth per tick
        ("once", "i8"),  # worth once
        ("unit", "i8"),  # cost per tick
        ("fixed", "i8"),  # cost once
    ]
)
VARIABLE = np.dtype([("slot", "i4"), ("period", "i4"), ("frozen", "i4")])  # frozen: 1 when pinned
OFFER = np.dtype([("pair0", "i8"), ("run", "i8")])  # range in `offer_pair`; minimum run
GROUP = np.dtype([("cost", "i8"), ("worth", "i8"), ("most", "i8")])  # most: of its pairs together


class Compact(NamedTuple):
    """Sorted rows; those with a range have one row more, where the last range ends.

    Demands, offers, slots, caps and groups keep their numbers.
    """

    demands: Rows
    lines: Rows
    pairs: Rows
    xs: Rows
    offers: Rows
    groups: Rows
    offer_pair: IntArray  # pairs by offer
    cap: IntArray  # caps by pair
    before: IntArray  # lines by the line that comes after


@dataclass(frozen=True, eq=False)
class Sorting:
    """The rows of a market, sorted, and the market's row of each line, pair and variable."""

    rows: Compact
    line: IntArray
    pair: IntArray
    x: IntArray


_KEPT: WeakKeyDictionary[Market, Sorting] = WeakKeyDictionary()


def compact(market: Market, *, keep: bool = False) -> Sorting:
    """Sort the rows of ``market``; ``keep`` them for later calls as long as the market is there."""
    found = _KEPT.get(market)
    if found is None:
        found = _compact(market)
    if keep:
        _KEPT[market] = found
    return found


def _compact(market: Market) -> Sorting:
    m, of = market, indices(market)
    lines = np.lexsort((_depth(m), m.line_demand))
    line_at = _inverse(lines)
    pairs = _sorted(line_at[m.pair_line], m.pair_offer)
    pair_at = _inverse(pairs)
    xs = _sorted(pair_at[m.x_pair], m.slot_period[m.x_slot])
    pair_line = line_at[m.pair_line[pairs]]
    rules = np.argsort(line_at[m.after_line], kind="stable")
    leads = np.zeros(m.lines, dtype=np.int64)
    leads[line_at[m.before_line]] = 1
    follows = chains(m)
    heads = np.ones(m.lines, dtype=np.int64)
    heads[follows[follows >= 0]] = 0
    capped = np.argsort(pair_at[m.cap_pairs], kind="stable")
    group_most = np.zeros(m.setups, dtype=np.int64)
    np.add.at(group_most, m.pair_setup, of.pair_most)
    frozen = np.zeros(m.variables, dtype=np.int64)
    frozen[m.pin_x] = 1
    offer = m.pair_offer[pairs]
    by_offer = np.argsort(offer, kind="stable")
    rows = Compact(
        _table(
            DEMAND,
            m.demands,
            line0=_ranges(m.line_demand[lines], m.demands),
            bundle=m.bundle,
            budget=m.budget,
            worth=of.per_demand,
        ),
        _table(
            LINE,
            m.lines,
            pair0=_ranges(pair_line, m.lines),
            before0=_ranges(line_at[m.after_line[rules]], m.lines),
            demand=m.line_demand[lines],
            most=m.line_quantity[lines],
            least=m.line_least[lines],
            partners=m.line_max_partners[lines],
            worth=of.per_line[lines],
            leads=leads,
            next=np.where(follows >= 0, line_at[follows], -1)[lines],
            head=heads[lines],
        ),
        _table(
            PAIR,
            m.pairs,
            x0=_ranges(pair_at[m.x_pair[xs]], m.pairs),
            cap0=_ranges(pair_at[m.cap_pairs[capped]], m.pairs),
            line=pair_line,
            offer=offer,
            group=m.pair_setup[pairs],
            use=m.pair_use[pairs],
            least=of.pair_least[pairs],
            start=least_use(m, of)[pairs],
            most=of.pair_most[pairs],
            tick=of.per_tick[pairs],
            once=of.per_pair[pairs],
            unit=m.pair_unit_cost[pairs],
            fixed=m.pair_fixed_cost[pairs],
        ),
        _table(
            VARIABLE,
            m.variables,
            slot=m.x_slot[xs],
            period=m.slot_period[m.x_slot[xs]],
            frozen=frozen[xs],
        ),
        _table(OFFER, m.offers, pair0=_ranges(offer[by_offer], m.offers), run=m.min_run),
        _table(GROUP, m.setups, cost=m.setup_cost, worth=of.per_setup, most=group_most),
        by_offer,
        of.cap_of[capped],
        line_at[m.before_line[rules]],
    )
    return Sorting(rows, lines, pairs, xs)


def by_price(sorting: Sorting, price: npt.NDArray[np.float64]) -> Sorting:
    """The same with each pair's variables in the order of their slots' ``price[S]``.

    Those of lines that others wait for stay in the order of their periods.
    """
    c = sorting.rows
    pair = np.repeat(np.arange(len(c.pairs) - 1), np.diff(c.pairs["x0"]))
    waits = c.lines["leads"][c.pairs["line"][pair]] > 0
    order = np.lexsort((np.where(waits, 0.0, price[c.xs["slot"][:-1]]), pair))
    xs = c.xs.copy()
    xs[:-1] = xs[order]
    return Sorting(c._replace(xs=xs), sorting.line, sorting.pair, sorting.x[order])


def chains(market: Market) -> IntArray:
    """``next[L]``: the line that starts after each line, -1 none; where rules branch, the first.

    Of the rules that share the line before or the line after, only the first is kept, so that what
    is left are chains; to leave a rule out can only raise a bound.
    """
    follows = np.full(market.lines, -1, dtype=np.int64)
    taken: set[int] = set()
    for before, after in zip(market.before_line.tolist(), market.after_line.tolist(), strict=True):
        if follows[before] < 0 and after not in taken:
            follows[before] = after
            taken.add(after)
    return follows


def _table(kind: np.dtype[Any], count: int, **columns: IntArray) -> Rows:
    """Rows of one kind from their columns, and a last one for the ends of ranges."""
    rows = np.zeros(count + 1, dtype=kind)
    for name, values in columns.items():
        rows[name][: len(values)] = values
    return rows


def _sorted(first: IntArray, second: IntArray) -> IntArray:
    """The order by two keys; markets are most often sorted already, which is quick to see."""
    step = np.diff(first)
    if bool(((step > 0) | ((step == 0) & (np.diff(second) >= 0))).all()):
        return np.arange(len(first), dtype=np.int64)
    return np.lexsort((second, first)).astype(np.int64)


def _ranges(sorted_keys: IntArray, count: int) -> IntArray:
    """Where each of ``count`` keys begins among sorted ones, and their end."""
    return np.searchsorted(sorted_keys, np.arange(count + 1)).astype(np.int64)


def _inverse(order: IntArray) -> IntArray:
    at = np.empty(len(order), dtype=np.int64)
    at[order] = np.arange(len(order))
    return at


def _depth(m: Market) -> IntArray:
    """Per line how many lines come before it at least, along the longest chain."""
    depth = np.zeros(m.lines, dtype=np.int64)
    for _ in range(m.lines):
        deeper = depth.copy()
        np.maximum.at(deeper, m.after_line, depth[m.before_line] + 1)
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    return depth
