"""The generalized assignment problem inside a market, as dense arrays of jobs and agents.

A demand is a *job* when it has one line that is taken whole, by one partner, in the one slot that
each of its pairs has, and nothing but the slots' capacity joins it to others. A slot is an *agent*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.whole.knapsack import FloatArray

Mask = npt.NDArray[np.bool_]

# Dense arrays of jobs times agents are kept up to this many cells, where pairs fill enough of them.
MOST_CELLS = 4_000_000
LEAST_FILLED = 0.1
MOST_CAPACITY = 2_000_000
# What a cell without a pair costs: more than any assignment, yet sums stay exact.
NEVER = 2**45


@dataclass(frozen=True, eq=False)
class Jobs:
    """Minimise cost; every job goes to one agent. Value in the market = ``most`` - cost.

    ``cost[A, J]`` and ``use[A, J]`` stand at NEVER and capacity + 1 where there is no pair;
    ``capacity[A]``; ``variable[A, J]`` is the market's variable or -1. With ``idle``, the last
    agent stands for a job that is not done: it has room for all.
    """

    cost: IntArray
    use: IntArray
    capacity: IntArray
    variable: IntArray
    slots: IntArray  # [A] slot of each agent but the idle one
    demands: IntArray  # [J]
    top: IntArray  # [J] value of the job at cost 0
    idle: bool

    @property
    def most(self) -> int:
        """Value at cost 0."""
        return int(self.top.sum())

    @property
    def agents(self) -> int:
        """Number of agents, the idle one included."""
        return int(self.cost.shape[0])

    @property
    def count(self) -> int:
        """Number of jobs."""
        return int(self.cost.shape[1])

    def value(self, agent: IntArray) -> int:
        """What ``agent[J]`` is worth in the market."""
        return self.most - int(self.cost[agent, np.arange(self.count)].sum())

    def feasible(self, agent: IntArray) -> bool:
        """Whether every job has a pair there and every agent holds what it is given."""
        jobs = np.arange(self.count)
        load = np.zeros(self.agents, dtype=np.int64)
        np.add.at(load, agent, self.use[agent, jobs])
        return bool((load <= self.capacity).all() and (self.cost[agent, jobs] < NEVER).all())


def pair_worth(market: Market, of: Indices) -> IntArray:
    """Per pair of single-line demands what the demand done whole there is worth."""
    m = market
    size = m.line_quantity[m.pair_line]
    worth = of.per_tick * size + of.per_pair + of.per_setup[m.pair_setup]
    return worth + of.per_line[m.pair_line] + of.per_demand[of.pair_demand]


def able_pairs(market: Market, of: Indices) -> Mask:
    """Per pair whether it could do its demand whole, within its budget and its slot."""
    m = market
    size = m.line_quantity[m.pair_line]
    paid = m.pair_unit_cost * size + m.pair_fixed_cost + m.setup_cost[m.pair_setup]
    budget = m.budget[of.pair_demand]
    return (of.pair_most >= size) & (of.pair_least <= size) & ((budget < 0) | (paid <= budget))


def is_whole(market: Market) -> bool:
    """Whether every demand is a job."""
    m, of = market, indices(market)
    if not m.pairs or len(m.before_line) or m.caps or len(m.pin_x) or (m.min_run > 1).any():
        return False
    if (np.bincount(m.line_demand, minlength=m.demands) > 1).any():
        return False
    if (np.bincount(m.x_pair, minlength=m.pairs) > 1).any():
        return False
    pairs = np.bincount(m.pair_line, minlength=m.lines)
    alone = (m.line_max_partners == 1) | (pairs <= 1) | (m.line_quantity == 1)
    alone |= 2 * m.line_least_share > m.line_quantity
    return bool((alone & (m.line_least == m.line_quantity)).all() and able_pairs(m, of).any())


def jobs_of(market: Market, *, idle: bool | None = None) -> Jobs | None:
    """The market's jobs, None where it has another structure or is too large to be dense.

    ``idle`` False leaves not doing a job out, True keeps it in, None leaves it out where doing one
    more job is worth more than all that could be lost by it.
    """
    if not is_whole(market):
        return None
    m, of = market, indices(market)
    xs = np.flatnonzero(able_pairs(m, of)[m.x_pair])
    demands, job = np.unique(of.x_demand[xs], return_inverse=True)
    slots, agent = np.unique(m.x_slot[xs], return_inverse=True)
    cells = len(demands) * (len(slots) + 1)
    if cells > MOST_CELLS or len(xs) < LEAST_FILLED * cells:
        return None
    if m.slot_capacity[slots].max() > MOST_CAPACITY:
        return None
    worth = pair_worth(m, of)[m.x_pair[xs]]
    best = np.full(len(demands), -NEVER)
    np.maximum.at(best, job, worth)
    least = np.full(len(demands), NEVER)
    np.minimum.at(least, job, worth)
    if idle is None:
        idle = bool(least.min() <= (best - least).sum())
    best = np.maximum(best, 0) if idle else best
    shape = (len(slots) + idle, len(demands))
    capacity = np.append(m.slot_capacity[slots], [len(demands)] * idle).astype(np.int64)
    cost, variable = np.full(shape, NEVER), np.full(shape, -1)
    use = np.broadcast_to(capacity[:, None] + 1, shape).copy()
    cost[agent, job], variable[agent, job] = best[job] - worth, xs
    use[agent, job] = m.pair_use[m.x_pair[xs]] * m.line_quantity[of.x_line[xs]]
    if idle:
        cost[-1], use[-1] = best, 1
    return Jobs(cost, use, capacity, variable, slots, demands, best, idle)


def one_by_one(jobs: Jobs, reduced: FloatArray) -> IntArray:
    """``agent[J]``: each job in turn at the agent of least ``reduced[A, J]`` cost that has room.

    Those that lose most by not being done come first. Feasible where the last agent is idle.
    """
    left = jobs.capacity.copy()
    agent = np.full(jobs.count, jobs.agents - 1, dtype=np.int64)
    for job in np.argsort(-jobs.cost[-1], kind="stable").tolist():
        fits = np.flatnonzero((jobs.use[:, job] <= left) & (jobs.cost[:, job] < NEVER))
        agent[job] = fits[np.argmin(reduced[fits, job])]
        left[agent[job]] -= jobs.use[agent[job], job]
    return agent


def quantity_of(market: Market, jobs: Jobs, agent: IntArray) -> IntArray:
    """``quantity[X]`` of ``agent[J]``."""
    quantity = np.zeros(market.variables, dtype=np.int64)
    xs = jobs.variable[agent, np.arange(jobs.count)]
    xs = xs[xs >= 0]
    quantity[xs] = market.line_quantity[market.pair_line[market.x_pair[xs]]]
    return quantity
