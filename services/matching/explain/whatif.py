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

from services.matching.domain.arrays import market_of
from services.matching.domain.eligibility import Candidates, verdicts
from services.matching.domain.pairs import Pairs, eligible_of
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Market, Options, Part, component_of, solve
from services.matching.explain.neighbourhood import around
from services.matching.explain.solution import Solution

MOST_SECONDS = 1.0
"""Longest time of one solve."""
WORK = 1.0
"""The solver's own limit of work for one solve, about a second per unit."""


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
        """A clock for one of so many parts; what is not used stays for the others."""
        return Clock(min(self.deadline, time.monotonic() + max(0.0, self.left) / max(1, parts)))


class OutOfTimeError(Exception):
    """The clock has run out."""


@dataclass
class WhatIf:
    """Changes to try against one solution."""

    solution: Solution
    seed: int

    def demand_served(self, tables: Tables, lines: list[int], demand: int, clock: Clock) -> bool:
        """Whether the demand is served (more than it is) once ``tables`` hold its ``lines``.

        Raises:
            OutOfTimeError: the clock has run out.
        """
        clock.check()
        pairs = self._pairs_of_lines(tables, lines)
        part = component_of(self._market(tables, pairs, np.array([demand])), demand)
        quantity = self._better(part, clock)
        if quantity is None:
            return False
        before = self.solution.line_ticks[self.solution.problem.lines_of(demand)].sum()
        own = np.flatnonzero(part.demands == demand)[0]
        x_line = part.market.pair_line[part.market.x_pair]
        mine = part.market.line_demand[x_line] == own
        return bool(quantity[mine].sum() > before)

    def offer_used(self, tables: Tables, offer: int, clock: Clock) -> bool:
        """Whether the offer is used once ``tables`` hold its row.

        Raises:
            OutOfTimeError: the clock has run out.
        """
        clock.check()
        pairs = self._pairs_of_offer(tables, offer)
        customers = np.unique(tables.lines.demand[pairs.line[pairs.offer == offer]])
        market = self._market(tables, pairs, customers)
        waiting = set(customers.tolist())
        while waiting:
            part = component_of(market, min(waiting))
            waiting -= set(part.demands.tolist())
            quantity = self._better(part, clock)
            if quantity is not None:
                used = part.offers[part.market.pair_offer[part.market.x_pair]] == offer
                if quantity[used].any():
                    return True
        return False

    def changes_pairs(self, tables: Tables, lines: list[int]) -> bool:
        """Whether the lines' eligible pairs or their periods differ from the round's."""
        fresh = eligible_of(tables, np.array(lines, dtype=np.int64))
        before = self.solution.problem.pairs
        before = before.take(np.isin(before.line, lines))
        names = ("offer", "line", "first", "last")
        return any(
            not np.array_equal(getattr(fresh, name), getattr(before, name)) for name in names
        )

    def _better(self, part: Part, clock: Clock) -> IntArray | None:
        """A part's assignment that beats the round's there, if one is found."""
        clock.check()
        before = int(self.solution.demand_value[part.demands].sum())
        limit = max(0.05, min(MOST_SECONDS, clock.left))
        options = Options(seed=self.seed, time_limit_seconds=limit, deterministic_limit=WORK)
        answer = solve(part.market, options)
        return answer.quantity if answer.objective > before else None

    def _market(self, tables: Tables, pairs: Pairs, demands: IntArray) -> Market:
        """The arrays of the neighbourhood; of all where shares of the whole are capped."""
        if tables.policy.concentration_permille:
            return market_of(tables, pairs)
        near = around(self.solution, tables, pairs, demands)
        return market_of(near.tables, near.pairs)

    def _pairs_of_lines(self, tables: Tables, lines: list[int]) -> Pairs:
        """The round's pairs with those of some lines found anew."""
        before = self.solution.problem.pairs
        if not lines:
            return before
        kept = before.take(~np.isin(before.line, lines))
        fresh = eligible_of(tables, np.array(lines, dtype=np.int64))
        return Pairs.joined([kept, fresh]).sorted()

    def _pairs_of_offer(self, tables: Tables, offer: int) -> Pairs:
        """The round's pairs with those of one offer found anew."""
        before = self.solution.problem.pairs
        words = tables.words.codes.words
        code = words[int(tables.offers.code[offer])]
        above = [at for at, asked in enumerate(words) if f"{code}.".startswith(f"{asked}.")]
        lines = np.flatnonzero(np.isin(tables.lines.code, above))
        c = Candidates(tables, np.full(len(lines), offer, dtype=np.int64), lines)
        fresh = Pairs.of(c, np.all(verdicts(c), axis=0))
        return Pairs.joined([before.take(before.offer != offer), fresh]).sorted()
