"""Compiled: what one pair adds at given prices, as the least concave function above it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.chaining import Chain, affordable, new_chain
from services.matching.engine.compact import Compact, Rows
from services.matching.engine.compiled import bare
from services.matching.engine.limits import IntArray
from services.matching.engine.serving import FloatArray

# Of one pair of the line at hand: its best average and where it is first reached, what it is worth
# alone and with how many ticks, what has been taken of it, and where its next step begins.
PLAN = np.dtype(
    [
        ("rate", "f8"),
        ("first", "f8"),
        ("alone", "f8"),
        ("whole", "f8"),
        ("take", "f8"),
        ("value", "f8"),
        ("size", "f8"),
        ("usable", "i8"),
        ("reach", "f8"),  # the most ticks within the periods at hand
        ("most", "f8"),  # the most ticks of one of its variables, and of all
        ("ranks", "i8"),  # its variables within the periods at hand
    ]
)


class Tariff(NamedTuple):
    """Real prices: per slot tick, tick under a cap, minor unit of a budget; and by pair."""

    slot: FloatArray
    cap: FloatArray
    budget: FloatArray
    pair: FloatArray  # [P] of either sign, per slot tick; see running.py


class Slate(NamedTuple):
    """Room to work in for one thread."""

    fits: FloatArray  # [X] ticks of its pair that a variable's slot could hold
    plans: Rows  # [pairs of a line]
    order: FloatArray  # [pairs of a line, variables of a pair] values, best first
    which: IntArray  # the variables in that order
    line_takes: FloatArray  # takes of all pairs of the demand at hand
    span: IntArray  # [lines of a demand, 2] first and last period that each line may use
    chain: Chain


def fits_of(c: Compact, capacity: IntArray) -> FloatArray:
    """Per variable the ticks of its pair that its slot could hold."""
    use = np.repeat(c.pairs["use"][:-1], np.diff(c.pairs["x0"]))
    return np.asarray(capacity[c.xs["slot"][:-1]] // use, dtype=np.float64)


def new_slate(c: Compact, fits: FloatArray) -> Slate:
    """Room for one thread; ``fits`` is that of `fits_of`."""
    pairs = int(np.diff(c.lines["pair0"]).max(initial=0)) + 1
    slots = int(np.diff(c.pairs["x0"]).max(initial=0)) + 1
    width = int(np.diff(c.lines["pair0"][c.demands["line0"]]).max(initial=0)) + 1
    return Slate(
        fits,
        np.zeros(pairs, dtype=PLAN),
        np.zeros((pairs, slots)),
        np.zeros((pairs, slots), dtype=np.int64),
        np.zeros(width),
        np.zeros((int(np.diff(c.demands["line0"]).max(initial=0)) + 1, 2), dtype=np.int64),
        new_chain(c, np.float64),
    )


@bare
def _once(c: Compact, p: int, beta: float) -> float:
    """What using the pair costs once, with its part of the group's set-up."""
    group = c.groups[c.pairs[p].group]
    joint = max(0, -group.worth) + beta * group.cost
    part = joint * c.pairs[p].most / max(1, group.most)
    return float(part + beta * c.pairs[p].fixed - c.pairs[p].once)


@bare
def ranked(
    c: Compact, t: Tariff, w: Slate, p: int, i: int, beta: float, begin: int, end: int
) -> int:
    """Values of the pair's variables into row ``i`` of the slate, best first; their number.

    Only periods from ``begin`` to ``end`` count.
    """
    row = c.pairs[p]
    use, price = row.use, t.slot
    base = row.tick - beta * row.unit - t.pair[p] * use
    for at in range(row.cap0, c.pairs[p + 1].cap0):
        base -= t.cap[c.cap[at]]
    count = 0
    for x in range(row.x0, c.pairs[p + 1].x0):
        if c.xs[x].period < begin or c.xs[x].period > end:
            continue
        value = base - price[c.xs[x].slot] * use
        at = count
        while at > 0 and w.order[i, at - 1] < value:
            w.order[i, at], w.which[i, at] = w.order[i, at - 1], w.which[i, at - 1]
            at -= 1
        w.order[i, at], w.which[i, at] = value, x
        count += 1
    return count


@bare
def plan_pair(
    c: Compact,
    t: Tariff,
    w: Slate,
    p: int,
    i: int,
    beta: float,
    most: float,
    begin: int,
    end: int,
) -> None:
    """The least concave function above what the pair adds, into plan ``i``."""
    plan = w.plans[i]
    start = float(c.pairs[p].start)
    plan.usable = 1 if c.pairs[p].most >= start else 0
    plan.take = 0.0
    plan.rate = -np.inf
    plan.alone = -np.inf
    plan.first = 0.0
    plan.reach = 0.0
    if plan.usable == 0:
        return
    most = min(most, float(affordable(c, p)))
    count = ranked(c, t, w, p, i, beta, begin, end)
    plan.most, plan.ranks = most, count
    once = _once(c, p, beta)
    got, worth = 0.0, 0.0
    for k in range(count):
        value = w.order[i, k]
        take = min(min(most, w.fits[w.which[i, k]]), most - got)
        if got < start <= got + take:
            _point(w, i, start, worth + value * (start - got) - once)
        got += take
        worth += value * take
        if take > 0.0 and got >= start:
            _point(w, i, got, worth - once)
        if got >= start and value <= 0.0:
            for other in range(k + 1, count):
                got += min(most, w.fits[w.which[i, other]])
            break
    plan.reach = min(got, float(c.pairs[p].most))
    if got < start:
        plan.usable = 0
    plan.value = plan.rate
    plan.size = plan.first


@bare
def _point(w: Slate, i: int, ticks: float, gain: float) -> None:
    if gain / ticks > w.plans[i].rate:
        w.plans[i].rate, w.plans[i].first = gain / ticks, ticks
    if gain > w.plans[i].alone:
        w.plans[i].alone, w.plans[i].whole = gain, ticks


@bare
def next_step(w: Slate, i: int) -> None:
    """The next step of a pair after what has been taken of it."""
    plan = w.plans[i]
    got = 0.0
    for k in range(plan.ranks):
        take = min(min(plan.most, w.fits[w.which[i, k]]), plan.most - got)
        if got + take > plan.take:
            plan.value = w.order[i, k]
            plan.size = got + take - plan.take
            return
        got += take
    plan.size = 0.0
