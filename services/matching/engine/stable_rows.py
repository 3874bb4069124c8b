"""Which pairs block, as rows beside a market's own: the fewest can then be searched for.

A pair does not block when its line is full with ticks worth at least as much, or when each of its
slots is full with ticks worth at least as much. For one-to-one matching these are the inequalities
of Rothblum (1992, *Characterization of stable matchings as extreme points of a polytope*), ``x_p +
better for the line + better for the slot >= 1``; for quantities those of Baïou and Balinski (2000,
*The stable admissions polytope*). Here a pair may break its row at the cost of one, as in the
search for "almost stable" matchings (Biró, Manlove and Mittal 2010, *Size versus stability in the
marriage problem*, where finding the fewest blocking pairs is shown to be hard).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.matching.engine.blocking import Mask
from services.matching.engine.constraints import UNBOUNDED, Rows
from services.matching.engine.cpsat import Extension
from services.matching.engine.indices import Indices
from services.matching.engine.layout import Layout
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market

# In place of a variable: a condition that no choice meets, or that every choice meets.
NEVER, ALWAYS = -1, -2
# Sums of more variables than this are summed up step by step.
SHORT = 8

Sum = list[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Zone:
    """What a search may change, and which pairs it decides on. Rows are those of the whole market.

    ``xs`` are the variables of the demands that are free and all others in their slots; ``own[i]``
    is the position of ``xs[i]`` among the free ones, -1 where it stays as it is. ``watched[P]``
    are the pairs that block or not by what is done here: free ones, and those that stay and want
    more but can't have it elsewhere.
    """

    market: Market
    of: Indices
    quantity: IntArray
    xs: IntArray
    own: IntArray
    watched: Mask


def blocking_rows(zone: Zone, layout: Layout, least_value: int, price: int) -> Extension:
    """A variable per pair that may block, worth ``-price``, and the rows that it must obey.

    ``least_value`` is what the free part must be worth without these.
    """
    free = zone.own >= 0
    now = np.zeros(layout.y, dtype=np.int64)
    now[zone.own[free]] = zone.quantity[zone.xs[free]]
    made = _Making(layout, layout.complete(now), price)
    content = _contented_lines(zone, made)
    for place, full in _full_slots(zone, made):
        x = int(zone.xs[place])
        p = int(zone.market.x_pair[x])
        ways = [content.get(p, NEVER), full]
        if zone.market.pair_use[p] > 1 and zone.own[place] >= 0:
            # Who has all that it could use of a slot can't ask for more, whoever else is there.
            ways.append(
                made.when([([(int(zone.own[place]), 1)], int(zone.of.x_upper[x]))], ([], 0))
            )
        made.unless(p, ways)
    weights = layout.objective()
    made.row([(v, int(weights[v])) for v in np.flatnonzero(weights).tolist()], least_value)
    return made.extension()


def _contented_lines(zone: Zone, made: _Making) -> dict[int, int]:
    """For each free pair a variable that may be 1 only where its line wants nothing of it."""
    m, tick = zone.market, zone.of.per_tick
    free = np.flatnonzero(zone.own >= 0)
    pair = m.x_pair[zone.xs[free]]
    order = np.lexsort((-tick[pair], m.pair_line[pair]))
    found: dict[int, int] = {}
    for own in np.split(order, np.flatnonzero(np.diff(m.pair_line[pair][order])) + 1):
        wanted = int(m.line_quantity[m.pair_line[pair[own[0]]]])
        levels, size = np.unique(-tick[pair[own]], return_counts=True)
        ends = np.cumsum(size).tolist()
        variables = [(v, 1) for v in zone.own[free[own]].tolist()]
        better, worse = made.running(variables, ends, wanted)
        for at, end in enumerate(ends):
            if levels[at] < 0:
                way = made.when([(better[at], wanted)], ([], 0))
            else:
                way = made.when([], (worse[at], wanted))
            start = ends[at - 1] if at else 0
            found |= dict.fromkeys(pair[own[start:end]].tolist(), way)
    return found


def _full_slots(zone: Zone, made: _Making) -> Iterator[tuple[int, int]]:
    """Places of ``xs`` that are watched, and a variable that may be 1 only where the slot is full.

    Full is: nothing in it is worth less, and what is left is less than a tick of the pair takes.
    """
    m = zone.market
    pair = m.x_pair[zone.xs]
    use, slot = m.pair_use[pair], m.x_slot[zone.xs]
    gets = zone.of.per_tick[pair] / use
    asks = zone.watched[pair] & (zone.of.x_upper[zone.xs] > 0)
    taken = np.where(zone.own < 0, use * zone.quantity[zone.xs], 0)
    order = np.lexsort((-gets, slot))
    for own in np.split(order, np.flatnonzero(np.diff(slot[order])) + 1):
        if not asks[own].any():
            continue
        capacity = int(m.slot_capacity[slot[own[0]]])
        free = own[zone.own[own] >= 0]
        levels = np.unique(-gets[own[asks[own]]])
        ends = np.searchsorted(-gets[free], levels, side="right").tolist()
        variables = list(zip(zone.own[free].tolist(), use[free].tolist(), strict=True))
        better, worse = made.running(variables, ends, capacity)
        stays = np.concatenate([[0], np.cumsum(taken[own])])
        for at, level in enumerate(levels.tolist()):
            end = int(np.searchsorted(-gets[own], level, side="right"))
            own_level = own[(-gets[own] == level) & asks[own]]
            for each in np.unique(use[own_level]).tolist():
                full = NEVER
                if stays[-1] == stays[end]:
                    # Where less is left than any of the worse takes, the worse are not there.
                    implied = (use[own[end:]] >= each).all()
                    none = ([], 0) if implied else (worse[at], capacity)
                    wanted = capacity - each + 1 - int(stays[end])
                    full = made.when([(better[at], wanted)], none)
                for place in own_level[use[own_level] == each].tolist():
                    yield place, full


class _Making:
    """Variables and rows as they come, with what they are at the present assignment."""

    def __init__(self, layout: Layout, now: IntArray, price: int) -> None:
        self._first, self._price = layout.size, price
        self._now = now.tolist()
        self._upper: list[int] = []
        self._weight: list[int] = []
        self._rows: list[tuple[Sum, int, int]] = []
        self._blocks: dict[int, int] = {}

    def _variable(self, hint: int, weight: int = 0, upper: int = 1) -> int:
        self._weight.append(weight)
        self._upper.append(upper)
        self._now.append(hint)
        return self._first + len(self._weight) - 1

    def row(self, entries: Sum, low: int, high: int = UNBOUNDED) -> None:
        """``low <= sum of coefficient * variable <= high``."""
        self._rows.append((entries, low, high))

    def running(self, entries: Sum, ends: list[int], most: int) -> tuple[list[Sum], list[Sum]]:
        """The sums of the first so many entries, and of all after these; all is at most ``most``.

        Long ones are summed up step by step, so that rows stay short.
        """
        if len(entries) <= SHORT:
            return [entries[:end] for end in ends], [entries[end:] for end in ends]
        better: list[Sum] = []
        start = 0
        so_far: Sum = []
        for end in [*ends, len(entries)]:
            part = [*so_far, *entries[start:end]]
            total = self._variable(self._sum(part), upper=most)
            self.row([*part, (total, -1)], 0, 0)
            so_far, start = [(total, 1)], end
            better.append(so_far)
        everything = better.pop()
        return better, [[*everything, *((v, -1) for v, _ in each)] for each in better]

    def when(self, at_least: list[tuple[Sum, int]], none: tuple[Sum, int]) -> int:
        """May be 1 only where sums reach what they must, and one that can reach so much is 0."""
        open_ = [(entries, least) for entries, least in at_least if least > 0]
        if any(not entries for entries, _ in open_):
            return NEVER
        if not open_ and not none[0]:
            return ALWAYS
        reached = all(self._sum(entries) >= least for entries, least in open_)
        made = self._variable(int(reached and self._sum(none[0]) == 0))
        for entries, least in open_:
            self.row([*entries, (made, -least)], 0)
        if none[0]:
            self.row([*none[0], (made, none[1])], -UNBOUNDED, none[1])
        return made

    def unless(self, pair: int, ways: list[int]) -> None:
        """The pair blocks unless one of these is 1."""
        if ALWAYS in ways:
            return
        known = [way for way in ways if way != NEVER]
        if pair not in self._blocks:
            self._blocks[pair] = self._variable(0, -self._price)
        blocks = self._blocks[pair]
        if not any(self._now[way] for way in known):
            self._now[blocks] = 1
        self.row([(blocks, 1), *((way, 1) for way in known)], 1)

    def _sum(self, entries: Sum) -> int:
        return sum(coefficient * self._now[v] for v, coefficient in entries)

    def extension(self) -> Extension:
        """All of it as arrays."""
        sizes = [len(entries) for entries, _, _ in self._rows]
        flat = [each for entries, _, _ in self._rows for each in entries]
        return Extension(
            upper=np.array(self._upper, dtype=np.int64),
            hint=np.array(self._now[self._first :], dtype=np.int64),
            weight=np.array(self._weight, dtype=np.int64),
            rows=Rows(
                np.repeat(np.arange(len(sizes)), sizes),
                np.array([v for v, _ in flat], dtype=np.int64),
                np.array([c for _, c in flat], dtype=np.int64),
                np.array([low for _, low, _ in self._rows], dtype=np.int64),
                np.array([high for _, _, high in self._rows], dtype=np.int64),
            ),
        )
