"""What reduced costs leave undecided, solved by CP-SAT with the best assignment as hint.

At prices of agents' capacity, giving job j to agent i costs at least the linear bound plus its
reduced cost: pairs that can't be part of a better assignment are dropped (variable fixing as in
Posta, Ferland and Michelon 2012, *An exact method with variable fixing for solving the generalized
assignment problem*). What the rest can't beat is proven for the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from services.matching.engine.limits import IntArray
from services.matching.engine.whole.jobs import NEVER, Jobs, Mask
from services.matching.engine.whole.knapsack import FloatArray

# Above so many undecided pairs CP-SAT gains nothing here.
MOST_UNDECIDED = 4000


@dataclass(frozen=True)
class Proven:
    """A bound on the cost, an assignment if a better one was found, and the work it took."""

    bound: int
    agent: IntArray | None
    work: float


def undecided(jobs: Jobs, price: FloatArray, cost: int) -> Mask:
    """``[A, J]`` pairs that an assignment cheaper than ``cost`` could use."""
    reduced = jobs.cost + price[:, None] * jobs.use
    reduced[(jobs.cost >= NEVER) | (jobs.use > jobs.capacity[:, None])] = np.inf
    least = reduced.min(axis=0)
    bound = float(least.sum() - (price * jobs.capacity).sum())
    # Room for rounding: a pair is dropped only if it is clearly too dear.
    room = cost - 1 - bound + 1e-6 * (1.0 + abs(bound))
    return np.asarray(reduced - least <= room, dtype=np.bool_)


def prove(
    jobs: Jobs, keep: Mask, agent: IntArray, seed: int, work: float, seconds: float
) -> Proven:
    """Look for an assignment cheaper than ``agent[J]`` among the pairs kept, or bound them."""
    cost = int(jobs.cost[agent, np.arange(jobs.count)].sum())
    model = cp_model.CpModel()
    rows, columns = np.nonzero(keep)
    taken = [model.new_bool_var("") for _ in range(len(rows))]
    by_job: list[list[cp_model.IntVar]] = [[] for _ in range(jobs.count)]
    by_agent: list[list[tuple[cp_model.IntVar, int]]] = [[] for _ in range(jobs.agents)]
    for variable, i, j in zip(taken, rows.tolist(), columns.tolist(), strict=True):
        by_job[j].append(variable)
        by_agent[i].append((variable, int(jobs.use[i, j])))
        model.add_hint(variable, bool(agent[j] == i))
    for options in by_job:
        model.add_exactly_one(options)
    for load, capacity in zip(by_agent, jobs.capacity.tolist(), strict=True):
        if sum(size for _, size in load) > capacity:
            model.add(sum(variable * size for variable, size in load) <= capacity)
    total = sum(v * c for v, c in zip(taken, jobs.cost[rows, columns].tolist(), strict=True))
    model.minimize(total)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = work
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.linearization_level = 2
    status = solver.solve(model)
    spent = solver.response_proto.deterministic_time
    if status == cp_model.INFEASIBLE:
        return Proven(cost, None, spent)
    bound = min(cost, math.ceil(solver.best_objective_bound - 1e-6))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE) or solver.objective_value >= cost:
        return Proven(bound, None, spent)
    solution = np.array(solver.response_proto.solution, dtype=np.int64)[: len(rows)]
    better = agent.copy()
    better[columns[solution > 0]] = rows[solution > 0]
    return Proven(bound, better, spent)
