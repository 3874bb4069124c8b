"""Offers on a grid over the map: which of them could be near enough, in code, time and price.

Cells hold their offers by code, so that a line looks only at the offers of its branch in the cells
within its reach; offers times lines are never formed. What comes back is a superset of the eligible
pairs: every screen here is implied by a rule of `eligibility`, which has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numba import njit

from services.matching.domain.geo import EARTH_RADIUS_KM, FloatArray
from services.matching.domain.vocabulary import BoolArray, IntArray

PER_CELL = 12
"""Offers that a cell should hold on average."""
SMALLEST_CELL, LARGEST_CELL = 0.02, 10.0  # degrees
# Distances are rounded to whole km before rules look at them; screens leave that much room.
ROUNDING_KM = 0.51


@dataclass(frozen=True, eq=False)
class OfferSide:
    """What screens read of an offer. ``rank`` is its code's place in `ranks_of`."""

    rank: IntArray  # [O]
    organization: IntArray
    latitude: FloatArray
    longitude: FloatArray
    located: BoolArray
    first: IntArray  # first period column with capacity, after the lead time
    last: IntArray  # last period column with capacity; below `first` when there is none
    price: IntArray  # minor units per tick
    rate: IntArray  # minor units per tick and 1000 km
    radius: IntArray  # km, 0 none asked
    grade: IntArray  # of its organization
    least_grade: IntArray  # that it asks for


@dataclass(frozen=True, eq=False)
class LineSide:
    """What screens read of a line. Codes from ``low`` up to, not including, ``high`` serve it."""

    low: IntArray  # [L]
    high: IntArray
    organization: IntArray
    latitude: FloatArray
    longitude: FloatArray
    located: BoolArray
    first: IntArray
    last: IntArray
    limit: IntArray  # minor units per tick
    radius: IntArray
    grade: IntArray
    least_grade: IntArray

    def take(self, rows: IntArray) -> LineSide:
        """Some of the lines."""
        return LineSide(*(getattr(self, each.name)[rows] for each in fields(LineSide)))


def ranks_of(codes: Sequence[str]) -> tuple[IntArray, IntArray, IntArray]:
    """Per code its rank in an order where branches are intervals, and its branch's [low, high).

    Codes are dotted; a branch is a code and all below it.
    """
    steps = [tuple(code.split(".")) for code in codes]
    order = sorted(range(len(codes)), key=lambda at: steps[at])
    rank = np.zeros(len(codes), dtype=np.int64)
    rank[order] = np.arange(len(codes))
    high = rank + 1
    open_at: list[int] = []
    for at in order:
        while open_at and steps[open_at[-1]] != steps[at][: len(steps[open_at[-1]])]:
            open_at.pop()
        open_at.append(at)
        high[open_at] = rank[at] + 1
    return rank, rank.copy(), high


class OfferGrid:
    """The offers of a book, ready to be asked for those near a line."""

    def __init__(self, offers: OfferSide) -> None:
        self._offers = offers
        known = offers.located
        count = max(1, int(known.sum()))
        north, south = _ends(offers.latitude[known])
        east, west = _ends(offers.longitude[known])
        area = max(north - south, 0.1) * max(east - west, 0.1)
        self._size = float(np.clip(np.sqrt(area * PER_CELL / count), SMALLEST_CELL, LARGEST_CELL))
        self._south, self._west = south, west
        self._rows = int((north - south) // self._size) + 1
        self._columns = int((east - west) // self._size) + 1
        row = ((offers.latitude - south) // self._size).astype(np.int64)
        column = ((offers.longitude - west) // self._size).astype(np.int64)
        # Offers whose place is not known stand in a cell of their own that every line looks at.
        nowhere = self._rows * self._columns
        cell = np.where(known, row * self._columns + column, nowhere)
        self._order = np.lexsort((offers.rank, cell))
        self._starts = np.searchsorted(cell[self._order], np.arange(nowhere + 2))
        columns = [getattr(offers, each.name)[self._order] for each in fields(OfferSide)]
        self._sorted = tuple(np.ascontiguousarray(each) for each in columns)

    def near(self, lines: LineSide) -> tuple[IntArray, IntArray]:
        """(offer, line) rows that may be eligible, by line, then offer."""
        frame = np.array([self._south, self._west, self._size])
        shape = np.array([self._rows, self._columns])
        offer, line = _scan(
            self._order,
            self._starts,
            frame,
            shape,
            _reach(self._offers, lines),
            self._sorted,
            tuple(np.ascontiguousarray(getattr(lines, f.name)) for f in _LINE),
        )
        return offer, line


_LINE = fields(LineSide)


def _ends(values: FloatArray) -> tuple[float, float]:
    return (float(values.max()), float(values.min())) if len(values) else (0.0, 0.0)


def _reach(offers: OfferSide, lines: LineSide) -> FloatArray:
    """Kilometres beyond which no offer can serve the line: its radius, or what it can pay for."""
    reach = np.where(lines.radius > 0, lines.radius + ROUNDING_KM, np.inf)
    order = np.argsort(offers.rank, kind="stable")
    rank = offers.rank[order]
    branches, which = np.unique(np.stack([lines.low, lines.high]), axis=1, return_inverse=True)
    price, rate = np.zeros(branches.shape[1]), np.zeros(branches.shape[1])
    for at, (low, high) in enumerate(branches.T.tolist()):
        own = order[np.searchsorted(rank, low) : np.searchsorted(rank, high)]
        price[at] = offers.price[own].min(initial=2**60)
        rate[at] = offers.rate[own].min(initial=2**60)
    which = which.reshape(-1)
    spare = lines.limit - price[which] + 1.0
    dear = rate[which] > 0
    paid = np.full(len(spare), np.inf)
    paid[dear] = spare[dear] * 1000.0 / rate[which][dear] + ROUNDING_KM
    # A place that is not known costs nothing to reach, so only located lines are held back.
    return np.asarray(np.where(lines.located, np.minimum(reach, paid), np.inf), dtype=np.float64)


@njit(cache=True, nogil=True)
def _scan(order, starts, frame, shape, reach, offers, lines):  # type: ignore[no-untyped-def]
    """Cells within reach of each line, the offers of its branch in each, and the screens."""
    rank, owner, lat, lon, located, first, last, price, rate, radius, grade, least = offers
    low, high, asker, l_lat, l_lon, l_located, l_first, l_last = lines[:8]
    limit, l_radius, l_grade, l_least = lines[8:]
    room = max(1024, 16 * len(low))
    found_offer, found_line = np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    degree = np.pi / 180.0
    rows, columns = shape[0], shape[1]
    for line in range(len(low)):
        begin = count
        span = reach[line]
        if span < 0.0:
            # Not even the cheapest offer next door is within the limit price; places not known may.
            span = 0.0
        bottom, top, left, right = 0, rows - 1, 0, columns - 1
        if span < 5000.0 and l_located[line]:
            tall = span / (EARTH_RADIUS_KM * degree) * 1.0001 + 1e-9
            bottom = max(0, int(np.floor((l_lat[line] - tall - frame[0]) / frame[2])))
            top = min(rows - 1, int(np.floor((l_lat[line] + tall - frame[0]) / frame[2])))
            far = np.cos(min(89.999, abs(l_lat[line]) + tall) * degree)
            ratio = np.sin(min(1.5, span / EARTH_RADIUS_KM)) / far
            if ratio < 0.999:
                wide = np.arcsin(ratio) / degree * 1.0001 + 1e-9
                # A box over the date line looks at all columns instead.
                if l_lon[line] - wide >= -180.0 and l_lon[line] + wide <= 180.0:
                    left = max(0, int(np.floor((l_lon[line] - wide - frame[1]) / frame[2])))
                    right = min(
                        columns - 1, int(np.floor((l_lon[line] + wide - frame[1]) / frame[2]))
                    )
        if top < bottom:
            bottom, top = 0, -1  # all places are out of reach; those not known are looked at still
        for row in range(bottom, top + 2):
            # The last turn is for the cell of those whose place is not known.
            known = row <= top
            for column in range(left if known else 0, (right if known else 0) + 1):
                cell = row * columns + column if known else rows * columns
                at, end = starts[cell], starts[cell + 1]
                # First offer of the branch, by halving: a cell's offers stand in order of code.
                stop = end
                while at < stop:
                    middle = (at + stop) // 2
                    if rank[middle] < low[line]:
                        at = middle + 1
                    else:
                        stop = middle
                while at < end and rank[at] < high[line]:
                    o = at
                    at += 1
                    if owner[o] == asker[line] or price[o] > limit[line]:
                        continue
                    if max(first[o], l_first[line]) > min(last[o], l_last[line]):
                        continue
                    if grade[o] < l_least[line] or l_grade[line] < least[o]:
                        continue
                    if located[o] and l_located[line]:
                        a, b = lat[o] * degree, l_lat[line] * degree
                        across = np.sin((lon[o] - l_lon[line]) * degree / 2)
                        chord = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * across**2
                        km = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(min(1.0, max(0.0, chord))))
                        if l_radius[line] > 0 and km > l_radius[line] + ROUNDING_KM:
                            continue
                        if radius[o] > 0 and km > radius[o] + ROUNDING_KM:
                            continue
                        if price[o] + rate[o] * (km - ROUNDING_KM) / 1000.0 > limit[line] + 1.0:
                            continue
                    elif l_radius[line] > 0 or radius[o] > 0:
                        continue
                    if count == room:
                        room *= 2
                        wider = np.empty(room, np.int64)
                        wider[:count] = found_offer[:count]
                        found_offer = wider
                        wider = np.empty(room, np.int64)
                        wider[:count] = found_line[:count]
                        found_line = wider
                    found_offer[count] = order[o]
                    found_line[count] = line
                    count += 1
        found_offer[begin:count].sort()
    return found_offer[:count].copy(), found_line[:count].copy()
