"""Compiled: making room for a pair in its slots by moving others to other slots of the same offer.

What a tick is worth does not depend on its period, so an offer's slots are one stock, of which each
pair can reach some. Moving one pair's ticks at a time finds most of what a maximum flow would.
Moves are noted, so that a turn of the walk that comes to nothing can take them back.
"""

from __future__ import annotations

from services.matching.engine.compact import Compact
from services.matching.engine.compiled import bare
from services.matching.engine.desk import Desk, State
from services.matching.engine.limits import IntArray


@bare
def make_room(c: Compact, s: State, w: Desk, p: int, start: int, wanted: int) -> bool:
    """Move others out of the slots that ``p`` could use from period ``start`` on; whether any was.

    At most ``wanted`` slot ticks are moved. Lines whose order in time matters stay where they are.
    """
    o, moved = c.pairs[p].offer, 0
    for at in range(c.offers[o].pair0, c.offers[o + 1].pair0):
        q = c.offer_pair[at]
        if s.pair_ticks[q] == 0 or _in_order(c, c.pairs[q].line):
            continue
        use = c.pairs[q].use
        for y in range(c.pairs[q].x0, c.pairs[q + 1].x0):
            free = s.slot_left[c.xs[y].slot] // use
            if free <= 0 or c.xs[y].frozen == 1 or _reaches(c, p, start, c.xs[y].slot):
                continue
            for x in range(c.pairs[q].x0, c.pairs[q + 1].x0):
                if s.quantity[x] == 0 or c.xs[x].frozen == 1:
                    continue
                if not _reaches(c, p, start, c.xs[x].slot) or w.moved[0] == len(w.moves):
                    continue
                ticks = min(min(s.quantity[x], free), -(-(wanted - moved) // use))
                _move(c, s, q, x, y, ticks)
                note = w.moves[w.moved[0]]
                note.pair, note.source, note.target, note.ticks = q, x, y, ticks
                w.moved[0] += 1
                free -= ticks
                moved += ticks * use
                if moved >= wanted:
                    return True
                if free <= 0:
                    break
    return moved > 0


@bare
def put_back(c: Compact, s: State, w: Desk, mark: IntArray, turn: int) -> None:
    """Take back what was moved, the last first.

    Demands with ``mark[D]`` equal to ``turn`` have been freed since and are left out.
    """
    for at in range(w.moved[0] - 1, -1, -1):
        note = w.moves[at]
        if mark[c.lines[c.pairs[note.pair].line].demand] != turn:
            _move(c, s, note.pair, note.target, note.source, note.ticks)
    w.moved[0] = 0


@bare
def _move(c: Compact, s: State, q: int, source: int, target: int, ticks: int) -> None:
    s.quantity[source] -= ticks
    s.quantity[target] += ticks
    s.slot_left[c.xs[source].slot] += ticks * c.pairs[q].use
    s.slot_left[c.xs[target].slot] -= ticks * c.pairs[q].use


@bare
def _in_order(c: Compact, line: int) -> bool:
    """Whether the line waits for another or another for it."""
    return bool(c.lines[line].leads == 1 or c.lines[line + 1].before0 > c.lines[line].before0)


@bare
def _reaches(c: Compact, p: int, start: int, slot: int) -> bool:
    for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
        if c.xs[x].slot == slot:
            return bool(c.xs[x].frozen == 0 and c.xs[x].period >= start)
    return False
