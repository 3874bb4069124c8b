"""A market that changes by one posting at a time, and an assignment that keeps up with it.

A change frees what it makes impossible, then solves the neighbourhood that it touches and leaves
the rest as it was: the step of large-neighbourhood search (see `neighbourhood.py`), centred on the
change, warm from the present assignment and its prices.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.matching.engine.cpsat import Limits, Search
from services.matching.engine.cut import Part
from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray, InvalidMarket
from services.matching.engine.market import Market
from services.matching.engine.objective import value
from services.matching.engine.position import Position, Rows
from services.matching.engine.rearranging import rearranged
from services.matching.engine.reposting import rows_of_demand, rows_of_offer
from services.matching.engine.result import Certificate
from services.matching.engine.surroundings import around, waiting_for

# Variables of one neighbourhood, and turns of the walk through it.
SIZE = 600
TURNS = 1200
# Up to so many variables a model is solved to proof, in this deterministic time of CP-SAT's.
LARGEST_MODEL = 60
WORK = 0.05
SECONDS = 1.0
# Neighbourhoods per change: the change itself, then those whom it cost something.
STEPS = 3
# Of those who wait for what became free, so many are looked at together.
WAITING = 3


@dataclass(frozen=True)
class Changed:
    """What a change did: the value before and after, and which demands were looked at again."""

    before: int
    after: int
    touched: tuple[int, ...]
    seconds: float


class Standing:
    """The rows of a market, which of them are open, and a feasible assignment of those.

    Rows keep their numbers for good: positions in the market given at first, counted on for what
    is posted later. What is pinned is promised: it stays as it is and can't be withdrawn.
    """

    def __init__(
        self, market: Market, quantity: IntArray, certificate: Certificate, *, seed: int = 1
    ) -> None:
        """Take over a market, a feasible ``quantity[X]`` of it, and its prices."""
        self._position = Position(market, quantity, certificate)
        self._seed = seed

    @property
    def value(self) -> int:
        """The objective of the present assignment."""
        return self._position.value

    @property
    def sizes(self) -> Mapping[str, int]:
        """The number that the next row of each kind will get."""
        return self._position.sizes

    def market(self) -> tuple[Market, IntArray]:
        """All that is open as a market of its own, and its assignment."""
        part = self._position.part(np.flatnonzero(self._position.open_demand))
        return part.market, self._position.quantity[part.variables]

    def rows_of_demand(self, demand: int) -> dict[str, IntArray]:
        """The rows of an open demand, numbered to be posted next: to change it."""
        return rows_of_demand(self._position, demand)

    def rows_of_offer(self, offer: int) -> dict[str, IntArray]:
        """The rows of an open offer with its pairs, numbered to be posted next: to change it."""
        return rows_of_offer(self._position, offer)

    def post(self, rows: Rows) -> Changed:
        """Add rows by column (see `growing.ROWS`): demands, offers, or both.

        References are row numbers; new rows are counted on from `sizes`. Each new pair joins a new
        demand to an offer or a new offer to a demand.

        Raises:
            InvalidMarket: the rows do not fit together or into the market; they are left unused.
        """
        started, before = time.monotonic(), self.value
        position = self._position
        added = position.append(rows)
        centre = added["demand"]
        if len(added["offer"]):
            centre = np.union1d(centre, waiting_for(position, added["slot"], WAITING))
        return self._settle(centre, before, started)

    def withdraw_demand(self, demand: int) -> Changed:
        """Take a demand back; what it used is offered to those who could use it.

        Raises:
            InvalidMarket: it is not open, or something of it is pinned.
        """
        started, before = time.monotonic(), self.value
        position = self._position
        if not 0 <= demand < len(position.open_demand) or not position.open_demand[demand]:
            raise InvalidMarket(f"demand {demand} is not open")
        one = np.array([demand])
        if len(position.part(one).market.pin_x):
            raise InvalidMarket(f"something of demand {demand} is pinned")
        freed = position.with_run_partners(one)
        slots = position.slots_used(freed)
        position.release(freed)
        position.open_demand[demand] = False
        others = freed[freed != demand]
        return self._settle(
            np.union1d(others, waiting_for(position, slots, WAITING)), before, started
        )

    def withdraw_offer(self, offer: int) -> Changed:
        """Take an offer back; those whom it served are served elsewhere where that pays.

        Raises:
            InvalidMarket: it is not open, or something of it is pinned.
        """
        started, before = time.monotonic(), self.value
        position = self._position
        if not 0 <= offer < len(position.open_offer) or not position.open_offer[offer]:
            raise InvalidMarket(f"offer {offer} is not open")
        xs = position.x.of(position.pairs_of_offer.of(np.array([offer])))
        served = position.demands_of(xs[position.quantity[xs] > 0])
        if len(served) and len(np.intersect1d(position.pinned(served), xs)):
            raise InvalidMarket(f"something of offer {offer} is pinned")
        freed = position.with_run_partners(served)
        position.release(freed)
        position.open_offer[offer] = False
        return self._settle(freed, before, started)

    def _settle(self, centre: IntArray, before: int, started: float) -> Changed:
        """Solve around ``centre``; then around whoever lost by it."""
        position = self._position
        touched: set[int] = set(centre.tolist())
        for _ in range(STEPS):
            if not len(centre):
                break
            chosen = position.with_run_partners(around(position, centre, SIZE))
            touched.update(chosen.tolist())
            centre = self._solve(chosen)
        return Changed(before, self.value, tuple(sorted(touched)), time.monotonic() - started)

    def _solve(self, chosen: IntArray) -> IntArray:
        """Give some demands their best joint service; return those who have less than before."""
        position = self._position
        part = position.part(chosen)
        now = position.quantity[part.variables]
        local = position.what_is_left(part, now)
        found = self._better(part, local, now)
        if value(local, found) <= value(local, now):
            return chosen[:0]
        change = np.zeros(local.demands, dtype=np.int64)
        np.add.at(change, indices(local).x_demand, found - now)
        position.account(part, found)
        lost: IntArray = part.demands[change < 0]
        return lost

    def _better(self, part: Part, local: Market, now: IntArray) -> IntArray:
        """A better assignment of a small market: to proof where that is quick, else by walking."""
        if local.variables > LARGEST_MODEL and not len(local.pin_x):
            price = self._position.price[part.slots]
            return rearranged(local, now, price, self._seed, TURNS)
        search = Search(local, now, lambda _: None, lambda _: None)
        found = search.run(Limits(self._seed, WORK, SECONDS, 0.0)).quantity
        return now if found is None else found
