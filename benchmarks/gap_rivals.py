"""The whole assignment model by CP-SAT, HiGHS and SCIP, each with the engine's time and cores."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ortools.math_opt.python import mathopt
from ortools.sat.python import cp_model

from benchmarks.gap_instance import Instance


@dataclass(frozen=True)
class Answer:
    """Cost and bound (None where there is none), and the seconds that the solver took."""

    cost: int | None
    bound: int | None
    seconds: float


def cpsat(one: Instance, seconds: float, cores: int) -> Answer:
    """One CP-SAT model with a boolean per pair."""
    model = cp_model.CpModel()
    agents, jobs = one.cost.shape
    taken = [[model.new_bool_var("") for _ in range(jobs)] for _ in range(agents)]
    for j in range(jobs):
        model.add_exactly_one(taken[i][j] for i in range(agents))
    flat = [x for row in taken for x in row]
    for i in range(agents):
        load = cp_model.LinearExpr.weighted_sum(taken[i], one.use[i].tolist())
        model.add(load <= int(one.capacity[i]))
    model.minimize(cp_model.LinearExpr.weighted_sum(flat, one.cost.ravel().tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = cores
    solver.parameters.max_time_in_seconds = seconds
    begun = time.perf_counter()
    status = solver.solve(model)
    spent = time.perf_counter() - begun
    bound = math.ceil(solver.best_objective_bound - 1e-6)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer(None, bound, spent)
    chosen = np.array(solver.response_proto.solution, dtype=np.int64).reshape(agents, jobs)
    return Answer(one.cost_of(chosen.argmax(axis=0)), bound, spent)


def highs(one: Instance, seconds: float, cores: int) -> Answer:
    """The integer program by HiGHS, which chooses its threads itself."""
    del cores
    return _integer_program(one, mathopt.SolverType.HIGHS, seconds)


def scip(one: Instance, seconds: float, cores: int) -> Answer:
    """The integer program by SCIP, which uses one core whatever it is given."""
    del cores
    return _integer_program(one, mathopt.SolverType.GSCIP, seconds)


def _integer_program(one: Instance, solver: mathopt.SolverType, seconds: float) -> Answer:
    model = mathopt.Model()
    agents, jobs = one.cost.shape
    taken = [[model.add_binary_variable() for _ in range(jobs)] for _ in range(agents)]
    for j in range(jobs):
        row = model.add_linear_constraint(lb=1.0, ub=1.0)
        for i in range(agents):
            row.set_coefficient(taken[i][j], 1.0)
    for i in range(agents):
        row = model.add_linear_constraint(ub=float(one.capacity[i]))
        for j in range(jobs):
            row.set_coefficient(taken[i][j], float(one.use[i, j]))
            model.objective.set_linear_coefficient(taken[i][j], float(one.cost[i, j]))
    limits = mathopt.SolveParameters(time_limit=datetime.timedelta(seconds=seconds))
    begun = time.perf_counter()
    result = mathopt.solve(model, solver, params=limits)
    spent = time.perf_counter() - begun
    low = result.termination.objective_bounds.dual_bound
    bound = math.ceil(low - 1e-4) if math.isfinite(low) else None
    if not result.has_primal_feasible_solution():
        return Answer(None, bound, spent)
    values = result.variable_values()
    chosen = np.array([[values[x] for x in row] for row in taken])
    return Answer(one.cost_of(chosen.argmax(axis=0).astype(np.int64)), bound, spent)


RIVALS: dict[str, Callable[[Instance, float, int], Answer]] = {
    "cpsat": cpsat,
    "highs": highs,
    "scip": scip,
}
