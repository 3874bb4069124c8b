"""A round's answer read for explaining: what each slot, line, offer and demand came to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Market, use_of
from services.matching.explain.ranges import Ranges


@dataclass(frozen=True, eq=False)
class Solution:
    """A problem with the quantities that a solve gave, in ticks."""

    problem: Problem
    quantity: IntArray

    @property
    def market(self) -> Market:
        """The problem's arrays."""
        return self.problem.market

    @cached_property
    def slot_taken(self) -> IntArray:
        """Ticks taken of each slot."""
        taken = np.zeros(self.market.slots, dtype=np.int64)
        np.add.at(taken, self.market.x_slot, self.quantity)
        return taken

    @cached_property
    def x_line(self) -> IntArray:
        """Line of each variable."""
        return self.market.pair_line[self.market.x_pair]

    @cached_property
    def line_ticks(self) -> IntArray:
        """Ticks that each line gets."""
        ticks = np.zeros(self.market.lines, dtype=np.int64)
        np.add.at(ticks, self.x_line, self.quantity)
        return ticks

    @cached_property
    def offer_ticks(self) -> IntArray:
        """Ticks taken of each offer."""
        ticks = np.zeros(self.market.offers, dtype=np.int64)
        np.add.at(ticks, self.market.pair_offer[self.market.x_pair], self.quantity)
        return ticks

    @cached_property
    def pair_ticks(self) -> IntArray:
        """Ticks that each pair carries."""
        ticks = np.zeros(self.market.pairs, dtype=np.int64)
        np.add.at(ticks, self.market.x_pair, self.quantity)
        return ticks

    @cached_property
    def pairs_by_line(self) -> Ranges:
        """Pairs of each line."""
        return Ranges(self.market.pair_line, self.market.lines)

    @cached_property
    def variables_by_line(self) -> Ranges:
        """Variables of each line."""
        return Ranges(self.x_line, self.market.lines)

    @cached_property
    def variables_by_pair(self) -> Ranges:
        """Variables of each pair."""
        return Ranges(self.market.x_pair, self.market.pairs)

    @cached_property
    def demand_value(self) -> IntArray:
        """What each demand contributes to the objective."""
        return value_by_demand(self.market, self.quantity)

    @cached_property
    def tick_worth(self) -> IntArray:
        """Objective per tick of each pair when its line is served whole by it alone."""
        m = self.market
        worth = np.zeros(m.pairs, dtype=np.int64)
        quantity = m.line_quantity[m.pair_line]
        for term in m.terms:
            once = term.per_pair + term.per_setup[m.pair_setup] + term.per_line[m.pair_line]
            worth += term.per_tick + once // quantity
        return worth


def value_by_demand(market: Market, quantity: IntArray) -> IntArray:
    """The objective of ``quantity[X]`` by demand: every term belongs to one."""
    use = use_of(market, quantity)
    value = np.zeros(market.demands, dtype=np.int64)
    pair_demand = market.line_demand[market.pair_line]
    setup_demand = np.zeros(market.setups, dtype=np.int64)
    setup_demand[market.pair_setup] = pair_demand
    used = use.pair_ticks > 0
    for term in market.terms:
        by_pair = term.per_tick * use.pair_ticks + np.where(used, term.per_pair, 0)
        np.add.at(value, pair_demand, by_pair)
        np.add.at(value, setup_demand, np.where(use.setups, term.per_setup, 0))
        np.add.at(value, market.line_demand, np.where(use.lines, term.per_line, 0))
        value += np.where(use.demands, term.per_demand, 0)
    return value


def cost_by_demand(market: Market, quantity: IntArray) -> IntArray:
    """What each demand pays for ``quantity[X]``, transport and setup included, in minor units."""
    use = use_of(market, quantity)
    cost = np.zeros(market.demands, dtype=np.int64)
    once = np.where(use.pair_ticks > 0, market.pair_fixed_cost, 0)
    pair_demand = market.line_demand[market.pair_line]
    np.add.at(cost, pair_demand, market.pair_unit_cost * use.pair_ticks + once)
    setup_demand = np.zeros(market.setups, dtype=np.int64)
    setup_demand[market.pair_setup] = pair_demand
    np.add.at(cost, setup_demand, np.where(use.setups, market.setup_cost, 0))
    return cost
