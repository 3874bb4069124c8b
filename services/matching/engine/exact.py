"""Compiled: the sum of the demands' best reduced values, exact in int64.

The formula is that of `reduced.py`, demand by demand. Callers have made sure that int64 holds every
sum. Values are scaled by the certificate's ``scale``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.chaining import (
    Chain,
    affordable,
    arrange,
    gather,
    matters,
    new_chain,
)
from services.matching.engine.compact import Compact, Rows
from services.matching.engine.compiled import bare, compiled
from services.matching.engine.limits import IntArray

NEVER = -(2**62)
ALWAYS = 2**62
# Demands whose values are summed in int64 before they go to Python's integers.
STRETCH = 256

# Of one pair of the line at hand: its best average (rounded up) and the fewest ticks that reach it,
# its best total, the value and size of its next step, and what has been taken of it.
EXACT = np.dtype(
    [
        ("rate", "i8"),
        ("first", "i8"),
        ("alone", "i8"),
        ("value", "i8"),
        ("size", "i8"),
        ("took", "i8"),
        ("most", "i8"),  # 0 when the pair can't be used, -1 once counted
        ("counted", "i8"),
    ]
)


class Whole(NamedTuple):
    """Integer prices over ``scale``, per slot, cap, demand's budget and pair."""

    slot: IntArray
    cap: IntArray
    budget: IntArray
    pair: IntArray  # of either sign, per slot tick; see running.py
    chained: int  # 1 where sequences count, and what a budget pays of each pair


class Bench(NamedTuple):
    """Room to work in."""

    plans: Rows
    value: IntArray  # of a pair's variables, best first
    room: IntArray
    chain: Chain


def new_bench(c: Compact) -> Bench:
    """Room for one thread."""
    pairs = int(np.diff(c.lines["pair0"]).max(initial=0)) + 1
    slots = int(np.diff(c.pairs["x0"]).max(initial=0)) + 1
    zeros = [np.zeros(slots, dtype=np.int64) for _ in range(2)]
    return Bench(np.zeros(pairs, dtype=EXACT), zeros[0], zeros[1], new_chain(c, np.int64))


def demands_bound(c: Compact, prices: Whole, capacity: IntArray, scale: int) -> int:
    """The sum over all demands, of any size: stretches are summed in Python's integers."""
    bench, count = new_bench(c), len(c.demands) - 1
    return sum(
        _stretch(c, prices, bench, capacity, scale, first, min(first + STRETCH, count))
        for first in range(0, count, STRETCH)
    )


@compiled
def _stretch(
    c: Compact, t: Whole, w: Bench, capacity: IntArray, scale: int, first: int, last: int
) -> int:
    """The sum over some demands of the best reduced value, scaled."""
    total = 0
    for demand in range(first, last):
        total += _demand(c, t, w, capacity, scale, demand)
    return int(total)


@bare
def _demand(c: Compact, t: Whole, w: Bench, capacity: IntArray, scale: int, demand: int) -> int:
    row = c.demands[demand]
    whole = row.bundle == 1
    beta = t.budget[demand] if row.budget >= 0 else 0
    total, able = 0, 0
    first, last = row.line0, c.demands[demand + 1].line0
    missing = False
    for line in range(first, last):
        if t.chained == 0 or (c.lines[line].head == 1 and c.lines[line].next < 0):
            best = _line(c, t, w, capacity, scale, beta, line, -ALWAYS, ALWAYS)
        elif c.lines[line].head == 1:
            best = _chain(c, t, w, capacity, scale, beta, line, whole)
        else:
            continue
        if best == NEVER:
            missing = True
            continue
        able += 1
        total += best if whole else max(0, best)
    if able == 0 or (whole and missing):
        return 0
    low, high = c.lines[first].pair0, c.lines[last].pair0
    for p in range(low, high):
        if c.groups[c.pairs[p].group].worth > 0:
            seen = False
            for q in range(low, p):
                seen = seen or c.pairs[q].group == c.pairs[p].group
            if not seen:
                total += c.groups[c.pairs[p].group].worth * scale
    total += row.worth * scale + beta * max(0, row.budget)
    return int(max(0, total))


@bare
def _chain(
    c: Compact,
    t: Whole,
    w: Bench,
    capacity: IntArray,
    scale: int,
    beta: int,
    head: int,
    whole: bool,
) -> int:
    """The best reduced value of lines that run one after another; NEVER when they can't."""
    h = w.chain
    lines, cuts = gather(c, h, head)
    for k in range(lines):
        for low in range(cuts):
            for high in range(low + 1, cuts + 1):
                if matters(h, lines, cuts, k, low, high):
                    early, late = h.cut[low], h.cut[high - 1]
                    h.value[k, low, high] = _line(
                        c, t, w, capacity, scale, beta, h.line[k], early, late
                    )
    return int(arrange(h, lines, cuts, whole, NEVER))


@bare
def _line(
    c: Compact,
    t: Whole,
    w: Bench,
    capacity: IntArray,
    scale: int,
    beta: int,
    line: int,
    early: int,
    late: int,
) -> int:
    """The best reduced value of the line when served; NEVER when it can't be.

    It runs from period ``early`` to ``late``.
    """
    low = c.lines[line].pair0
    count = c.lines[line + 1].pair0 - low
    most, least = c.lines[line].most, c.lines[line].least
    limit = c.lines[line].partners
    partners = limit if limit > 0 else count
    for i in range(count):
        _pair(c, t, w, capacity, scale, beta, low + i, i, most, early, late)
    reach = 0
    for _ in range(min(partners, count)):
        large = -1
        for i in range(count):
            if w.plans[i].most > 0 and (large < 0 or w.plans[i].most > w.plans[large].most):
                large = i
        if large < 0:
            break
        reach += w.plans[large].most
        w.plans[large].most = -1
        if reach >= least:
            break
    if reach < least:
        return NEVER
    total = _fill(c, t, w, capacity, scale, beta, low, count, most, least, early, late)
    if limit > 0:
        total = min(total, _best_alone(w, count, limit))
    return int(total + c.lines[line].worth * scale)


@bare
def _best_alone(w: Bench, count: int, limit: int) -> int:
    """The best pair alone and the next that gain, up to the limit."""
    total = 0
    for turn in range(min(limit, count)):
        best = -1
        for i in range(count):
            if w.plans[i].most == 0 or w.plans[i].counted == 1:
                continue
            if best < 0 or w.plans[i].alone > w.plans[best].alone:
                best = i
        if best < 0 or (turn > 0 and w.plans[best].alone <= 0):
            break
        total += w.plans[best].alone
        w.plans[best].counted = 1
    return int(total)


@bare
def _ranked(
    c: Compact,
    t: Whole,
    w: Bench,
    capacity: IntArray,
    scale: int,
    beta: int,
    p: int,
    most: int,
    early: int,
    late: int,
) -> int:
    """Values and room of the pair's variables, best first; their number."""
    base = c.pairs[p].tick * scale - beta * c.pairs[p].unit - t.pair[p] * c.pairs[p].use
    for at in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
        base -= t.cap[c.cap[at]]
    count = 0
    for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
        if c.xs[x].period < early or c.xs[x].period > late:
            continue
        slot = c.xs[x].slot
        value = base - t.slot[slot] * c.pairs[p].use
        room = min(most, capacity[slot] // c.pairs[p].use)
        at = count
        while at > 0 and (
            w.value[at - 1] < value or (w.value[at - 1] == value and w.room[at - 1] < room)
        ):
            w.value[at], w.room[at] = w.value[at - 1], w.room[at - 1]
            at -= 1
        w.value[at], w.room[at] = value, room
        count += 1
    return count


@bare
def _pair(
    c: Compact,
    t: Whole,
    w: Bench,
    capacity: IntArray,
    scale: int,
    beta: int,
    p: int,
    i: int,
    most: int,
    early: int,
    late: int,
) -> None:
    """The least concave function above what the pair adds, into plan ``i``."""
    plan = w.plans[i]
    start = c.pairs[p].start
    plan.rate, plan.alone, plan.first, plan.took, plan.counted = NEVER, NEVER, 0, 0, 0
    plan.most = 0
    plan.size = 0
    if c.pairs[p].most < start:
        return
    group = c.groups[c.pairs[p].group]
    joint = max(0, -group.worth) * scale + beta * group.cost
    once = joint * c.pairs[p].most // max(1, group.most)
    once += beta * c.pairs[p].fixed - c.pairs[p].once * scale
    if t.chained == 1:
        most = min(most, affordable(c, p))
    count = _ranked(c, t, w, capacity, scale, beta, p, most, early, late)
    got, worth = 0, 0
    for k in range(count):
        take = min(w.room[k], most - got)
        if got < start <= got + take:
            _point(w, i, start, worth + w.value[k] * (start - got) - once)
        got += take
        worth += w.value[k] * take
        if take > 0 and got >= start:
            _point(w, i, got, worth - once)
    if got < start:
        plan.rate, plan.alone = NEVER, NEVER
        return
    plan.most = min(got, c.pairs[p].most)
    plan.value, plan.size = plan.rate, plan.first


@bare
def _point(w: Bench, i: int, ticks: int, gain: int) -> None:
    rate = -((-gain) // ticks)
    if rate > w.plans[i].rate or (rate == w.plans[i].rate and ticks < w.plans[i].first):
        w.plans[i].rate, w.plans[i].first = rate, ticks
    w.plans[i].alone = max(w.plans[i].alone, gain)


@bare
def _fill(
    c: Compact,
    t: Whole,
    w: Bench,
    capacity: IntArray,
    scale: int,
    beta: int,
    low: int,
    count: int,
    most: int,
    least: int,
    early: int,
    late: int,
) -> int:
    """The line filled with the best steps: its least part at any rate, then only what gains."""
    got, total = 0, 0
    while got < most:
        best = -1
        for i in range(count):
            if w.plans[i].size > 0 and (best < 0 or w.plans[i].value > w.plans[best].value):
                best = i
        if best < 0 or (w.plans[best].value <= 0 and got >= least):
            break
        wanted = most if w.plans[best].value > 0 else least
        take = min(w.plans[best].size, wanted - got)
        total += take * w.plans[best].value
        got += take
        # A step that the line takes in part is the line's last.
        w.plans[best].took += w.plans[best].size
        w.plans[best].size = 0
        if got < most:
            _step(c, t, w, capacity, scale, beta, low + best, best, most, early, late)
    return int(total)


@bare
def _step(
    c: Compact,
    t: Whole,
    w: Bench,
    capacity: IntArray,
    scale: int,
    beta: int,
    p: int,
    i: int,
    most: int,
    early: int,
    late: int,
) -> None:
    """The pair's next step after what has been taken of it."""
    if t.chained == 1:
        most = min(most, affordable(c, p))
    count = _ranked(c, t, w, capacity, scale, beta, p, most, early, late)
    got = 0
    for k in range(count):
        got += min(w.room[k], most - got)
        if got > w.plans[i].took:
            w.plans[i].value, w.plans[i].size = w.value[k], got - w.plans[i].took
            return
