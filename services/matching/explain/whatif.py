"""Solving again with one change, in the part of the market that it touches.

A change is confirmed when the part's best assignment with the change is worth more than the
round's was. Whoever was not served then takes part in every best assignment: one without them was
open to the round too, and is worth no more than the round's. So the answer does not hang on how
ties are broken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from services.matching.domain.eligibility import Candidates, verdicts
from services.matching.domain.pairs import Pairs, eligible_of
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Market, Options, Part, Result, component_of, solve
from services.matching.explain.lens import Lens
from services.matching.explain.neighbourhood import Change, Neighbourhood, Surroundings
from services.matching.explain.solution import Solution, value_by_demand
from services.matching.explain.unweighed import Unweighed

MOST_SECONDS = 1.0
"""Longest time of one solve."""
WORK = 1.0
"""The solver's own limit of work for one solve, about a second per unit."""
LEAST_SECONDS = 1.0
"""Shortest share of the time for one explanation."""
MOST_WAITING = 6
"""Demands without anything that may take what a forbidden pair leaves."""


@dataclass
class Clock:
    """The time that explanations may still take, in seconds of the monotonic clock."""

    deadline: float

    @staticmethod
    def of(seconds: float) -> Clock:
        """A clock that runs out so many seconds from now."""
        return Clock(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left; not above 0 when it has run out."""
        return self.deadline - time.monotonic()

    def check(self) -> None:
        """Do nothing while there is time left.

        Raises:
            OutOfTimeError: the clock has run out.
        """
        if self.left <= 0:
            raise OutOfTimeError

    def share(self, parts: int) -> Clock:
        """A clock for one of so many parts; what is not used stays for the others.

        A part gets `LEAST_SECONDS` as long as there are any: in less nothing is found out.
        """
        part = max(LEAST_SECONDS, self.left / max(1, parts))
        return Clock(min(self.deadline, time.monotonic() + part))


class OutOfTimeError(Exception):
    """The clock has run out."""


@dataclass(frozen=True)
class Without:
    """What is left of a demand and of the market without a pair. Money in minor units."""

    served: bool
    """Whether the pair's line is served by another."""
    market_loss: int
    own_loss: int


class WhatIf:
    """Changes to try against one solution, all others seen through the lens."""

    def __init__(self, solution: Solution, seed: int) -> None:
        self.lens = Lens(solution)
        self.solution = self.lens.solution
        self._near = Surroundings(self.lens)
        self._unweighed = Unweighed(self.solution.problem)
        self._seed = seed
        whole = self.solution.problem.tables.policy.surplus_permille % 1000 == 0
        # Weighted values are rounded tick by tick, each way by less than one.
        self._slack_per_tick = 0 if whole else 2

    def demand_served(self, tables: Tables, lines: list[int], demand: int, clock: Clock) -> bool:
        """Whether the demand is served (more than it is) once ``tables`` hold its ``lines``.

        Raises:
            OutOfTimeError: the clock has run out.
        """
        clock.check()
        every = np.array(self.solution.problem.lines_of(demand), dtype=np.int64)
        asked = np.array(sorted(lines), dtype=np.int64)
        fresh = self._fresh(tables, asked) if lines else _NO_PAIRS
        kept = self._own_pairs(np.setdiff1d(every, asked))
        change = Change(tables, Pairs.joined([kept, fresh]), every)
        near = self._near.around(change, np.array([demand]), demand)
        if self.lens.tangled(near.demands, demand):
            return False
        part = component_of(near.market, int(np.searchsorted(near.demands, demand)))
        quantity = self._better(near, part, clock, demand)
        if quantity is None:
            return False
        before = self.solution.line_ticks[self.solution.problem.lines_of(demand)].sum()
        mine = near.demands[part.demands][part.market.line_demand[_x_line(part.market)]] == demand
        return bool(quantity[mine].sum() > before)

    def offer_used(self, tables: Tables, offer: int, clock: Clock) -> bool:
        """Whether the offer is used once ``tables`` hold its row.

        Raises:
            OutOfTimeError: the clock has run out.
        """
        clock.check()
        fresh = self._pairs_of_offer(tables, offer)
        customers = np.unique(tables.lines.demand[fresh.line])
        if not len(customers):
            return False
        near = self._near.around(Change(tables, fresh, _NO_ROWS, offer), customers)
        if self.lens.tangled(near.demands):
            return False
        waiting = set(np.searchsorted(near.demands, customers).tolist())
        while waiting:
            part = component_of(near.market, min(waiting))
            waiting -= set(part.demands.tolist())
            quantity = self._better(near, part, clock)
            if quantity is not None:
                at = part.offers[part.market.pair_offer[part.market.x_pair]]
                if quantity[near.offers[at] == offer].any():
                    return True
        return False

    def without(self, demand: int, pair: int, clock: Clock) -> Without | None:
        """What is left when a pair may not be used; None where steps cannot tell.

        Raises:
            OutOfTimeError: the clock has run out.
        """
        clock.check()
        problem, market = self.solution.problem, self.solution.market
        lines = np.array(problem.lines_of(demand), dtype=np.int64)
        own = np.sort(self.solution.pairs_by_line.of(lines))
        change = Change(problem.tables, problem.pairs.take(own[own != pair]), lines)
        around = np.append(self._waiting_for(int(market.pair_offer[pair])), demand)
        near = self._near.around(change, np.unique(around), demand)
        if self.lens.tangled(near.demands, demand):
            return None
        answer = self._solve(near.market, clock)
        left = value_by_demand(near.market, answer.quantity)[near.demands == demand]
        x_line = near.lines[_x_line(near.market)]
        return Without(
            served=bool(answer.quantity[x_line == market.pair_line[pair]].any()),
            market_loss=max(0, self._value(near.demands, demand) - answer.objective),
            own_loss=int(self.solution.demand_value[demand] - left.sum()),
        )

    def given_up(self, demand: int, pair: int) -> Without | None:
        """What is lost at most, told without solving: the demand falls, and all else stays.

        None where something else may follow: another offer for the line, other lines that stay, or
        an offer that would fall below its minimum run.
        """
        solution, market = self.solution, self.solution.market
        lines = np.array(solution.problem.lines_of(demand), dtype=np.int64)
        alone = len(lines) == 1 or bool(market.bundle[demand])
        others = len(solution.pairs_by_line.of(np.array([market.pair_line[pair]]))) - 1
        own = solution.pairs_by_line.of(lines)
        offers = market.pair_offer[own]
        taken = np.zeros(market.offers, dtype=np.int64)
        np.add.at(taken, offers, solution.pair_ticks[own])
        left = solution.offer_ticks[offers] - taken[offers]
        falls = ((left > 0) & (left < market.min_run[offers])).any()
        if not alone or others or falls or self.lens.tangled(np.array([demand]), demand):
            return None
        value = int(solution.demand_value[demand])
        return Without(served=False, market_loss=max(0, value), own_loss=value)

    def changes_pairs(self, tables: Tables, lines: list[int]) -> bool:
        """Whether the lines' eligible pairs or their periods differ from the round's."""
        fresh = self._fresh(tables, np.array(lines, dtype=np.int64))
        before = self.solution.problem.pairs
        before = before.take(np.isin(before.line, lines))
        names = ("offer", "line", "first", "last")
        return any(
            not np.array_equal(getattr(fresh, name), getattr(before, name)) for name in names
        )

    def _fresh(self, tables: Tables, lines: IntArray) -> Pairs:
        """The pairs of changed lines found anew; what the round left out stays out."""
        return self._unweighed.without(eligible_of(tables, lines), lines)

    def _better(
        self, near: Neighbourhood, part: Part, clock: Clock, own: int = -1
    ) -> IntArray | None:
        """A part's assignment that beats the round's there, if one is found."""
        before = self._value(near.demands[part.demands], own)
        slack = self._slack_per_tick * int(part.market.line_quantity.sum())
        answer = self._solve(part.market, clock)
        return answer.quantity if answer.objective > before + slack else None

    def _solve(self, market: Market, clock: Clock) -> Result:
        clock.check()
        limit = max(0.05, min(MOST_SECONDS, clock.left))
        options = Options(seed=self._seed, time_limit_seconds=limit, deterministic_limit=WORK)
        return solve(market, options)

    def _value(self, demands: IntArray, own: int) -> int:
        """What the round gives these demands, one's own exactly."""
        known = self.lens.known.demand_value[demands]
        return int(np.where(demands == own, self.solution.demand_value[demands], known).sum())

    def _own_pairs(self, lines: IntArray) -> Pairs:
        return self.solution.problem.pairs.take(np.sort(self.solution.pairs_by_line.of(lines)))

    def _waiting_for(self, offer: int) -> IntArray:
        """Demands that get nothing and could use an offer, those of most worth first."""
        pairs = self.lens.pairs
        at = self.lens.pairs_by_offer.of(np.array([offer]))
        demand = self.solution.problem.tables.lines.demand[pairs.line[at]]
        hungry = self.lens.known.demand_value[demand] == 0
        most = self.lens.known.problem.tables.lines.limit_price[pairs.line[at]]
        order = np.argsort(-most[hungry], kind="stable")
        found: IntArray = np.unique(demand[hungry][order][:MOST_WAITING])
        return found

    def _pairs_of_offer(self, tables: Tables, offer: int) -> Pairs:
        """The pairs of one offer found anew, as far as they may be known."""
        words = tables.words.codes.words
        code = words[int(tables.offers.code[offer])]
        above = [at for at, asked in enumerate(words) if f"{code}.".startswith(f"{asked}.")]
        lines = np.flatnonzero(np.isin(tables.lines.code, above))
        c = Candidates(self.lens.asking(tables), np.full(len(lines), offer, dtype=np.int64), lines)
        fresh = Pairs.of(c, np.all(verdicts(c), axis=0))
        before = self.solution.problem.tables
        fresh = self._unweighed.without_offer(fresh, offer, before, lines)
        return fresh.take(self.lens.kept(tables, fresh, offer)).sorted()


_NO_PAIRS = Pairs.joined([])
_NO_ROWS = np.zeros(0, dtype=np.int64)


def _x_line(market: Market) -> IntArray:
    return market.pair_line[market.x_pair]
