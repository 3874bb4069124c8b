"""Compiled: what offers with a minimum run could earn at prices per pair.

An offer that is open carries at least its minimum run, else nothing. At a price per slot tick of
each of its pairs it earns most by taking the dearest first, as far as its slots hold them, and by
going on below zero until its run is reached; where that is a loss it stays closed. What slots hold
is a transversal matroid's rank: pairs want stretches of its slots, and together they fit where no
stretch is asked for more than it has (Hall's condition), so that greedy taking is exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matching.engine.compact import Compact
from services.matching.engine.compiled import compiled, inner
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market

Numbers = npt.NDArray[Any]


class Runs(NamedTuple):
    """Offers with a minimum run; ranges have one row more, where the last one ends.

    Places are positions in an offer's slots, which are in order of their period.
    """

    need: IntArray  # [R] slot ticks, at least
    link0: IntArray  # [R + 1] range in `pair`
    pair: IntArray  # compact pairs
    most: IntArray  # slot ticks that the pair could carry, 0 when it can't be used
    low: IntArray  # first and last place that the pair could use
    high: IntArray
    slot0: IntArray  # [R + 1] range in `room`
    room: IntArray  # slot ticks by place


def runs_of(market: Market, c: Compact) -> Runs:
    """The offers of ``market`` that have a minimum run, with their pairs as numbered in ``c``."""
    m = market
    own = np.flatnonzero(m.min_run > 0)
    order = np.lexsort((m.slot_period, m.slot_offer))
    begin = np.searchsorted(m.slot_offer[order], np.arange(m.offers + 1))
    place = np.empty(m.slots, dtype=np.int64)
    place[order] = np.arange(m.slots) - begin[m.slot_offer[order]]
    low = np.full(m.pairs + 1, m.slots, dtype=np.int64)
    high = np.full(m.pairs + 1, -1, dtype=np.int64)
    at = np.repeat(np.arange(m.pairs), np.diff(c.pairs["x0"]))
    np.minimum.at(low, at, place[c.xs["slot"][:-1]])
    np.maximum.at(high, at, place[c.xs["slot"][:-1]])
    link = _stretches(c.offers["pair0"], own)
    slots = _stretches(begin, own)
    pair = c.offer_pair[link]
    able = (c.pairs["most"] >= c.pairs["start"])[pair] & (high[pair] >= 0)
    use = c.pairs["use"][pair]
    link0 = np.concatenate([[0], np.cumsum(np.diff(c.offers["pair0"])[own])]).astype(np.int64)
    least = np.full(len(own), np.iinfo(np.int64).max)
    np.minimum.at(least, np.repeat(np.arange(len(own)), np.diff(link0)), use)
    # A run counts ticks, slots count what these take: at least as much as by the lightest pair.
    return Runs(
        m.min_run[own] * np.where(np.diff(link0) > 0, least, 1),
        link0,
        pair,
        np.where(able, c.pairs["most"][pair] * use, 0),
        low[pair],
        high[pair],
        np.concatenate([[0], np.cumsum(np.diff(begin)[own])]).astype(np.int64),
        m.slot_capacity[order][slots],
    )


def _stretches(start: IntArray, rows: IntArray) -> IntArray:
    """All positions of the ranges of some rows."""
    count = start[rows + 1] - start[rows]
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.asarray(np.repeat(start[rows], count) + offset, dtype=np.int64)


def new_load(r: Runs) -> IntArray:
    """Room to work in for one thread: what each stretch of an offer's slots has been asked for."""
    width = int(np.diff(r.slot0).max(initial=0)) + 1
    return np.zeros((width, width), dtype=np.int64)


@compiled
def earn(r: Runs, price: Numbers, took: IntArray, load: IntArray, each: Numbers) -> None:
    """What each offer earns at most into ``each[R]`` and what it takes of each pair.

    ``price`` (per slot tick, real or whole) and ``took`` (slot ticks) are by compact pair.
    """
    for run in range(len(r.need)):
        first, last = r.link0[run], r.link0[run + 1]
        for at in range(first, last):
            took[r.pair[at]] = 0
        each[run] = _earn(r, price, took, load, run, True)
        if each[run] <= 0:
            each[run] = 0
            for at in range(first, last):
                took[r.pair[at]] = 0


@compiled
def reachable(r: Runs, took: IntArray, load: IntArray) -> npt.NDArray[np.bool_]:
    """Per offer whether its pairs together could reach its run at all; ``took`` is overwritten."""
    free = np.zeros(len(took), dtype=np.int64)
    able = np.zeros(len(r.need), dtype=np.bool_)
    for run in range(len(r.need)):
        _earn(r, free, took, load, run, False)
        total = 0
        for at in range(r.link0[run], r.link0[run + 1]):
            total += took[r.pair[at]]
            took[r.pair[at]] = 0
        able[run] = total >= r.need[run]
    return able


@inner
def _earn(r: Runs, price: Numbers, took: IntArray, load: IntArray, run: int, stop: bool) -> Any:
    """The worth of the dearest pairs, to the run at least; below zero when it can't be reached."""
    first, last = r.link0[run], r.link0[run + 1]
    load[:] = 0
    order = np.argsort(-price[r.pair[first:last]], kind="mergesort")
    got, worth = 0, price[0] * 0
    for i in order:
        at = first + i
        each = price[r.pair[at]]
        if each <= 0 and got >= r.need[run] and stop:
            break
        take = min(r.most[at], _room(r, load, run, at))
        # Below zero only what is missing; more of it would be a loss.
        if each < 0:
            take = min(take, r.need[run] - got)
        if take <= 0:
            continue
        for a in range(r.low[at] + 1):
            for b in range(r.high[at], r.slot0[run + 1] - r.slot0[run]):
                load[a, b] += take
        took[r.pair[at]] = take
        got += take
        worth += take * each
    if got < r.need[run]:
        return price[0] * 0
    return worth


@inner
def _room(r: Runs, load: IntArray, run: int, at: int) -> int:
    """What the tightest stretch of slots around the pair's has left."""
    start, end = r.slot0[run], r.slot0[run + 1]
    left = 2**62
    for a in range(r.low[at] + 1):
        holds = 0
        for b in range(a, end - start):
            holds += r.room[start + b]
            if b >= r.high[at]:
                left = min(left, holds - load[a, b])
    return int(left)
