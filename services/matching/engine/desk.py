"""What serving works on: what is taken and left, and room to weigh one line's pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.matching.engine.compact import Compact, Rows
from services.matching.engine.compiled import inner
from services.matching.engine.limits import IntArray

FloatArray = npt.NDArray[np.float64]

NOTHING = -(2**62)


class State(NamedTuple):
    """What is taken and left while demands are served; every array is changed in place."""

    quantity: IntArray  # [X] ticks, in compact order
    slot_left: IntArray  # [S]
    cap_left: IntArray  # [C]
    offer_used: IntArray  # [O] ticks
    pair_ticks: IntArray  # [P]
    closed: IntArray  # [O] 1: takes nothing
    worth: IntArray  # [D] what serving the demand is worth as it is, 0 when not served


CHOICE = np.dtype([("pair", "i8"), ("room", "i8"), ("score", "f8"), ("take", "i8"), ("best", "i8")])


class Desk(NamedTuple):
    """Room to work in, large enough for any line of the market; one per thread.

    A row of ``choices`` is a pair that could carry ``room`` ticks at a ``score`` (reduced value per
    tick), what the way at hand takes of it and what the best way so far does.
    """

    choices: Rows
    order: IntArray  # of the slots of one pair
    luck: IntArray  # [2] state of a generator, and how often in a thousand a pair is overlooked


def new_state(c: Compact, capacity: IntArray, cap_limit: IntArray) -> State:
    """Nobody is served."""
    counts = (len(c.offers) - 1, len(c.pairs) - 1, len(c.offers) - 1, len(c.demands) - 1)
    zeros = [np.zeros(count, dtype=np.int64) for count in counts]
    quantity = np.zeros(len(c.xs) - 1, dtype=np.int64)
    return State(quantity, capacity.copy(), cap_limit.copy(), *zeros)


def new_desk(c: Compact, seed: int = 0, blinks: int = 0) -> Desk:
    """Room for one thread; ``blinks`` in a thousand looks at a pair it is overlooked by chance."""
    pairs = int(np.diff(c.lines["pair0"]).max(initial=0)) + 1
    slots = int(np.diff(c.pairs["x0"]).max(initial=0)) + 1
    return Desk(
        np.zeros(pairs, dtype=CHOICE),
        np.zeros(slots, dtype=np.int64),
        np.array([2 * seed + 1, blinks]),
    )


@inner
def overlooked(w: Desk) -> bool:
    """Whether chance has the pair at hand overlooked (a blink; see recreate.py)."""
    if w.luck[1] == 0:
        return False
    w.luck[0] = w.luck[0] * np.int64(6364136223846793005) + np.int64(1442695040888963407)
    return bool(((w.luck[0] >> 33) & 0x3FFFFFFF) % 1000 < w.luck[1])


@inner
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
