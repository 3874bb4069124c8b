"""Compiled: which pairs fill a line, and how many ticks each of them takes."""

from __future__ import annotations

import numpy as np

from services.matching.engine.compact import Compact
from services.matching.engine.compiled import bare
from services.matching.engine.desk import NOTHING, Desk, State, in_group

# Ways to fill a line from several pairs: next the one of the best mean reduced value of a tick, of
# the best in all, or of the most room.
BY_TICK, BY_GAIN, BY_ROOM = 0, 1, 2
WAYS = 3


@bare
def one_pair(
    c: Compact, s: State, w: Desk, line: int, count: int, money: int
) -> tuple[int, int, float]:
    """The one pair of best reduced value that carries the line's least part alone.

    Worth, cost and reduced value of the line; NOTHING first when there is none.
    """
    best, ticks, gain = -1, 0, -np.inf
    for i in range(count):
        p = w.choices[i].pair
        room = _afford(c, s, p, money, w.choices[i].room)
        if room < max(c.lines[line].least, c.pairs[p].least):
            continue
        if w.choices[i].rate * room + w.choices[i].once > gain:
            best, ticks, gain = i, room, w.choices[i].rate * room + w.choices[i].once
    if best < 0:
        return NOTHING, 0, 0.0
    w.choices[best].take = ticks
    worth, cost = _worth(c, s, w, line, count)
    return worth, cost, gain


@bare
def several_pairs(
    c: Compact, s: State, w: Desk, line: int, count: int, money: int, way: int
) -> tuple[int, int, float]:
    """Pairs one after another, in one of the `WAYS`, until the line has what it wants.

    Worth, cost and reduced value of the line; NOTHING first when its least part can't be had so.
    """
    got, used = 0, 0
    limit = c.lines[line].partners if c.lines[line].partners > 0 else count
    done = -1
    wanted, least = c.lines[line].most, c.lines[line].least
    for _ in range(count):
        if got >= wanted or used >= limit:
            break
        pick = _next(c, s, w, count, wanted - got, money, way)
        if pick < 0:
            break
        p = w.choices[pick].pair
        room = _shared(c, s, w, count, p, w.choices[pick].room)
        room = _afford(c, s, p, money, room)
        take = min(room, wanted - got)
        if got >= least and w.choices[pick].rate * take + w.choices[pick].once <= 0:
            if way != BY_GAIN:
                break
            w.choices[pick].take = done
            continue
        w.choices[pick].take = done
        if take < c.pairs[p].least:
            missing = c.pairs[p].least - take
            if room < c.pairs[p].least:
                continue
            giver = -1
            for i in range(count):
                if w.choices[i].take - missing >= c.pairs[w.choices[i].pair].least:
                    giver = i
            if giver < 0:
                continue
            w.choices[giver].take -= missing
            got -= missing
            if money >= 0:
                money += missing * c.pairs[w.choices[giver].pair].unit
            take = c.pairs[p].least
        w.choices[pick].take = take
        got += take
        used += 1
        if money >= 0:
            once = c.pairs[p].fixed + (0 if in_group(c, s, p) else c.groups[c.pairs[p].group].cost)
            money -= once + take * c.pairs[p].unit
            if money < 0:
                return NOTHING, 0, 0.0
    if got < least:
        return NOTHING, 0, 0.0
    worth, cost = _worth(c, s, w, line, count)
    gain = 0.0
    for i in range(count):
        if w.choices[i].take > 0:
            gain += w.choices[i].rate * w.choices[i].take + w.choices[i].once
    return worth, cost, gain


@bare
def _next(c: Compact, s: State, w: Desk, count: int, wanted: int, money: int, way: int) -> int:
    """The pair that comes next in the way at hand, -1 when none is left; ties keep their order."""
    pick, best = -1, -np.inf
    for i in range(count):
        if w.choices[i].take != 0:
            continue
        take = min(w.choices[i].room, wanted)
        if money >= 0 and way == BY_GAIN:
            take = _afford(c, s, w.choices[i].pair, money, take)
        if way == BY_ROOM:
            score = float(take)
        elif way == BY_GAIN:
            score = w.choices[i].rate * take + w.choices[i].once
        else:
            score = w.choices[i].rate + w.choices[i].once / max(take, 1)
        if score > best:
            pick, best = i, score
    return pick


@bare
def _afford(c: Compact, s: State, p: int, money: int, room: int) -> int:
    """The ticks of a pair that ``money`` (-1: any amount) pays for, one-off costs first."""
    if money < 0:
        return room
    once = c.pairs[p].fixed + (0 if in_group(c, s, p) else c.groups[c.pairs[p].group].cost)
    if money < once:
        return 0
    return room if c.pairs[p].unit == 0 else min(room, (money - once) // c.pairs[p].unit)


@bare
def _shared(c: Compact, s: State, w: Desk, count: int, p: int, room: int) -> int:
    """Room under the caps that the pair shares with pairs chosen before it."""
    for at in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
        left = s.cap_left[c.cap[at]]
        for i in range(count):
            if w.choices[i].take > 0:
                q = w.choices[i].pair
                for other in range(c.pairs[q].cap0, c.pairs[q + 1].cap0):
                    if c.cap[other] == c.cap[at]:
                        left -= w.choices[i].take
        room = min(room, left)
    return room


@bare
def _worth(c: Compact, s: State, w: Desk, line: int, count: int) -> tuple[int, int]:
    """Worth and cost of the line with the takes at hand; one set-up per pair, as offers differ."""
    worth, cost = c.lines[line].worth, 0
    for i in range(count):
        ticks = w.choices[i].take
        if ticks > 0:
            p = w.choices[i].pair
            worth += c.pairs[p].once + ticks * c.pairs[p].tick
            cost += c.pairs[p].fixed + ticks * c.pairs[p].unit
            if not in_group(c, s, p):
                worth += c.groups[c.pairs[p].group].worth
                cost += c.groups[c.pairs[p].group].cost
    return worth, cost
