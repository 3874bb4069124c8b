"""Pairs that would rather deal with each other than keep what an assignment gives them."""

from __future__ import annotations

import numpy as np

from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market


def blocking_pairs(market: Market, quantity: IntArray) -> IntArray:
    """The pairs [P] (True where one blocks) of ``quantity[X]``, by worth per tick.

    As in stable allocation (Baïou and Balinski 2002, *The stable allocation (or ordinal
    transportation) problem*): a pair blocks when its line has a tick open or gets one that is
    worth less, and in one of its slots a tick is free or serves one that is worth less, so that
    both could move a tick to each other and be worth more together. One-off costs, least parts,
    partners and caps are left out: they can make a blocking pair impossible to serve, so the
    number is an upper bound on the pairs that could complain.
    """
    m, of = market, indices(market)
    tick = of.per_tick
    served = np.zeros(m.lines, dtype=np.int64)
    np.add.at(served, of.x_line, quantity)
    used = np.flatnonzero(quantity)
    # What moving a tick costs the line: the least worth that it gets, or nothing while it waits.
    line = np.full(m.lines, np.iinfo(np.int64).max)
    np.minimum.at(line, of.x_line[used], tick[m.x_pair[used]])
    line[served < m.line_quantity] = 0
    taken = np.zeros(m.slots, dtype=np.int64)
    np.add.at(taken, m.x_slot, quantity * m.pair_use[m.x_pair])
    slot = np.full(m.slots, np.inf)
    per_use = tick / m.pair_use
    np.minimum.at(slot, m.x_slot[used], per_use[m.x_pair[used]])
    free = (m.slot_capacity - taken)[m.x_slot] >= m.pair_use[m.x_pair]
    open_ = (of.x_upper > quantity) & (free | (per_use[m.x_pair] > slot[m.x_slot]))
    blocks = np.zeros(m.pairs, dtype=np.int64)
    blocks[m.x_pair[open_]] = 1
    return blocks * (tick > line[m.pair_line])
