"""The market as its explanations may show it: what others keep private is known in steps only.

An explanation, whatever it says, is worked out from the assignment, the reader's own posting, what
is public, and private numbers of others rounded to the steps of `domain.scale`. So two markets with
one assignment, whose private numbers lie within the same steps, are explained in the same words,
and no number of postings can tell one from the other.

Rounding goes the way that makes a change look less able than it is, so that what is confirmed here
holds in the real market: who has capacity values it a step higher, who has none a step lower; an
offer's hidden price is a step higher where it would be paid anew, and lower where it is paid now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from services.matching.domain import scale
from services.matching.domain.arrays import market_of
from services.matching.domain.pairs import Pairs, funnels_when_read
from services.matching.domain.tables import GRADES, Tables
from services.matching.domain.vocabulary import BoolArray, IntArray
from services.matching.explain.ranges import Ranges
from services.matching.explain.solution import Solution, cost_by_demand
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

NEED_STEP = 250
"""Thousandths to which the need of others is rounded: it tells of earlier rounds' values."""

_PUBLIC = disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC
_UNSET = disclosure_pb2.DISCLOSURE_LEVEL_UNSPECIFIED


def private_demands(messages: Sequence[Demand]) -> BoolArray:
    """Whose limit prices and budget are not public: the default."""
    levels = [each.disclosure.price for each in messages]
    return np.array([level != _PUBLIC for level in levels], dtype=np.bool_)


def private_offers(messages: Sequence[Offer]) -> BoolArray:
    """Whose prices are not public: they are by default."""
    levels = [each.disclosure.price for each in messages]
    return np.array([level not in (_PUBLIC, _UNSET) for level in levels], dtype=np.bool_)


class Lens:
    """A solution seen by one posting's owner at a time."""

    def __init__(self, solution: Solution) -> None:
        self._real = solution
        tables = solution.problem.tables
        self.private_offer = private_offers(tables.offers.messages)
        self.private_demand = private_demands(tables.demands.messages)
        self.private_line = self.private_demand[tables.lines.demand]
        self.solution = self._shown()
        """What the owner of a demand is told of: hidden prices of offers a step higher."""

    def of_offer(self, offer: int) -> Tables:
        """Tables in which the prices of one's own offer are exact."""
        real, shown = self._real.problem.tables.offers, self.solution.problem.tables
        if not self.private_offer[offer]:
            return shown
        prices = {}
        for name in ("unit_price", "setup_price"):
            prices[name] = getattr(shown.offers, name).copy()
            prices[name][offer] = getattr(real, name)[offer]
        return replace(shown, offers=replace(shown.offers, **prices))

    def asking(self, tables: Tables) -> Tables:
        """Tables that say which offers are within which limits: private limits a step lower."""
        limit = tables.lines.limit_price
        lower = np.where(self.private_line, scale.down(limit), limit)
        return replace(tables, lines=replace(tables.lines, limit_price=lower))

    @cached_property
    def known(self) -> Solution:
        """The solution with everybody's values as others may know them."""
        if not self._hides_anything:
            return self.solution
        shown = self.solution.problem
        seen, pairs = self._stepped(), self._as_paid()
        weighed = replace(shown.weighed, pairs=pairs)
        market = market_of(seen, pairs)
        problem = replace(shown, tables=seen, weighed=weighed, market=market)
        return replace(self.solution, problem=problem)

    @cached_property
    def pairs(self) -> Pairs:
        """Pairs that others may be moved to, or have, as far as others may know."""
        known = self.known.problem
        return known.pairs.take(
            self.kept(self.solution.problem.tables, self.solution.problem.pairs)
        )

    @cached_property
    def pairs_by_offer(self) -> Ranges:
        """Rows of `pairs` of each offer."""
        return Ranges(self.pairs.offer, self.solution.market.offers)

    def users_of(self, slot: int) -> IntArray:
        """The variables through which a slot is taken."""
        return self._users.of(np.array([slot]))

    @cached_property
    def _users(self) -> Ranges:
        solution = self.solution
        used = np.flatnonzero(solution.quantity)
        return Ranges(solution.market.x_slot[used], solution.market.slots, used)

    def tangled(self, demands: IntArray, own: int = -1) -> bool:
        """Whether steps cannot tell what moving the ticks of these demands costs.

        So it is where one splits a line between offers of which one hides its price, and where
        ``own`` is served by such an offer already.
        """
        if not self.private_offer.any():
            return False
        market = self.solution.market
        offer, line = np.divmod(self._used, market.lines)
        hidden = np.zeros(market.lines, dtype=np.bool_)
        hidden[line[self.private_offer[offer]]] = True
        several = np.bincount(line, minlength=market.lines) > 1
        of = market.line_demand
        split = hidden & (several | (of == own)) & np.isin(of, demands)
        return bool(split.any())

    @property
    def _hides_anything(self) -> bool:
        return bool(self.private_line.any() or self.private_offer.any())

    @cached_property
    def _used(self) -> IntArray:
        """Pairs in use, as offer * lines + line, rising."""
        market = self._real.market
        pair = np.unique(market.x_pair[np.flatnonzero(self._real.quantity)])
        return np.sort(market.pair_offer[pair] * market.lines + market.pair_line[pair])

    def _in_use(self, pairs: Pairs) -> BoolArray:
        lines = self._real.market.lines
        return np.isin(pairs.offer * lines + pairs.line, self._used)

    def _shown(self) -> Solution:
        real = self._real
        problem = real.problem
        changed = problem
        if self.private_line.any():
            _, asked = funnels_when_read(self.asking(problem.tables))
            changed = replace(changed, offer_funnels=asked)
        if not self.private_offer.any():
            return replace(real, problem=changed)
        offers = problem.tables.offers
        prices: dict[str, Any] = {
            name: np.where(
                self.private_offer, scale.up(getattr(offers, name)), getattr(offers, name)
            )
            for name in ("unit_price", "setup_price")
        }
        tables = replace(problem.tables, offers=replace(offers, **prices))
        pairs = problem.pairs
        dear = tables.offers.unit_price[pairs.offer] + pairs.unit_transport
        kept = (dear <= tables.lines.limit_price[pairs.line]) | self._in_use(pairs)
        offered, _ = funnels_when_read(tables)
        changed = replace(
            changed,
            tables=tables,
            weighed=replace(problem.weighed, pairs=pairs.take(kept)),
            market=market_of(tables, pairs.take(kept)),
            line_funnels=offered,
        )
        return replace(real, problem=changed, quantity=real.quantity[kept[real.market.x_pair]])

    def _stepped(self) -> Tables:
        """Values, needs and budgets in steps; who is served gets no more than now."""
        tables = self.solution.problem.tables
        lines, demands = tables.lines, tables.demands
        ticks, private = self.solution.line_ticks, self.private_line
        served = ticks > 0
        limit = np.where(served, scale.up(lines.limit_price), scale.down(lines.limit_price))
        most = np.where(private & served, ticks, lines.quantity)
        seen = replace(
            lines,
            limit_price=np.where(private, limit, lines.limit_price),
            quantity=most,
            least=np.minimum(lines.least, most),
            least_share=np.minimum(lines.least_share, most),
        )
        hidden = self.private_demand
        winner = np.zeros(len(hidden), dtype=np.bool_)
        winner[lines.demand[served]] = True
        need = demands.need // NEED_STEP * NEED_STEP
        need = np.where(winner & (need < demands.need), need + NEED_STEP, need)
        # What is paid now is within the budget, whatever it is.
        budget = np.maximum(scale.down(np.maximum(demands.budget, 0)), self._cost)
        budget = np.where(hidden & (demands.budget >= 0), budget, demands.budget)
        asked = replace(demands, need=np.where(hidden, need, demands.need), budget=budget)
        return replace(tables, lines=seen, demands=asked)

    @cached_property
    def _cost(self) -> IntArray:
        """What each demand pays now, in minor units."""
        return cost_by_demand(self.solution.market, self.solution.quantity)

    def _as_paid(self) -> Pairs:
        """Pairs, those in use at the step below their offer's hidden price."""
        pairs = self.solution.problem.pairs
        if not self.private_offer.any():
            return pairs
        now = self._in_use(pairs) & self.private_offer[pairs.offer]
        offers = self._real.problem.tables.offers
        off = {}
        for name in ("unit_price", "setup_price"):
            price = getattr(offers, name)
            off[name] = np.where(now, (scale.up(price) - scale.down(price))[pairs.offer], 0)
        return replace(
            pairs,
            unit_transport=pairs.unit_transport - off["unit_price"],
            shipment=pairs.shipment - off["setup_price"],
        )

    def kept(self, tables: Tables, pairs: Pairs, offer: int = -1) -> BoolArray:
        """Pairs in use, and those that public numbers and steps show to be eligible for others.

        A move to a better liked partner is left out: what it gains grows with a private value.
        ``offer`` is the reader's own.
        """
        lines, policy = tables.lines, tables.policy
        used = self._in_use(pairs)
        private = self.private_line[pairs.line]
        dear = tables.offers.unit_price[pairs.offer] + pairs.unit_transport
        within = dear <= scale.down(lines.limit_price)[pairs.line]
        grade = tables.organizations.grade[tables.offers.organization[pairs.offer]]
        worst = np.full(len(lines.demand), len(GRADES), dtype=np.int64)
        np.minimum.at(worst, pairs.line[used], grade[used])
        liked = (grade > worst[pairs.line]) & bool(policy.credit_permille)
        if policy.preference_permille:
            prefers = [bool(each.preferred_organizations) for each in tables.demands.messages]
            liked |= np.array(prefers, dtype=np.bool_)[lines.demand[pairs.line]]
        if tables.repeat:
            keys = zip(pairs.offer.tolist(), pairs.line.tolist(), strict=True)
            liked |= np.array([key in tables.repeat for key in keys], dtype=np.bool_)
        hidden = self.private_offer[pairs.offer] & (pairs.offer != offer)
        found: BoolArray = used | (~hidden & (~private | (within & ~liked)))
        return found
