"""Prices of scarce things from the linear relaxation, solved by GLOP through MathOpt's arrays.

The relaxation is the one whose dual `certificate.prove` evaluates: capacity, quantity, bundle,
budget, partner and concentration rows, one-off costs spread over ticks. Its duals are only a good
guess of prices; the proof never relies on them being optimal.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.math_opt import (
    callback_pb2,
    model_parameters_pb2,
    model_pb2,
    parameters_pb2,
    result_pb2,
)
from ortools.math_opt.core.python import solver as math_opt

from services.matching.engine.components import contested_caps, contested_slots
from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.reduced import least_use, setup_most

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prices:
    """Real prices per slot, cap and demand's budget, none negative; whether it could finish.

    Prices per pair, of either sign, are there where minimum runs and sequences shall count.
    """

    slot: FloatArray
    cap: FloatArray
    budget: FloatArray
    finished: bool
    pair: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class _Linear:
    """A maximisation in sparse form; rows have an upper side only, lower is -inf."""

    upper: FloatArray
    weight: FloatArray
    row: IntArray
    column: IntArray
    coefficient: FloatArray
    high: FloatArray


def relaxation_prices(market: Market, seconds: float) -> Prices:
    """Duals of the linear relaxation; zeros where the time ran out first."""
    of = indices(market)
    slots = np.flatnonzero(contested_slots(market, of))
    caps = np.flatnonzero(contested_caps(market, of))
    budgets = np.flatnonzero(market.budget >= 0)
    slot, cap, budget = np.zeros(market.slots), np.zeros(market.caps), np.zeros(market.demands)
    if not len(slots) + len(caps) + len(budgets):
        return Prices(slot, cap, budget, True)
    duals, finished = _duals(_relaxation(market, of, slots, caps, budgets), seconds)
    first, second = len(slots), len(slots) + len(caps)
    slot[slots] = duals[:first]
    cap[caps] = duals[first:second]
    budget[budgets] = duals[second : second + len(budgets)]
    return Prices(slot, cap, budget, finished)


def _relaxation(
    m: Market, of: Indices, slots: IntArray, caps: IntArray, budgets: IntArray
) -> _Linear:
    """Variables x, s, z; rows slot, cap, budget, then most, least and link per line."""
    lines, columns = np.arange(m.lines), np.arange(m.variables)
    s, z = m.variables, m.variables + m.lines
    tick = spread_worth(m, of)
    weight = np.concatenate([tick[m.x_pair], of.per_line, of.per_demand]).astype(float)
    entries: list[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]] = []
    row_of = _positions(slots, m.slots)
    scarce = np.flatnonzero(row_of[m.x_slot] >= 0)
    entries.append((row_of[m.x_slot[scarce]], scarce, m.pair_use[m.x_pair[scarce]]))
    base = len(slots)
    entries.extend(_cap_entries(m, caps, base))
    base += len(caps)
    entries.extend(_budget_entries(m, of, budgets, base, z))
    base += len(budgets)
    most, least, link = base, base + m.lines, base + 2 * m.lines
    entries.append((most + of.x_line, columns, 1.0))
    entries.append((most + lines, s + lines, -m.line_quantity))
    entries.append((least + of.x_line, columns, -1.0))
    entries.append((least + lines, s + lines, m.line_least))
    entries.append((link + lines, s + lines, 1.0))
    entries.append((link + lines, z + m.line_demand, -1.0))
    together = np.flatnonzero(m.bundle[m.line_demand] > 0)
    rows = link + m.lines + np.arange(len(together))
    entries.append((rows, s + together, -1.0))
    entries.append((rows, z + m.line_demand[together], 1.0))
    limited = np.flatnonzero(m.line_max_partners > 0)
    base = link + m.lines + len(together)
    row_of = _positions(limited, m.lines)
    own = np.flatnonzero(row_of[of.x_line] >= 0)
    share = 1.0 / np.maximum(of.pair_most, 1)
    entries.append((base + row_of[of.x_line[own]], own, share[m.x_pair[own]]))
    entries.append((base + np.arange(len(limited)), s + limited, -m.line_max_partners[limited]))
    high = np.zeros(base + len(limited))
    high[: len(slots)] = m.slot_capacity[slots]
    high[len(slots) : len(slots) + len(caps)] = m.cap_limit[caps]
    usable = (of.pair_most >= least_use(m, of))[m.x_pair]
    upper = np.concatenate([of.x_upper * usable, np.ones(m.lines + m.demands)]).astype(float)
    row, column, coefficient = _flat(entries)
    return _Linear(upper, weight, row, column, coefficient, high)


def spread_worth(m: Market, of: Indices) -> FloatArray:
    """Per pair the worth of a tick with one-off costs spread over all ticks that share them."""
    shared = np.maximum(setup_most(m, of), 1)
    tick = of.per_tick + np.minimum(of.per_pair, 0) / np.maximum(of.pair_most, 1)
    tick = tick + (np.minimum(of.per_setup, 0) / shared)[m.pair_setup]
    return np.asarray(tick, dtype=np.float64)


def _cap_entries(
    m: Market, caps: IntArray, base: int
) -> list[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]]:
    order = np.argsort(m.x_pair, kind="stable")
    starts = np.searchsorted(m.x_pair[order], np.arange(m.pairs + 1))
    entries: list[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]] = []
    for position, cap in enumerate(caps.tolist()):
        own = m.cap_pairs[m.cap_start[cap] : m.cap_start[cap + 1]].tolist()
        columns = np.concatenate([order[starts[p] : starts[p + 1]] for p in own])
        entries.append((np.full(len(columns), base + position), columns, 1.0))
    return entries


def _budget_entries(
    m: Market, of: Indices, budgets: IntArray, base: int, z: int
) -> list[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]]:
    shared = np.zeros(m.setups, dtype=np.int64)
    np.add.at(shared, m.pair_setup, of.pair_most)
    cost = m.pair_unit_cost + m.pair_fixed_cost / np.maximum(of.pair_most, 1)
    cost = cost + (m.setup_cost / np.maximum(shared, 1))[m.pair_setup]
    row_of = _positions(budgets, m.demands)
    x = np.flatnonzero(row_of[of.x_demand] >= 0)
    return [
        (base + row_of[of.x_demand[x]], x, cost[m.x_pair[x]]),
        (base + np.arange(len(budgets)), z + budgets, -m.budget[budgets]),
    ]


def _positions(chosen: IntArray, count: int) -> IntArray:
    """Position of each of ``count`` rows among the chosen ones, -1 elsewhere."""
    row_of = np.full(count, -1, dtype=np.int64)
    row_of[chosen] = np.arange(len(chosen))
    return row_of


def _flat(
    entries: list[tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]],
) -> tuple[IntArray, IntArray, FloatArray]:
    """All entries in row-major order, as MathOpt wants them."""
    blocks = [np.broadcast_arrays(*(np.atleast_1d(part) for part in e)) for e in entries]
    row = np.concatenate([b[0] for b in blocks]).astype(np.int64)
    column = np.concatenate([b[1] for b in blocks]).astype(np.int64)
    coefficient = np.concatenate([b[2] for b in blocks]).astype(np.float64)
    order = np.lexsort((column, row))
    order = order[coefficient[order] != 0.0]
    return row[order], column[order], coefficient[order]


def _duals(linear: _Linear, seconds: float) -> tuple[FloatArray, bool]:
    """Row duals of the maximisation, zero where GLOP gives none, and whether it could finish."""
    model = model_pb2.ModelProto()
    columns, rows = len(linear.upper), len(linear.high)
    model.variables.ids.extend(range(columns))
    model.variables.lower_bounds.extend([0.0] * columns)
    model.variables.upper_bounds.extend(linear.upper.tolist())
    model.variables.integers.extend([False] * columns)
    model.objective.maximize = True
    weighted = np.flatnonzero(linear.weight)
    model.objective.linear_coefficients.ids.extend(weighted.tolist())
    model.objective.linear_coefficients.values.extend(linear.weight[weighted].tolist())
    model.linear_constraints.ids.extend(range(rows))
    model.linear_constraints.lower_bounds.extend([-np.inf] * rows)
    model.linear_constraints.upper_bounds.extend(linear.high.tolist())
    model.linear_constraint_matrix.row_ids.extend(linear.row.tolist())
    model.linear_constraint_matrix.column_ids.extend(linear.column.tolist())
    model.linear_constraint_matrix.coefficients.extend(linear.coefficient.tolist())
    parameters = parameters_pb2.SolveParametersProto(threads=1)
    parameters.time_limit.FromTimedelta(datetime.timedelta(seconds=max(seconds, 0.01)))
    answer = math_opt.solve(
        model,
        parameters_pb2.SOLVER_TYPE_GLOP,
        parameters_pb2.SolverInitializerProto(),
        parameters,
        model_parameters_pb2.ModelSolveParametersProto(),
        None,
        callback_pb2.CallbackRegistrationProto(),
        None,
        None,
    )
    duals = np.zeros(rows)
    if answer.solutions and answer.solutions[0].HasField("dual_solution"):
        values = answer.solutions[0].dual_solution.dual_values
        duals[np.array(values.ids, dtype=np.int64)] = np.array(values.values)
    finished = answer.termination.reason == result_pb2.TERMINATION_REASON_OPTIMAL
    return np.maximum(duals, 0.0), finished
