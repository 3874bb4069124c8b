"""Compiled: which pairs fill a line, and how many ticks each of them takes."""

from __future__ import annotations

import numpy as np

from services.matching.engine.compact import Compact
from services.matching.engine.compiled import inner
from services.matching.engine.desk import NOTHING, Desk, State, in_group


@inner
def one_pair(
    c: Compact, s: State, w: Desk, line: int, count: int, money: int
) -> tuple[int, int, float]:
    """The one pair of best reduced value that carries the line's least part alone."""
    best, ticks, gain = -1, 0, -np.inf
    for i in range(count):
        p = w.choices[i].pair
        room = _afford(c, s, p, money, w.choices[i].room)
        if room < max(c.lines[line].least, c.pairs[p].least):
            continue
        if w.choices[i].score * room > gain:
            best, ticks, gain = i, room, w.choices[i].score * room
    if best < 0:
        return NOTHING, 0, 0.0
    w.choices[best].take = ticks
    worth, cost = _worth(c, s, w, line, count)
    return worth, cost, worth - c.lines[line].worth - gain


@inner
def several_pairs(
    c: Compact, s: State, w: Desk, line: int, count: int, money: int, by_room: bool
) -> tuple[int, int, float]:
    """Pairs one after another, by reduced value or by room, until the line has what it wants."""
    got, used, paid = 0, 0, 0.0
    limit = c.lines[line].partners if c.lines[line].partners > 0 else count
    done = -1
    wanted, least = c.lines[line].most, c.lines[line].least
    for _ in range(count):
        pick = -1
        for i in range(count):
            if w.choices[i].take != 0:
                continue
            if pick < 0 or _before(w, i, pick, by_room):
                pick = i
        if (
            pick < 0
            or got >= wanted
            or used >= limit
            or (got >= least and w.choices[pick].score <= 0)
        ):
            break
        p = w.choices[pick].pair
        w.choices[pick].take = done
        room = _shared(c, s, w, count, p, w.choices[pick].room)
        room = _afford(c, s, p, money, room)
        take = min(room, wanted - got)
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
            paid -= missing * (c.pairs[w.choices[giver].pair].tick - w.choices[giver].score)
            if money >= 0:
                money += missing * c.pairs[w.choices[giver].pair].unit
            take = c.pairs[p].least
        w.choices[pick].take = take
        got += take
        used += 1
        paid += take * (c.pairs[p].tick - w.choices[pick].score)
        if money >= 0:
            once = c.pairs[p].fixed + (0 if in_group(c, s, p) else c.groups[c.pairs[p].group].cost)
            money -= once + take * c.pairs[p].unit
            if money < 0:
                return NOTHING, 0, 0.0
    if got < least:
        return NOTHING, 0, 0.0
    worth, cost = _worth(c, s, w, line, count)
    # What was paid counts the one-off costs as well; they are in the worth already.
    once = 0.0
    for i in range(count):
        if w.choices[i].take > 0:
            p = w.choices[i].pair
            once -= c.pairs[p].once + (0 if in_group(c, s, p) else c.groups[c.pairs[p].group].worth)
    return worth, cost, paid - once


@inner
def _afford(c: Compact, s: State, p: int, money: int, room: int) -> int:
    """The ticks of a pair that ``money`` (-1: any amount) pays for, one-off costs first."""
    if money < 0:
        return room
    once = c.pairs[p].fixed + (0 if in_group(c, s, p) else c.groups[c.pairs[p].group].cost)
    if money < once:
        return 0
    return room if c.pairs[p].unit == 0 else min(room, (money - once) // c.pairs[p].unit)


@inner
def _before(w: Desk, one: int, other: int, by_room: bool) -> bool:
    """Whether a pair comes before another; ties keep their order."""
    if by_room and w.choices[one].room != w.choices[other].room:
        return bool(w.choices[one].room > w.choices[other].room)
    return bool(w.choices[one].score > w.choices[other].score)


@inner
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


@inner
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
