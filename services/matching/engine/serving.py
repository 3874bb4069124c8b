"""Compiled: serving one demand from what is left, and taking it back.

One demand is served line by line, in the order of its sequence. A line that may have several
partners is filled in several ways, and the best is kept. A pair takes slots in the order of its
variables, which is that of their prices (`compact.by_price`). All rules but the minimum run of an
offer hold at every step; that one is looked at by the callers.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.choosing import BY_ROOM, WAYS, one_pair, several_pairs
from services.matching.engine.compact import Compact
from services.matching.engine.compiled import bare, compiled
from services.matching.engine.desk import (
    NOTHING,
    Desk,
    FloatArray,
    State,
    in_group,
    new_desk,
    new_state,
    overlooked,
)
from services.matching.engine.limits import IntArray
from services.matching.engine.shifting import make_room

__all__ = ["Desk", "FloatArray", "State", "new_desk", "new_state", "retake", "serve", "undo"]


@compiled
def undo(c: Compact, s: State, demand: int) -> None:
    """Give back all that the demand takes."""
    first, last = c.lines[c.demands[demand].line0].pair0, c.lines[c.demands[demand + 1].line0].pair0
    for p in range(first, last):
        ticks = s.pair_ticks[p]
        if ticks == 0:
            continue
        for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
            if s.quantity[x] > 0:
                s.slot_left[c.xs[x].slot] += s.quantity[x] * c.pairs[p].use
                s.quantity[x] = 0
        for at in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
            s.cap_left[c.cap[at]] += ticks
        s.offer_used[c.pairs[p].offer] -= ticks
        s.offer_left[c.pairs[p].offer] += ticks * c.pairs[p].use
        s.pair_ticks[p] = 0
    s.worth[demand] = 0


@compiled
def retake(c: Compact, s: State, demand: int, kept: IntArray, at: int, worth: int) -> int:
    """Put back what ``kept`` holds from ``at`` on of a demand that is not served; ends after it."""
    first, last = c.lines[c.demands[demand].line0].pair0, c.lines[c.demands[demand + 1].line0].pair0
    for p in range(first, last):
        ticks = 0
        for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
            if kept[at] > 0:
                s.quantity[x] = kept[at]
                s.slot_left[c.xs[x].slot] -= kept[at] * c.pairs[p].use
                ticks += kept[at]
            at += 1
        if ticks > 0:
            s.pair_ticks[p] = ticks
            s.offer_used[c.pairs[p].offer] += ticks
            s.offer_left[c.pairs[p].offer] -= ticks * c.pairs[p].use
            for i in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
                s.cap_left[c.cap[i]] -= ticks
    s.worth[demand] = worth
    return at


@compiled
def serve(
    c: Compact, s: State, w: Desk, price: FloatArray, side: IntArray, own: int, demand: int
) -> int:
    """Serve a demand that is not served, as well as is found; its worth, 0 when it is not.

    Only offers with ``side[O]`` equal to ``own`` are used, or all where ``own`` is -1.
    """
    total, served, spent = 0, 0, 0
    whole = c.demands[demand].bundle == 1
    for line in range(c.demands[demand].line0, c.demands[demand + 1].line0):
        start = _start(c, s, line)
        worth, cost = NOTHING, 0
        if start != NOTHING:
            worth, cost = _line(c, s, w, price, side, own, demand, line, start, spent, whole)
        if worth == NOTHING:
            if whole:
                undo(c, s, demand)
                return 0
            continue
        total += worth
        spent += cost
        served += 1
    total += c.demands[demand].worth
    if served == 0 or total <= 0:
        undo(c, s, demand)
        return 0
    s.worth[demand] = total
    return int(total)


@bare
def _start(c: Compact, s: State, line: int) -> int:
    """First period in which the line may run: after those before it; NOTHING when one does not."""
    start = NOTHING + 1
    for at in range(c.lines[line].before0, c.lines[line + 1].before0):
        other = c.before[at]
        end = NOTHING
        for p in range(c.lines[other].pair0, c.lines[other + 1].pair0):
            if s.pair_ticks[p] > 0:
                for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
                    if s.quantity[x] > 0:
                        end = max(end, c.xs[x].period)
        if end == NOTHING:
            return NOTHING
        start = max(start, end + 1)
    return start


@bare
def _line(
    c: Compact,
    s: State,
    w: Desk,
    price: FloatArray,
    side: IntArray,
    own: int,
    demand: int,
    line: int,
    start: int,
    spent: int,
    whole: bool,
) -> tuple[int, int]:
    """Fill a line; its worth and cost, NOTHING when its least part can't be had or is no gain."""
    count = _offered(c, s, w, price, side, own, line, start)
    if count == 0:
        return NOTHING, 0
    money = c.demands[demand].budget - spent if c.demands[demand].budget >= 0 else -1
    if c.demands[demand].budget >= 0 and money < 0:
        return NOTHING, 0
    best_gain, best_worth, best_cost = -np.inf, NOTHING, 0
    single = c.lines[line].partners == 1
    for way in range(1 if single else WAYS):
        # By room is what reaches a least part where the others do not.
        if way == BY_ROOM and best_worth != NOTHING:
            break
        for i in range(count):
            w.choices[i].take = 0
        if single:
            worth, cost, gain = one_pair(c, s, w, line, count, money)
        else:
            worth, cost, gain = several_pairs(c, s, w, line, count, money, way)
        if worth == NOTHING:
            continue
        if gain > best_gain:
            best_gain, best_worth, best_cost = gain, worth, cost
            for i in range(count):
                w.choices[i].best = w.choices[i].take
    if best_worth == NOTHING:
        return NOTHING, 0
    if not whole and c.lines[line].leads == 0 and best_worth <= 0:
        return NOTHING, 0
    for i in range(count):
        if w.choices[i].best > 0:
            _take(c, s, w.choices[i].pair, start, w.choices[i].best)
    return best_worth, best_cost


@bare
def _offered(
    c: Compact,
    s: State,
    w: Desk,
    price: FloatArray,
    side: IntArray,
    own: int,
    line: int,
    start: int,
) -> int:
    """The pairs that could carry something now: their room, and what they are worth there."""
    count = 0
    for p in range(c.lines[line].pair0, c.lines[line + 1].pair0):
        o = c.pairs[p].offer
        if s.closed[o] == 1 or (own >= 0 and side[o] != own) or overlooked(w):
            continue
        limit = c.lines[line].most
        for at in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
            limit = min(limit, s.cap_left[c.cap[at]])
        if limit < c.pairs[p].least:
            continue
        room, paid = _room(c, s, price, p, start, limit)
        need, use = c.pairs[p].start, c.pairs[p].use
        # Others are moved only where the pair could not be used without: that costs time.
        short = room < need <= limit and s.offer_left[o] >= need * use
        if short and make_room(c, s, w, p, start, (limit - room) * use):
            room, paid = _room(c, s, price, p, start, limit)
        if room < c.pairs[p].least:
            continue
        once = c.pairs[p].once + (0 if in_group(c, s, p) else c.groups[c.pairs[p].group].worth)
        w.choices[count].pair, w.choices[count].room = p, room
        w.choices[count].rate = c.pairs[p].tick - paid / room
        w.choices[count].once = once
        count += 1
    return count


@bare
def _room(
    c: Compact, s: State, price: FloatArray, p: int, start: int, limit: int
) -> tuple[int, float]:
    """Ticks that fit into the slots of a pair now, up to the limit, and what they cost there."""
    room, paid, use = 0, 0.0, c.pairs[p].use
    for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
        slot = c.xs[x].slot
        left = s.slot_left[slot]
        if left < use or c.xs[x].frozen == 1 or c.xs[x].period < start:
            continue
        take = min(left if use == 1 else left // use, limit - room)
        room += take
        paid += take * price[slot] * use
        if room == limit:
            break
    return room, paid


@bare
def _take(c: Compact, s: State, p: int, start: int, ticks: int) -> None:
    """Take so many ticks of a pair, in the order of its variables."""
    left, use = ticks, c.pairs[p].use
    for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
        slot = c.xs[x].slot
        if s.slot_left[slot] < use or c.xs[x].frozen == 1 or c.xs[x].period < start:
            continue
        take = min(left, s.slot_left[slot] // use)
        s.quantity[x] = take
        s.slot_left[slot] -= take * use
        left -= take
        if left == 0:
            break
    s.pair_ticks[p] = ticks
    s.offer_used[c.pairs[p].offer] += ticks
    s.offer_left[c.pairs[p].offer] -= ticks * use
    for at in range(c.pairs[p].cap0, c.pairs[p + 1].cap0):
        s.cap_left[c.cap[at]] -= ticks
