"""Where each kind of decision stands in the flat vector that the solver sees.

==========  =========================================================  ==============
block       meaning                                                    range
==========  =========================================================  ==============
``x``       ticks a pair takes in a slot                               0..x_upper
``y``       the pair is used                                           0..1
``s``       the line is served                                         0..1
``z``       the demand is served (whole for a bundle)                  0..1
``g``       the set-up of (offer, demand) is paid                      0..1
``u``       an offer with a minimum run is open                        0..1
``c``       for a precedence and a period: `before` has ended earlier  0..1
==========  =========================================================  ==============
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market


@dataclass(frozen=True, eq=False)
class Layout:
    """Block starts of the flat vector of one market, its bounds and its objective."""

    market: Market
    of: Indices
    y: int
    s: int
    z: int
    g: int
    u: int
    c: int
    size: int
    run_offers: IntArray  # offers with a minimum run, in the order of block u
    cut_rule: IntArray  # precedence of each entry of block c
    cut_period: IntArray  # period of each entry of block c, rising within a precedence

    def upper(self) -> IntArray:
        """Upper bound of every variable; all lower bounds are 0."""
        bounds = np.ones(self.size, dtype=np.int64)
        bounds[: self.y] = self.of.x_upper
        return bounds

    def objective(self) -> IntArray:
        """Coefficient of every variable in the objective that is maximised."""
        weights = np.zeros(self.size, dtype=np.int64)
        weights[: self.y] = self.of.per_tick[self.market.x_pair]
        weights[self.y : self.s] = self.of.per_pair
        weights[self.s : self.z] = self.of.per_line
        weights[self.z : self.g] = self.of.per_demand
        weights[self.g : self.u] = self.of.per_setup
        return weights

    def complete(self, quantity: IntArray) -> IntArray:
        """The whole vector that belongs to ``quantity[X]``; the other blocks follow from it."""
        m, of = self.market, self.of
        full = np.zeros(self.size, dtype=np.int64)
        full[: self.y] = quantity
        used = np.flatnonzero(quantity)
        full[self.y + m.x_pair[used]] = 1
        full[self.s + of.x_line[used]] = 1
        full[self.z + of.x_demand[used]] = 1
        full[self.g + m.pair_setup[m.x_pair[used]]] = 1
        full[self.u : self.c] = np.isin(self.run_offers, of.x_offer[used])
        last = np.full(m.lines, np.iinfo(np.int64).min)
        np.maximum.at(last, of.x_line[used], m.slot_period[m.x_slot[used]])
        full[self.c :] = self.cut_period > last[m.before_line[self.cut_rule]]
        return full


def layout(market: Market) -> Layout:
    """Lay the decisions of ``market`` out in one vector."""
    of = indices(market)
    run_offers = np.flatnonzero(market.min_run > 0)
    rules, periods = _cuts(market, of)
    y = market.variables
    s = y + market.pairs
    z = s + market.lines
    g = z + market.demands
    u = g + market.setups
    c = u + len(run_offers)
    return Layout(market, of, y, s, z, g, u, c, c + len(rules), run_offers, rules, periods)


def _cuts(market: Market, of: Indices) -> tuple[IntArray, IntArray]:
    """Each precedence with every period in which one of its two lines could run."""
    rules: list[IntArray] = []
    periods: list[IntArray] = []
    x_period = market.slot_period[market.x_slot]
    for rule in range(len(market.before_line)):
        either = (of.x_line == market.before_line[rule]) | (of.x_line == market.after_line[rule])
        own = np.unique(x_period[either])
        rules.append(np.full(len(own), rule, dtype=np.int64))
        periods.append(own)
    if not rules:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(rules), np.concatenate(periods)
