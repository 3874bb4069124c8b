"""Improving an assignment by solving one neighbourhood of demands after another, all else fixed.

Large-neighbourhood search (Shaw 1998, *Using constraint programming and local search methods to
solve vehicle routing problems*): some demands that compete for the same scarce slots are freed,
their best joint service in what the others leave is found by CP-SAT, and the next ones follow. Work
is counted by CP-SAT's deterministic time, so that the path is the same on every machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from services.matching.engine.components import Part, contested_slots, part_of
from services.matching.engine.cpsat import Found, Limits, Search
from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.objective import value

Mask = npt.NDArray[np.bool_]

# Below this many variables the whole component is no harder than a neighbourhood.
SMALLEST = 300
FIRST_SIZE = 300
LARGEST_SIZE = 2500
# A demand that misses less than this (in the objective's unit) is where it should be.
LEAST_REGRET = 0.5
# Deterministic time of one neighbourhood, and what building its model counts for.
WORK_EACH = 0.1
WORK_TO_BUILD = 0.002
WORK_PER_VARIABLE = 5e-7  # of the whole, which is looked over once


class Neighbourhoods:
    """A walk over neighbourhoods of one component from a feasible assignment.

    Where ``regret[D]`` is given, the first round begins with the demands that miss most.
    """

    def __init__(
        self,
        market: Market,
        quantity: IntArray,
        seed: int,
        regret: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._market, self._of = market, indices(market)
        self._random = np.random.default_rng(seed)
        self._size = float(FIRST_SIZE)
        self._scarce = contested_slots(market, self._of)
        self._weight = np.bincount(self._of.x_demand, minlength=market.demands)
        self._queue: list[int] = []
        if regret is not None:
            # Taken from the end. Tiny differences are rounding and must not set the order.
            order = np.argsort(np.round(regret, 3), kind="stable").tolist()
            self._queue = [d for d in order if self._weight[d] and regret[d] > LEAST_REGRET]
        self.quantity = quantity.copy()
        self.value = value(market, quantity)
        self.cut_short = False

    def run(self, limits: Limits, solve: Callable[[Search, Limits], Found], goal: int) -> None:
        """Walk until the limits, the value ``goal``, or two rounds without any gain.

        ``solve`` runs a search and lets the outside stop it.
        """
        work, idle = 0.0, 0
        end = time.monotonic() + limits.seconds
        patience = 2 * int(np.count_nonzero(self._weight))
        while work < limits.deterministic and self.value < goal and idle < patience:
            left = end - time.monotonic()
            if left <= 0:
                self.cut_short = True
                return
            each = replace(limits, deterministic=WORK_EACH, seconds=left, gap=0.0)
            before = self.value
            found = self._step(each, solve)
            if found.cut_short:
                self.cut_short = True
                return
            work += found.work + WORK_TO_BUILD + WORK_PER_VARIABLE * self._market.variables
            idle = 0 if self.value > before else idle + 1
            # Grow while neighbourhoods are solved to proof with ease, shrink when they are not.
            proven = found.work < WORK_EACH
            self._size = min(LARGEST_SIZE, max(50.0, self._size * (1.03 if proven else 0.8)))

    def _step(self, limits: Limits, solve: Callable[[Search, Limits], Found]) -> Found:
        """Free one neighbourhood and keep what is found if it is no worse."""
        freed = self._with_run_partners(self._grow(self._core(self._next())))
        part = part_of(self._market, freed)
        local = self._what_is_left(part)
        now = self.quantity[part.variables]
        found = solve(Search(local, now, lambda _: None, lambda _: None), limits)
        if found.quantity is not None:
            gain = value(local, found.quantity) - value(local, now)
            if gain >= 0:
                self.quantity[part.variables] = found.quantity
                self.value += gain
        return found

    def _next(self) -> int:
        """The next demand, or offer (counted on from the demands), each once in random order."""
        if not self._queue:
            offers = self._market.demands + np.unique(self._market.pair_offer)
            centres = np.concatenate([np.flatnonzero(self._weight), offers])
            self._queue = self._random.permutation(centres).tolist()
        return self._queue.pop()

    def _core(self, centre: int) -> Mask:
        """A demand alone, or those that could use an offer together: only they can open it."""
        m = self._market
        freed = np.zeros(m.demands, dtype=bool)
        if centre < m.demands:
            freed[centre] = True
            return freed
        able = np.unique(self._of.pair_demand[m.pair_offer == centre - m.demands])
        able = self._random.permutation(able)
        freed[able[np.cumsum(self._weight[able]) <= max(self._size, self._weight[able[0]])]] = True
        return freed

    def _grow(self, freed: Mask) -> Mask:
        """More demands, nearest by shared scarce slots, until the size is reached."""
        of, m = self._of, self._market
        while self._weight[freed].sum() < self._size:
            touched = np.zeros(m.slots, dtype=bool)
            touched[m.x_slot[freed[of.x_demand]]] = True
            shares = (touched & self._scarce)[m.x_slot]
            common = np.bincount(of.x_demand, weights=shares, minlength=m.demands)
            score = common * self._random.random(m.demands) / np.maximum(self._weight, 1)
            score[freed | (self._weight == 0)] = 0.0
            if not score.any():
                break
            # A few at a time, so that later ones are near to what has been freed already.
            room = self._size - self._weight[freed].sum()
            for demand in np.argsort(-score, kind="stable")[:4].tolist():
                if score[demand] > 0 and (room > 0):
                    freed[demand] = True
                    room -= self._weight[demand]
        return freed

    def _with_run_partners(self, freed: Mask) -> Mask:
        """Add the demands without which an offer would fall below its minimum run."""
        of, m = self._of, self._market
        while True:
            kept = self._by_offer(of, self.quantity * ~freed[of.x_demand])
            short = (kept > 0) & (kept < m.min_run)
            joined = freed.copy()
            joined[of.x_demand[short[of.x_offer] & (self.quantity > 0)]] = True
            if np.array_equal(joined, freed):
                return freed
            freed = joined

    def _by_offer(self, of: Indices, quantity: IntArray) -> IntArray:
        total = np.zeros(self._market.offers, dtype=np.int64)
        np.add.at(total, of.x_offer, quantity)
        return total

    def _what_is_left(self, part: Part) -> Market:
        """The part's market less what the demands outside it take."""
        m, of = self._market, self._of
        others = self.quantity.copy()
        others[part.variables] = 0
        slot = np.zeros(m.slots, dtype=np.int64)
        np.add.at(slot, m.x_slot, others * m.pair_use[m.x_pair])
        pair = np.zeros(m.pairs, dtype=np.int64)
        np.add.at(pair, m.x_pair, others)
        cap = np.zeros(m.caps, dtype=np.int64)
        np.add.at(cap, of.cap_of, pair[m.cap_pairs])
        run = np.maximum(m.min_run - self._by_offer(of, others), 0)
        return replace(
            part.market,
            slot_capacity=part.market.slot_capacity - slot[part.slots],
            cap_limit=part.market.cap_limit - cap[part.caps],
            min_run=run[part.offers],
        )
