"""What serving works on: what is taken and left, and room to weigh one line's pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.matching.engine.compact import Compact, Rows, Sorting
from services.matching.engine.compiled import bare
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market

FloatArray = npt.NDArray[np.float64]

NOTHING = -(2**62)


class State(NamedTuple):
    """What is taken and left while demands are served; every array is changed in place."""

    quantity: IntArray  # [X] ticks, in compact order
    slot_left: IntArray  # [S]
    cap_left: IntArray  # [C]
    offer_used: IntArray  # [O] ticks
    offer_left: IntArray  # [O] slot ticks
    pair_ticks: IntArray  # [P]
    closed: IntArray  # [O] 1: takes nothing
    worth: IntArray  # [D] what serving the demand is worth as it is, 0 when not served


CHOICE = np.dtype(
    [
        ("pair", "i8"),
        ("room", "i8"),
        ("rate", "f8"),  # worth of a tick less the price of its slot, the mean over the room
        ("once", "i8"),  # worth once, of the pair and of its set-up if that is still to pay
        ("take", "i8"),
        ("best", "i8"),
    ]
)


MOVE = np.dtype([("pair", "i8"), ("source", "i8"), ("target", "i8"), ("ticks", "i8")])
MOST_MOVES = 256


class Desk(NamedTuple):
    """Room to work in, large enough for any line of the market; one per thread.

    A row of ``choices`` is a pair that could carry ``room`` ticks, what the way at hand takes of it
    and what the best way so far does. ``moves`` are noted by `shifting.make_room`.
    """

    choices: Rows
    moves: Rows
    moved: IntArray  # [1] how many moves are noted
    luck: IntArray  # [2] state of a generator, and how often in a thousand a pair is overlooked


def new_state(c: Compact, capacity: IntArray, cap_limit: IntArray) -> State:
    """Nobody is served."""

    def none(count: int) -> IntArray:
        return np.zeros(count, dtype=np.int64)

    offers, pairs, demands = len(c.offers) - 1, len(c.pairs) - 1, len(c.demands) - 1
    left = none(offers)
    slot, first = np.unique(c.xs["slot"][:-1], return_index=True)
    pair = np.searchsorted(c.pairs["x0"][:-1], first, side="right") - 1
    np.add.at(left, c.pairs["offer"][pair], capacity[slot])
    return State(
        none(len(c.xs) - 1),
        capacity.copy(),
        cap_limit.copy(),
        none(offers),
        left,
        none(pairs),
        none(offers),
        none(demands),
    )


def loaded_state(market: Market, sorting: Sorting, quantity: IntArray) -> State:
    """The state in which ``quantity`` is served."""
    c = sorting.rows
    s = new_state(c, market.slot_capacity, market.cap_limit)
    s.quantity[:] = quantity[sorting.x]
    pair = np.repeat(np.arange(len(c.pairs) - 1), np.diff(c.pairs["x0"]))
    np.add.at(s.pair_ticks, pair, s.quantity)
    np.subtract.at(s.slot_left, c.xs["slot"][:-1], s.quantity * c.pairs["use"][pair])
    np.subtract.at(s.offer_left, c.pairs["offer"][pair], s.quantity * c.pairs["use"][pair])
    np.add.at(s.offer_used, c.pairs["offer"][:-1], s.pair_ticks)
    np.subtract.at(s.cap_left, c.cap, np.repeat(s.pair_ticks, np.diff(c.pairs["cap0"])))
    s.closed[:] = (market.min_run > 0) & (s.offer_used == 0)
    s.worth[:] = _worth(sorting, s.pair_ticks)
    return s


def _worth(sorting: Sorting, ticks: IntArray) -> IntArray:
    """Per demand what it is worth as it is served."""
    c = sorting.rows
    pairs, used = c.pairs[:-1], np.flatnonzero(ticks)
    worth = np.zeros(len(c.demands) - 1, dtype=np.int64)
    demand = c.lines["demand"][pairs["line"]]
    np.add.at(worth, demand[used], (pairs["tick"] * ticks + pairs["once"])[used])
    groups, first = np.unique(pairs["group"][used], return_index=True)
    np.add.at(worth, demand[used][first], c.groups["worth"][groups])
    lines = np.unique(pairs["line"][used])
    np.add.at(worth, c.lines["demand"][lines], c.lines["worth"][lines])
    served = np.unique(demand[used])
    worth[served] += c.demands["worth"][served]
    return worth


def new_desk(c: Compact, seed: int = 0, blinks: int = 0) -> Desk:
    """Room for one thread; ``blinks`` in a thousand looks at a pair it is overlooked by chance."""
    pairs = int(np.diff(c.lines["pair0"]).max(initial=0)) + 1
    return Desk(
        np.zeros(pairs, dtype=CHOICE),
        np.zeros(MOST_MOVES, dtype=MOVE),
        np.zeros(1, dtype=np.int64),
        np.array([2 * seed + 1, blinks]),
    )


@bare
def overlooked(w: Desk) -> bool:
    """Whether chance has the pair at hand overlooked (a blink; see recreate.py)."""
    if w.luck[1] == 0:
        return False
    w.luck[0] = w.luck[0] * np.int64(6364136223846793005) + np.int64(1442695040888963407)
    return bool(((w.luck[0] >> 33) & 0x3FFFFFFF) % 1000 < w.luck[1])


@bare
def in_group(c: Compact, s: State, p: int) -> bool:
    """Whether another line of the demand has paid the pair's set-up already."""
    demand = c.lines[c.pairs[p].line].demand
    if c.demands[demand + 1].line0 - c.demands[demand].line0 == 1:
        return False
    for q in range(
        c.lines[c.demands[demand].line0].pair0, c.lines[c.demands[demand + 1].line0].pair0
    ):
        if c.pairs[q].group == c.pairs[p].group and q != p and s.pair_ticks[q] > 0:
            return True
    return False
