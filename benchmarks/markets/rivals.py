"""What a user would do instead: greedy, first come first served, or one model for everything."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from benchmarks.markets.problem import Pairs
from services.matching.engine import Market, Options, value
from services.matching.engine.compact import compact
from services.matching.engine.cpsat import compile_model
from services.matching.engine.indices import indices
from services.matching.engine.layout import layout
from services.matching.engine.recreate import close_below_run, sweep
from services.matching.engine.serving import new_desk, new_state

IntArray = npt.NDArray[np.int64]

# Above this many variables one model can't be built in the memory of a common machine.
LARGEST_WHOLE = 5_000_000


@dataclass(frozen=True, eq=False)
class Answer:
    """A rival's assignment, None when it had none in time."""

    quantity: IntArray | None
    value: int
    seconds: float


def rival(name: str, market: Market, pairs: Pairs, options: Options) -> Answer:
    """Let one rival solve the market."""
    start = time.perf_counter()
    quantity = RIVALS[name](market, pairs, options)
    worth = 0 if quantity is None else value(market, quantity)
    return Answer(quantity, worth, time.perf_counter() - start)


def _greedy(market: Market, _pairs: Pairs, _options: Options) -> IntArray | None:
    """Demands with the best surplus per tick first, each to its best offers."""
    of = indices(market)
    best = np.full(market.demands, -(2**60))
    np.maximum.at(best, of.pair_demand, of.per_tick)
    return _in_order(market, np.argsort(-best, kind="stable"))


def _fcfs(market: Market, _pairs: Pairs, options: Options) -> IntArray | None:
    """Demands as they come in, in an order drawn once, each to the best of what is left."""
    return _in_order(market, np.random.default_rng(options.seed).permutation(market.demands))


def _in_order(market: Market, order: IntArray) -> IntArray:
    """Serve in this order; offers below their minimum run are called off at the end."""
    sorting = compact(market)
    state = new_state(sorting.rows, market.slot_capacity, market.cap_limit)
    desk, free = new_desk(sorting.rows), np.zeros(market.slots)
    side = np.zeros(market.offers, dtype=np.int64)
    sweep(sorting.rows, state, desk, free, side, -1, order)
    while True:
        below = np.flatnonzero((state.offer_used > 0) & (state.offer_used < market.min_run))
        if not len(below):
            break
        close_below_run(sorting.rows, state, desk, free, side, below)
    quantity = np.zeros(market.variables, dtype=np.int64)
    quantity[sorting.x] = state.quantity
    return quantity


def _cpsat(market: Market, _pairs: Pairs, options: Options) -> IntArray | None:
    """One CP-SAT model of the whole market, in the same time on the same cores."""
    if market.variables > LARGEST_WHOLE:
        return None
    start = time.perf_counter()
    places = layout(market)
    model = compile_model(places, None)
    solver = cp_model.CpSolver()
    left = options.time_limit_seconds - (time.perf_counter() - start)
    solver.parameters.max_time_in_seconds = max(1.0, left)
    solver.parameters.num_workers = options.workers
    solver.parameters.random_seed = options.seed
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return np.array(solver.response_proto.solution, dtype=np.int64)[: places.y]


RIVALS: dict[str, Callable[[Market, Pairs, Options], IntArray | None]] = {
    "greedy": _greedy,
    "fcfs": _fcfs,
    "cpsat": _cpsat,
}
