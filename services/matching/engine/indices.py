"""Positions and limits that follow from a market's arrays, computed once and in bulk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market


@dataclass(frozen=True, eq=False)
class Indices:
    """Derived arrays of one market; quantities in ticks, `weights` summed over all terms."""

    pair_demand: IntArray  # [P]
    x_line: IntArray  # [X]
    x_demand: IntArray  # [X]
    x_offer: IntArray  # [X]
    x_upper: IntArray  # [X] no more fits: the slot's capacity or the line's quantity
    pair_least: IntArray  # [P] the smallest use of the pair: minimum order, least share, one tick
    pair_most: IntArray  # [P] the largest use of the pair
    setup_demand: IntArray  # [G] -1 for a group without pairs
    cap_of: IntArray  # cap of each entry of cap_pairs
    per_tick: IntArray  # [P]
    per_pair: IntArray  # [P]
    per_setup: IntArray  # [G]
    per_demand: IntArray  # [D]
    per_line: IntArray  # [L]


def indices(market: Market) -> Indices:
    """The derived arrays of ``market``."""
    m = market
    x_line = m.pair_line[m.x_pair]
    fits = m.slot_capacity[m.x_slot] // m.pair_use[m.x_pair]
    x_upper = np.minimum(fits, m.line_quantity[x_line])
    room = np.zeros(m.pairs, dtype=np.int64)
    np.add.at(room, m.x_pair, x_upper)
    pair_demand = m.line_demand[m.pair_line]
    setup_demand = np.full(m.setups, -1, dtype=np.int64)
    setup_demand[m.pair_setup] = pair_demand
    share = m.line_least_share[m.pair_line]
    return Indices(
        pair_demand=pair_demand,
        x_line=x_line,
        x_demand=m.line_demand[x_line],
        x_offer=m.pair_offer[m.x_pair],
        x_upper=x_upper,
        pair_least=np.maximum(np.maximum(m.pair_min_order, share), 1),
        pair_most=np.minimum(room, m.line_quantity[m.pair_line]),
        setup_demand=setup_demand,
        cap_of=np.repeat(np.arange(m.caps), np.diff(m.cap_start)),
        per_tick=_sum([t.per_tick for t in m.terms], m.pairs),
        per_pair=_sum([t.per_pair for t in m.terms], m.pairs),
        per_setup=_sum([t.per_setup for t in m.terms], m.setups),
        per_demand=_sum([t.per_demand for t in m.terms], m.demands),
        per_line=_sum([t.per_line for t in m.terms], m.lines),
    )


def _sum(parts: list[IntArray], size: int) -> IntArray:
    total = np.zeros(size, dtype=np.int64)
    for part in parts:
        total += part
    return total
