"""Positions and limits that follow from a market's arrays, in bulk."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market


class Indices:
    """Derived arrays of one market, each worked out when it is first read; quantities in ticks.

    Weights are summed over all terms.
    """

    def __init__(self, market: Market) -> None:
        self._market = market

    @cached_property
    def pair_demand(self) -> IntArray:
        """``[P]``."""
        return self._market.line_demand[self._market.pair_line]

    @cached_property
    def x_line(self) -> IntArray:
        """``[X]``."""
        return self._market.pair_line[self._market.x_pair]

    @cached_property
    def x_demand(self) -> IntArray:
        """``[X]``."""
        return self.pair_demand[self._market.x_pair]

    @cached_property
    def x_offer(self) -> IntArray:
        """``[X]``."""
        return self._market.pair_offer[self._market.x_pair]

    @cached_property
    def x_upper(self) -> IntArray:
        """``[X]`` no more fits: the slot's capacity or the line's quantity."""
        m = self._market
        fits = m.slot_capacity[m.x_slot] // m.pair_use[m.x_pair]
        upper: IntArray = np.minimum(fits, m.line_quantity[m.pair_line][m.x_pair])
        return upper

    @cached_property
    def pair_least(self) -> IntArray:
        """``[P]`` the smallest use of the pair: minimum order, least share, one tick."""
        m = self._market
        return np.maximum(np.maximum(m.pair_min_order, m.line_least_share[m.pair_line]), 1)

    @cached_property
    def pair_most(self) -> IntArray:
        """``[P]`` the largest use of the pair."""
        m = self._market
        room = np.zeros(m.pairs, dtype=np.int64)
        np.add.at(room, m.x_pair, self.x_upper)
        return np.minimum(room, m.line_quantity[m.pair_line])

    @cached_property
    def setup_demand(self) -> IntArray:
        """``[G]`` -1 for a group without pairs."""
        demand = np.full(self._market.setups, -1, dtype=np.int64)
        demand[self._market.pair_setup] = self.pair_demand
        return demand

    @cached_property
    def cap_of(self) -> IntArray:
        """The cap of each entry of ``cap_pairs``."""
        return np.repeat(np.arange(self._market.caps), np.diff(self._market.cap_start))

    @cached_property
    def per_tick(self) -> IntArray:
        """``[P]``."""
        return _sum([t.per_tick for t in self._market.terms], self._market.pairs)

    @cached_property
    def per_pair(self) -> IntArray:
        """``[P]``."""
        return _sum([t.per_pair for t in self._market.terms], self._market.pairs)

    @cached_property
    def per_setup(self) -> IntArray:
        """``[G]``."""
        return _sum([t.per_setup for t in self._market.terms], self._market.setups)

    @cached_property
    def per_demand(self) -> IntArray:
        """``[D]``."""
        return _sum([t.per_demand for t in self._market.terms], self._market.demands)

    @cached_property
    def per_line(self) -> IntArray:
        """``[L]``."""
        return _sum([t.per_line for t in self._market.terms], self._market.lines)


def indices(market: Market) -> Indices:
    """The derived arrays of ``market``."""
    return Indices(market)


def _sum(parts: list[IntArray], size: int) -> IntArray:
    total = np.zeros(size, dtype=np.int64)
    for part in parts:
        total += part
    return total
