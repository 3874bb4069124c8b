"""Compiled: what each demand would take at given prices, and what that is worth at most.

The value is the one of `reduced.py` (see docs/engine.md, "Bound and certificate") in real numbers;
the use of slots, caps, budgets and pairs that goes with it is a subgradient of the bound at the
prices. Sequences count as in `chaining.py`, and of each pair what a budget pays for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.chaining import arrange, gather, matters
from services.matching.engine.compact import Compact
from services.matching.engine.compiled import bare, compiled
from services.matching.engine.concave import Slate, Tariff, next_step, plan_pair, ranked
from services.matching.engine.serving import FloatArray


class Asked(NamedTuple):
    """What is asked at the prices, in real ticks and minor units."""

    slot: FloatArray
    cap: FloatArray
    budget: FloatArray
    pair: FloatArray  # slot ticks


ALWAYS = 2**62


@compiled
def ask(
    c: Compact,
    t: Tariff,
    a: Asked,
    w: Slate,
    first: int,
    last: int,
) -> float:
    """Add what demands ``first`` to ``last`` ask to ``a``; the sum of their best reduced values."""
    total = 0.0
    for demand in range(first, last):
        total += _demand(c, t, a, w, demand)
    return total


@compiled
def ask_each(c: Compact, t: Tariff, a: Asked, w: Slate, each: FloatArray) -> None:
    """The best reduced value of every demand into ``each[D]``."""
    for demand in range(len(each)):
        each[demand] = _demand(c, t, a, w, demand)


@bare
def _demand(c: Compact, t: Tariff, a: Asked, w: Slate, demand: int) -> float:
    whole = c.demands[demand].bundle == 1
    beta = t.budget[demand] if c.demands[demand].budget >= 0 else 0.0
    head = c.demands[demand].line0
    begin = c.lines[head].pair0
    total, some = 0.0, False
    for line in range(head, c.demands[demand + 1].line0):
        if c.lines[line].head == 0:
            continue
        if c.lines[line].next >= 0:
            worth = _chain(c, t, w, line, head, beta, whole)
        else:
            w.span[line - head, 0], w.span[line - head, 1] = -ALWAYS, ALWAYS
            worth = _line(c, t, w, line, beta, begin, -ALWAYS, ALWAYS)
        some = some or worth != -np.inf
        if worth == -np.inf or (not whole and worth <= 0.0):
            if whole:
                return 0.0
            _leave(c, w, line, begin)
            continue
        total += worth
    if not some:
        return 0.0
    total += c.demands[demand].worth + beta * max(0, c.demands[demand].budget)
    last = -1
    for p in range(begin, c.lines[c.demands[demand + 1].line0].pair0):
        # Rows of one group may lie apart; a gain counted twice would only loosen the guide.
        if c.pairs[p].group != last and c.groups[c.pairs[p].group].worth > 0:
            total += c.groups[c.pairs[p].group].worth
        last = c.pairs[p].group
    if total <= 0.0:
        return 0.0
    for p in range(begin, c.lines[c.demands[demand + 1].line0].pair0):
        if w.line_takes[p - begin] > 0.0:
            _charge(c, t, a, w, p, demand, beta, w.line_takes[p - begin])
    return float(total)


@bare
def _leave(c: Compact, w: Slate, line: int, begin: int) -> None:
    """No pair of the line or of those after it in its chain takes anything."""
    while line >= 0:
        for p in range(c.lines[line].pair0, c.lines[line + 1].pair0):
            w.line_takes[p - begin] = 0.0
        line = c.lines[line].next


@bare
def _chain(
    c: Compact,
    t: Tariff,
    w: Slate,
    first: int,
    head: int,
    beta: float,
    whole: bool,
) -> float:
    """The best reduced value of a chain that is served, -inf when it can't be."""
    h, begin = w.chain, c.lines[head].pair0
    lines, cuts = gather(c, h, first)
    for k in range(lines):
        for low in range(cuts):
            for high in range(low + 1, cuts + 1):
                if matters(h, lines, cuts, k, low, high):
                    h.value[k, low, high] = _line(
                        c, t, w, h.line[k], beta, begin, h.cut[low], h.cut[high - 1]
                    )
    worth = arrange(h, lines, cuts, whole, -np.inf)
    _leave(c, w, first, begin)
    if worth == -np.inf:
        return -np.inf
    low = 0
    for k in range(lines):
        high = h.end[k, low]
        if high < 0:
            break
        line = h.line[k]
        w.span[line - head, 0], w.span[line - head, 1] = h.cut[low], h.cut[high - 1]
        _line(c, t, w, line, beta, begin, h.cut[low], h.cut[high - 1])
        low = high
    return float(worth)


@bare
def _line(
    c: Compact,
    t: Tariff,
    w: Slate,
    line: int,
    beta: float,
    begin: int,
    early: int,
    late: int,
) -> float:
    """The best reduced value of a served line, -inf when it can't be; takes into the slate.

    The line runs from period ``early`` to ``late``.
    """
    low, high = c.lines[line].pair0, c.lines[line + 1].pair0
    count = high - low
    most, least = float(c.lines[line].most), float(c.lines[line].least)
    for i in range(count):
        plan_pair(c, t, w, low + i, i, beta, most, early, late)
        w.line_takes[low + i - begin] = 0.0
    limit = c.lines[line].partners
    if limit == 1:
        best, reach = _best_one(w, count)
        if best < 0 or reach < least:
            return -np.inf
        w.line_takes[low + best - begin] = w.plans[best].whole
        return float(w.plans[best].alone + c.lines[line].worth)
    if limit > 0:
        alone, reach = _best_alone(w, count, limit)
        if reach < least:
            return -np.inf
    else:
        reach = 0.0
        for i in range(count):
            if w.plans[i].usable == 1:
                reach += w.plans[i].reach
        if reach < least or count == 0:
            return -np.inf
        alone = np.inf
    filled = _fill(w, count, most, least)
    if filled <= alone:
        for i in range(count):
            w.line_takes[low + i - begin] = w.plans[i].take
        return float(filled + c.lines[line].worth)
    for turn in range(limit):
        best = -1
        for i in range(count):
            if w.plans[i].usable == 0 or w.line_takes[low + i - begin] > 0.0:
                continue
            if best < 0 or w.plans[i].alone > w.plans[best].alone:
                best = i
        if best < 0 or (turn > 0 and w.plans[best].alone <= 0.0):
            break
        w.line_takes[low + best - begin] = w.plans[best].whole
    return float(alone + c.lines[line].worth)


@bare
def _best_one(w: Slate, count: int) -> tuple[int, float]:
    """The pair that is worth most alone, -1 when none can be used; and the most ticks of any."""
    best, reach = -1, 0.0
    for i in range(count):
        if w.plans[i].usable == 1:
            if best < 0 or w.plans[i].alone > w.plans[best].alone:
                best = i
            reach = max(reach, w.plans[i].reach)
    return best, reach


@bare
def _best_alone(w: Slate, count: int, limit: int) -> tuple[float, float]:
    """The best pair alone and the next that gain, up to the limit; and the most ticks of so many.

    The slate's ``take`` marks what has been counted.
    """
    total, reach = 0.0, 0.0
    for turn in range(limit):
        best, large = -1, -1
        for i in range(count):
            if w.plans[i].usable == 0:
                continue
            if w.plans[i].take == 0.0 and (best < 0 or w.plans[i].alone > w.plans[best].alone):
                best = i
            if w.plans[i].size >= 0.0 and (large < 0 or w.plans[i].reach > w.plans[large].reach):
                large = i
        if best < 0:
            break
        if turn == 0 or w.plans[best].alone > 0.0:
            total += w.plans[best].alone
        w.plans[best].take = 1.0
        reach += w.plans[large].reach
        w.plans[large].size = -1.0
    for i in range(count):
        w.plans[i].take = 0.0
        w.plans[i].size = w.plans[i].first
    return total, reach


@bare
def _fill(w: Slate, count: int, most: float, least: float) -> float:
    """Fill the line step by step with the best that any pair adds next."""
    got, total = 0.0, 0.0
    while got < most:
        best = -1
        for i in range(count):
            if w.plans[i].size <= 0.0 or w.plans[i].usable == 0:
                continue
            if best < 0 or w.plans[i].value > w.plans[best].value:
                best = i
        if best < 0 or (w.plans[best].value <= 0.0 and got >= least):
            break
        value = w.plans[best].value
        take = min(w.plans[best].size, (most if value > 0.0 else least) - got)
        total += take * value
        got += take
        w.plans[best].take += take
        if got < most:
            next_step(w, best)
    return total


@bare
def _charge(
    c: Compact,
    t: Tariff,
    a: Asked,
    w: Slate,
    p: int,
    demand: int,
    beta: float,
    ticks: float,
) -> None:
    """Count the use of so many ticks of a pair, cheapest slots first."""
    line = c.pairs[p].line
    most = float(c.lines[line].most)
    span = w.span[line - c.demands[demand].line0]
    count = ranked(c, t, w, p, 0, beta, span[0], span[1])
    left = ticks
    a.pair[p] += ticks * c.pairs[p].use
    for k in range(count):
        slot = c.xs[w.which[0, k]].slot
        take = min(min(most, w.fits[w.which[0, k]]), left)
        a.slot[slot] += take * c.pairs[p].use
        left -= take
        if left <= 0.0:
            break
    for at in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
        a.cap[c.cap[at]] += ticks
    if beta > 0.0 or c.demands[demand].budget >= 0:
        group = c.groups[c.pairs[p].group]
        a.budget[demand] += ticks * c.pairs[p].unit + c.pairs[p].fixed
        a.budget[demand] += group.cost * c.pairs[p].most / max(1, group.most)
