"""Pairs that would rather deal with each other than keep what an assignment gives them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market

Mask = npt.NDArray[np.bool_]


def blocking_pairs(market: Market, quantity: IntArray) -> IntArray:
    """The pairs [P] (1 where one blocks) of ``quantity[X]``, by worth per tick.

    As in stable allocation (Baïou and Balinski 2002, *The stable allocation (or ordinal
    transportation) problem*): a pair blocks when its line has a tick open or gets one that is
    worth less, and in one of its slots a tick is free or serves one that is worth less, so that
    both could move a tick to each other and be worth more together. One-off costs, least parts,
    partners and caps are left out: they can make a blocking pair impossible to serve, so the
    number is an upper bound on the pairs that could complain.
    """
    m, of = market, indices(market)
    takes = slots_take(m, of, quantity, np.arange(m.slots), np.arange(m.variables))
    wants = lines_want(
        m, of, quantity, np.arange(m.lines), np.arange(m.pairs), np.arange(m.variables)
    )
    blocks = np.zeros(m.pairs, dtype=np.int64)
    blocks[m.x_pair[takes]] = 1
    return blocks * wants


def lines_want(
    m: Market, of: Indices, quantity: IntArray, lines: IntArray, pairs: IntArray, xs: IntArray
) -> Mask:
    """Which of ``pairs`` their lines would move a tick to.

    ``lines`` are in rising order, ``pairs`` and ``xs`` are all that belong to them.
    """
    place = np.searchsorted(lines, of.x_line[xs])
    served = np.zeros(len(lines), dtype=np.int64)
    np.add.at(served, place, quantity[xs])
    used = quantity[xs] > 0
    # What moving a tick costs the line: the least worth that it gets, or nothing while it waits.
    least = np.full(len(lines), np.iinfo(np.int64).max)
    np.minimum.at(least, place[used], of.per_tick[m.x_pair[xs[used]]])
    least = np.where(served < m.line_quantity[lines], np.minimum(least, 0), least)
    wants: Mask = of.per_tick[pairs] > least[np.searchsorted(lines, m.pair_line[pairs])]
    return wants


def slots_take(m: Market, of: Indices, quantity: IntArray, slots: IntArray, xs: IntArray) -> Mask:
    """Which of ``xs`` their slots would give a tick to.

    ``slots`` are in rising order, ``xs`` are all that belong to them.
    """
    place = np.searchsorted(slots, m.x_slot[xs])
    pair = m.x_pair[xs]
    taken = np.zeros(len(slots), dtype=np.int64)
    np.add.at(taken, place, quantity[xs] * m.pair_use[pair])
    gets = of.per_tick[pair] / m.pair_use[pair]
    used = quantity[xs] > 0
    least = np.full(len(slots), np.inf)
    np.minimum.at(least, place[used], gets[used])
    free = (m.slot_capacity[slots] - taken)[place] >= m.pair_use[pair]
    takes: Mask = (of.x_upper[xs] > quantity[xs]) & (free | (gets > least[place]))
    return takes
