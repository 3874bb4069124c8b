"""One component, solved by CP-SAT: rows to a model in bulk, a hint in, an assignment out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from services.matching.engine.constraints import ALL, UNBOUNDED, Rows
from services.matching.engine.layout import Layout, layout
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market


@dataclass(frozen=True)
class Limits:
    """Where a search ends: deterministic work, wall clock (safety net), and a relative gap."""

    seed: int
    deterministic: float
    seconds: float
    gap: float


@dataclass(frozen=True, eq=False)
class Found:
    """What CP-SAT knows: ``quantity`` None when it has no assignment, ``bound`` None if no bound.

    ``infeasible`` is proven; ``cut_short`` says that the wall clock or a stop ended the search;
    ``work`` is the deterministic time it took.
    """

    quantity: IntArray | None
    bound: int | None
    infeasible: bool
    cut_short: bool
    work: float = 0.0


@dataclass(frozen=True, eq=False)
class Extension:
    """Variables and rows beside the market's own; new variables are counted on from the layout's.

    ``upper``, ``hint`` and ``weight`` are those of the new variables (all start at 0); ``rows``
    may speak of all variables.
    """

    upper: IntArray
    hint: IntArray
    weight: IntArray
    rows: Rows


class Search:
    """A search that another thread may stop.

    ``on_value`` and ``on_bound`` are called from CP-SAT's thread with better and better numbers.
    """

    def __init__(
        self,
        market: Market,
        hint: IntArray | None,
        on_value: Callable[[int], None],
        on_bound: Callable[[int], None],
        extension: Callable[[Layout], Extension] | None = None,
    ) -> None:
        self._layout = layout(market)
        self._model = compile_model(self._layout, hint)
        if extension is not None:
            _extend(self._model, self._layout, extension(self._layout))
        self._solver = cp_model.CpSolver()
        self._on_value = on_value
        self._on_bound = on_bound
        self._seen: int | None = None
        self._solver.best_bound_callback = self._tighter
        self._stopped = False

    def stop(self) -> None:
        """End the search as soon as it can; safe from any thread."""
        self._stopped = True
        self._solver.stop_search()

    def run(self, limits: Limits) -> Found:
        """Search to proof or to the limits."""
        parameters = self._solver.parameters
        parameters.num_workers = 1
        parameters.random_seed = limits.seed
        parameters.max_deterministic_time = limits.deterministic
        parameters.max_time_in_seconds = limits.seconds
        parameters.relative_gap_limit = limits.gap
        parameters.linearization_level = 2
        if self._stopped:
            return Found(None, None, False, True)
        status = self._solver.solve(self._model, _Watch(self._on_value))
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"the compiled model is invalid: {self._model.validate()}")
        if status == cp_model.INFEASIBLE:
            return Found(None, None, True, False)
        response = self._solver.response_proto
        known = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        ended = status == cp_model.OPTIMAL or response.deterministic_time >= limits.deterministic
        quantity = None
        if known:
            quantity = np.array(response.solution, dtype=np.int64)[: self._layout.y]
        return Found(
            quantity,
            self._bound() if known else self._seen,
            False,
            not ended,
            response.deterministic_time,
        )

    def _tighter(self, bound: float) -> None:
        # An answer without an assignment carries no bound (it says 0), so the last one is kept.
        if math.isfinite(bound):
            self._seen = _down(bound)
            self._on_bound(self._seen)

    def _bound(self) -> int | None:
        """The weaker of CP-SAT's integer and real bounds, rounded away from the value."""
        response = self._solver.response_proto
        real = response.best_objective_bound
        if not math.isfinite(real):
            return None
        return max(-int(response.inner_objective_lower_bound), _down(real))


class _Watch(cp_model.CpSolverSolutionCallback):
    """Passes each better value on."""

    def __init__(self, on_value: Callable[[int], None]) -> None:
        super().__init__()
        self._on_value = on_value

    def on_solution_callback(self) -> None:
        """Called by CP-SAT at each better assignment."""
        self._on_value(round(self.objective_value))


def _down(bound: float) -> int:
    """The integer at or below an upper bound on an integer objective, with room for its error."""
    return math.floor(bound + 1e-6 + abs(bound) * 1e-12)


def compile_model(v: Layout, hint: IntArray | None) -> cp_model.CpModel:
    """The CP-SAT model of all constraints in `constraints.ALL`, maximising the sum of terms."""
    model = cp_model.CpModel()
    proto = model.proto
    upper = v.upper()
    for high in upper.tolist():
        proto.variables.add().domain.extend([0, high])
    for constraint in ALL:
        _add(proto, constraint(v), upper)
    weights = v.objective()
    weighted = np.flatnonzero(weights)
    proto.objective.vars.extend(weighted.tolist())
    proto.objective.coeffs.extend((-weights[weighted]).tolist())
    proto.objective.scaling_factor = -1.0
    if hint is not None:
        proto.solution_hint.vars.extend(range(v.size))
        proto.solution_hint.values.extend(v.complete(hint).tolist())
    return model


def _extend(model: cp_model.CpModel, v: Layout, more: Extension) -> None:
    proto = model.proto
    for high in more.upper.tolist():
        proto.variables.add().domain.extend([0, high])
    _add(proto, more.rows, np.concatenate([v.upper(), more.upper]))
    weighted = np.flatnonzero(more.weight)
    proto.objective.vars.extend((v.size + weighted).tolist())
    proto.objective.coeffs.extend((-more.weight[weighted]).tolist())
    proto.solution_hint.vars.extend(range(v.size, v.size + len(more.upper)))
    proto.solution_hint.values.extend(more.hint.tolist())


def _add(proto: object, rows: Rows, upper: IntArray) -> None:
    """Append the rows that could bind; what the variables' ranges imply is left out."""
    reach = rows.coefficient * upper[rows.variable]
    most, least = np.zeros(len(rows.low), dtype=np.int64), np.zeros(len(rows.low), dtype=np.int64)
    np.add.at(most, rows.row, np.maximum(reach, 0))
    np.add.at(least, rows.row, np.minimum(reach, 0))
    binding = (most > rows.high) | (least < rows.low)
    order = np.argsort(rows.row, kind="stable")
    starts = np.searchsorted(rows.row[order], np.arange(len(rows.low) + 1)).tolist()
    variables = rows.variable[order].tolist()
    coefficients = rows.coefficient[order].tolist()
    lows = np.maximum(rows.low, -UNBOUNDED).tolist()
    highs = np.minimum(rows.high, UNBOUNDED).tolist()
    for row in np.flatnonzero(binding).tolist():
        linear = proto.constraints.add().linear  # type: ignore[attr-defined]
        linear.vars.extend(variables[starts[row] : starts[row + 1]])
        linear.coeffs.extend(coefficients[starts[row] : starts[row + 1]])
        linear.domain.extend([lows[row], highs[row]])
