"""What reduced costs leave undecided, solved by HiGHS with the best assignment as hint.

At prices of agents' capacity, giving job j to agent i costs at least the linear bound plus its
reduced cost: pairs that can't be part of a better assignment are dropped (variable fixing as in
Posta, Ferland and Michelon 2012, *An exact method with variable fixing for solving the generalized
assignment problem*). What the rest can't beat is proven for the whole.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

import numpy as np
from ortools.math_opt.python import mathopt
from ortools.math_opt.solvers import highs_pb2

from services.matching.engine.limits import IntArray
from services.matching.engine.whole.jobs import NEVER, Jobs, Mask
from services.matching.engine.whole.knapsack import FloatArray

# With more undecided pairs the relaxation alone takes too long.
MOST_UNDECIDED = 4000
# Simplex iterations per unit of deterministic time.
PER_UNIT = 10_000


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
    jobs: Jobs, keep: Mask, goal: int, agent: IntArray, seed: int, nodes: int, seconds: float
) -> Proven:
    """Look for an assignment cheaper than ``agent[J]`` among the pairs kept, or bound them.

    The pairs kept hold every assignment cheaper than ``goal``: where they have none, ``goal`` is a
    bound. One thread and a limit of nodes make it reproducible unless ``seconds`` end it.
    """
    rows, columns = np.nonzero(keep)
    model = mathopt.Model()
    taken = [model.add_binary_variable() for _ in range(len(rows))]
    once = [model.add_linear_constraint(lb=1.0, ub=1.0) for _ in range(jobs.count)]
    room = [model.add_linear_constraint(ub=float(size)) for size in jobs.capacity]
    for variable, i, j in zip(taken, rows.tolist(), columns.tolist(), strict=True):
        once[j].set_coefficient(variable, 1.0)
        room[i].set_coefficient(variable, float(jobs.use[i, j]))
        model.objective.set_linear_coefficient(variable, float(jobs.cost[i, j]))
    known = {v: float(agent[j] == i) for v, i, j in zip(taken, rows, columns, strict=True)}
    result = mathopt.solve(
        model,
        mathopt.SolverType.HIGHS,
        params=mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=seconds),
            node_limit=nodes,
            relative_gap_tolerance=0.0,
            absolute_gap_tolerance=0.99,
            random_seed=seed,
            highs=highs_pb2.HighsOptionsProto(string_options={"parallel": "off"}),
        ),
        model_params=mathopt.ModelSolveParameters(
            solution_hints=[mathopt.SolutionHint(variable_values=known)]
        ),
    )
    spent = result.solve_stats.simplex_iterations / PER_UNIT
    if result.termination.reason == mathopt.TerminationReason.INFEASIBLE:
        return Proven(goal, None, spent)
    low = result.termination.objective_bounds.dual_bound
    bound = min(goal, math.ceil(low - 1e-4)) if math.isfinite(low) else 0
    if not result.has_primal_feasible_solution():
        return Proven(bound, None, spent)
    values = np.array(result.variable_values(taken))
    better = agent.copy()
    better[columns[values > 0.5]] = rows[values > 0.5]
    return Proven(bound, better, spent)
