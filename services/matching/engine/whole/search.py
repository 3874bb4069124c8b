"""Solving a market of whole jobs: prices, a start by chains, then dives and proofs in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.whole.chains import NO_COST, chains
from services.matching.engine.whole.dive import dives
from services.matching.engine.whole.exact import MOST_UNDECIDED, prove, undecided
from services.matching.engine.whole.jobs import NEVER, Jobs, jobs_of, one_by_one, quantity_of
from services.matching.engine.whole.knapsack import FloatArray
from services.matching.engine.whole.ledger import Field
from services.matching.engine.whole.pricing import JobPrices, agent_ascent, job_ascent
from services.matching.engine.whole.proving import packed_bound, rounded

# Parts with fewer variables are no harder for CP-SAT.
SMALLEST = 60
# With fewer cells proofs alone are best.
EASY = 400
# Searches that go on side by side, whatever the number of threads, and meet after each slice.
STREAMS = 2
# Steps of one stream between two meetings, and per unit of deterministic time.
SLICE = 5_000_000
PER_UNIT = 60_000_000
# Agents that one dive frees at most.
MOST_FREED = 24
# Agents of a job that the local search looks at.
NEAR = 10
KICKS, PATIENCE = 600, 100
LINEAR_TURNS, ASCENT_TURNS, ASCENT_STRETCH = 5000, 1000, 50
LEAST_AHEAD = 1e-3
# Nodes of a proof, and turns up to the first one. After one that brought nothing, the next has so
# many times the nodes, and comes after so many times the turns.
NODES, MORE_NODES = 20, 16
TURNS, MORE_TURNS = 4, 2
# A proof tries to close the gap, or such a share of it while too many pairs could be of use.
LESS = 0.5
# Undecided pairs that take about as long to solve as one slice of a dive.
PER_SLICE = 400


class Aim(NamedTuple):
    """What a dive goes by, as it stood when the dive began: proofs move it on meanwhile."""

    most: int  # agents freed at once
    noise: float
    cost: int  # a dive ends when it has reached it


class WholeSearch:
    """The best assignment of a market of whole jobs so far, its prices and its bounds."""

    def __init__(self, market: Market, jobs: Jobs, workers: int = 1) -> None:
        self._workers = workers
        self._market = market
        self.jobs = jobs
        self.agent: IntArray | None = None
        self.cost = NO_COST
        self.prices = JobPrices(np.zeros(jobs.count), np.zeros(jobs.agents), -math.inf)
        self._linear = np.zeros(jobs.agents)
        self._goal = 0
        self._keep = np.zeros((jobs.agents, jobs.count), dtype=np.bool_)
        self.certified = jobs.most
        self.least = 0
        self.finished = True

    @classmethod
    def of(cls, market: Market, workers: int) -> WholeSearch | None:
        """A search where the market has the structure, else None."""
        if market.variables < SMALLEST:
            return None
        jobs = jobs_of(market)
        return None if jobs is None else cls(market, jobs, workers)

    @property
    def value(self) -> int:
        """What the best assignment is worth in the market; 0 when there is none yet."""
        return 0 if self.agent is None else self.jobs.most - self.cost

    @property
    def upper(self) -> int:
        """No assignment is worth more; the proofs' word."""
        return self.jobs.most - self.least

    def quantity(self) -> IntArray | None:
        """The best assignment as ``quantity[X]``."""
        return None if self.agent is None else quantity_of(self._market, self.jobs, self.agent)

    def demand_prices(self) -> FloatArray:
        """Prices per demand of the market that prove `certified`, in the objective's unit."""
        prices = np.zeros(self._market.demands)
        prices[self.jobs.demands] = self.jobs.top - self.prices.job
        return np.maximum(prices, 0.0)

    def slot_prices(self) -> FloatArray:
        """Prices per slot of the market, in the objective's unit per unit of capacity."""
        prices = np.zeros(self._market.slots)
        prices[self.jobs.slots] = self._linear[: len(self.jobs.slots)]
        return prices

    def begin(self, seed: int, stopped: Callable[[], bool]) -> None:
        """Prices and a first assignment.

        Where not doing a job was left out and no way was found to do all, it is let in.
        """
        self._price()
        self._start(seed)
        if self.agent is None and not self.jobs.idle:
            jobs = jobs_of(self._market, idle=True)
            assert jobs is not None
            self.__init__(self._market, jobs, self._workers)  # type: ignore[misc]
            self._price()
            self._start(seed)
        self._raise_bound(stopped)
        scale, demand = rounded(self._market, self.demand_prices())
        self.certified = packed_bound(self._market, scale, demand)
        self.least = max(self.least, self.jobs.most - self.certified)

    def _price(self) -> None:
        of = self.jobs
        shown = np.where(of.cost < NEVER, of.cost, 0)
        spread = float(shown.max(axis=0).sum())
        agent, job, bound = agent_ascent(of.cost, of.use, of.capacity, LINEAR_TURNS, 0.2 * spread)
        self._linear = agent
        self.prices = JobPrices(job, agent, bound)

    def _raise_bound(self, stopped: Callable[[], bool]) -> None:
        """Better job prices, stretch by stretch, until they gain too little."""
        of, now = self.jobs, self.prices
        gap = self.cost - now.bound if self.agent is not None else 0.01 * abs(now.bound)
        ahead = 0.05 * gap
        for _ in range(ASCENT_TURNS // ASCENT_STRETCH):
            if stopped():
                self.finished = False
                break
            job, agent, bound, ahead = job_ascent(
                of.cost, of.use, of.capacity, now.job.copy(), ASCENT_STRETCH, ahead, now.bound
            )
            if bound > now.bound:
                now = JobPrices(job, agent, bound)
            else:
                ahead *= 0.5
            if ahead < LEAST_AHEAD * gap:
                break
        self.prices = now

    def _start(self, seed: int) -> None:
        of = self.jobs
        reduced = of.cost + self.prices.agent[:, None] * of.use
        reduced[of.use > of.capacity[:, None]] = 4.0 * NEVER
        near = np.argsort(reduced, axis=0, kind="stable")[:NEAR].T.copy()
        if of.idle:
            # Not to be done is the way out for every job, however dear: without it nearly equal
            # jobs all wait for the same few agents.
            near[~(near == of.agents - 1).any(axis=1), -1] = of.agents - 1
        able = np.minimum((of.use <= of.capacity[:, None]).sum(axis=0), near.shape[1])
        wanted = np.argsort(reduced - reduced.min(axis=0), axis=1, kind="stable")
        wanted = np.ascontiguousarray(wanted[:, : 4 * (of.count // of.agents) + 40])
        field = Field(
            of.cost, of.use, of.capacity, self.prices.agent, near, able.astype(np.int64), wanted
        )
        cost, agent = chains(field, near[:, 0].copy(), seed, KICKS, PATIENCE)
        if cost < NO_COST and of.feasible(agent):
            self.agent, self.cost = agent, int(cost)
        elif of.idle:
            self._take(one_by_one(of, reduced))

    def improve(
        self,
        units: float,
        goal: int,
        seed: int,
        until: float,
        stopped: Callable[[], bool],
        better: Callable[[int], None],
        tighter: Callable[[int], None],
    ) -> bool:
        """Search until ``units`` of work, the value ``goal``, a proof, or the outside.

        ``until`` is a moment of the monotonic clock. Returns whether the limits of work ended it.
        """
        assert self.agent is not None
        of = self.jobs
        work, turn, nodes, longest, each = 0.0, 0, NODES, 0.0, 0.0
        pause = next_proof = TURNS
        ways = [self.agent.copy() for _ in range(STREAMS)]

        def over() -> bool:
            # Once a proof has closed the gap, no dive can change the answer.
            return stopped() or time.monotonic() >= until or self.cost <= self.least

        with ThreadPoolExecutor(min(self._workers, STREAMS), thread_name_prefix="dive") as pool:
            while work < units and self.value < goal and self.cost > self.least:
                begun = time.monotonic()
                if stopped() or begun + longest >= until:
                    return False
                small = of.count * of.agents <= EASY
                proving = (small or turn >= next_proof) and self._is_small()
                most = of.agents if turn == 0 else MOST_FREED
                # While one stream proves, the other dives for about as long.
                slices = 1 + int(self._keep.sum()) // PER_SLICE if proving else 1
                if proving:
                    slices = max(slices, int(nodes * each * PER_UNIT / SLICE))
                aim = Aim(most, self._noise(), self.least)
                tasks = [
                    pool.submit(self._dives, ways[s], seed + 7919 * turn + s, aim, slices, over)
                    for s in range(0 if small and proving else STREAMS - proving)
                ]
                if proving:
                    left = max(0.05, until - time.monotonic())
                    gap = self.cost - self.least
                    # Another seed looks elsewhere: luck decides much of what a proof takes.
                    spent = self._prove((seed + turn) % 2**31, nodes, left, tighter)
                    work, each = work + spent, max(spent, 1e-3) / nodes
                    if self.cost - self.least < gap:
                        pause = TURNS
                    else:
                        nodes = max(NODES, int(min(nodes * MORE_NODES, (units - work) / each)))
                        pause *= MORE_TURNS
                    next_proof = turn + pause
                costs = [task.result() for task in tasks]
                self._meet(ways, costs, better)
                if proving and time.monotonic() >= until:
                    return False  # the clock, not its nodes, ended the proof
                work += len(tasks) * slices * SLICE / PER_UNIT
                turn += 1
                longest = 0.0 if proving else max(0.7 * longest, time.monotonic() - begun)
        return True

    def _noise(self) -> float:
        return max(0.2, 5.0 * (self.cost - self.prices.bound) / self.jobs.count)

    def _dives(
        self, agent: IntArray, seed: int, aim: Aim, slices: int, over: Callable[[], bool]
    ) -> int:
        """Dive from ``agent[J]``, which becomes the best found; its cost. At least one slice."""
        of, trace, cost = self.jobs, np.zeros(2, dtype=np.int64), NO_COST
        most = min(of.agents, max(aim.most if of.agents <= 40 else MOST_FREED, 1))
        for piece in range(slices):
            if piece > 0 and (over() or cost <= aim.cost):
                break
            cost = dives(
                of.cost,
                of.use,
                of.capacity,
                self.prices.job,
                agent,
                (seed + 104_729 * piece) % 2**31,
                most,
                aim.noise,
                SLICE,
                aim.cost,
                trace,
            )
        return cost

    def _is_small(self) -> bool:
        share = 1.0
        while True:
            ahead = max(1, math.ceil(share * (self.cost - self.least)))
            self._goal = self.least + ahead
            kept = [undecided(self.jobs, p, self._goal) for p in (self.prices.agent, self._linear)]
            self._keep = min(kept, key=lambda keep: int(keep.sum()))
            if self._keep.sum() <= MOST_UNDECIDED or ahead == 1:
                return bool(self._keep.sum() <= MOST_UNDECIDED)
            share *= LESS

    def _prove(
        self, seed: int, nodes: int, seconds: float, tighter: Callable[[int], None]
    ) -> float:
        assert self.agent is not None
        proven = prove(self.jobs, self._keep, self._goal, self.agent, seed, nodes, seconds)
        if proven.agent is not None and self.jobs.feasible(proven.agent):
            self._take(proven.agent)
        if proven.bound > self.least:
            self.least = proven.bound
            tighter(self.upper)
        return proven.work

    def _take(self, agent: IntArray) -> bool:
        cost = int(self.jobs.cost[agent, np.arange(self.jobs.count)].sum())
        if cost < self.cost:
            self.agent, self.cost = agent.copy(), cost
            return True
        return False

    def _meet(self, ways: list[IntArray], costs: list[int], better: Callable[[int], None]) -> None:
        """All streams go on from the best; those as good keep their own."""
        gained = False
        for way in ways[: len(costs)]:
            if self.jobs.feasible(way):
                gained = self._take(way) or gained
        assert self.agent is not None
        for s in range(len(ways)):
            if s >= len(costs) or costs[s] > self.cost:
                ways[s] = self.agent.copy()
        better(self.value)
