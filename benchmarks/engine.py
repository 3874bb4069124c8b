"""The engine against one CP-SAT model of the whole market and against greedy, side by side.

`python -m benchmarks.engine --offers 60 --demands 80 --seconds 20`: a row per seed, as JSON Lines
in artifacts/ and as a table at the end. The rival gets the same model, time and cores. Machines
are noisy: read the ratios, which come from one run.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ortools.sat.python import cp_model
from rich.console import Console
from rich.table import Table

from services.matching.engine import Market, Options, solve, value, verify
from services.matching.engine.cpsat import compile_model
from services.matching.engine.greedy import greedy
from services.matching.engine.layout import layout
from tests.unit.engine.markets import middling

RESULTS = Path("artifacts") / "benchmarks" / "engine.jsonl"


def _engine(market: Market, seconds: float, seed: int) -> tuple[int, int]:
    result = solve(market, Options(seed=seed, time_limit_seconds=seconds, workers=_cores()))
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    if not verdict.ok:
        raise RuntimeError(f"the engine's own answer does not verify: {verdict.message}")
    return result.objective, result.upper_bound


def _whole(market: Market, seconds: float, seed: int) -> tuple[int, int]:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = _cores()
    solver.parameters.random_seed = seed
    places = layout(market)
    status = solver.solve(compile_model(places, None))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return 0, int(solver.best_objective_bound)
    found = np.array(solver.response_proto.solution, dtype=np.int64)[: places.y]
    return value(market, found), int(solver.best_objective_bound)


def _greedy(market: Market, _seconds: float, _seed: int) -> tuple[int, int]:
    found = greedy(market, np.zeros(market.slots))
    return (0 if found is None else value(market, found)), 0


RIVALS: dict[str, Callable[[Market, float, int], tuple[int, int]]] = {
    "engine": _engine,
    "cpsat": _whole,
    "greedy": _greedy,
}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(offers: int, demands: int, seed: int, seconds: float) -> dict[str, float | int]:
    """Solve one market by every rival and return values, bounds, seconds and ratios."""
    market = middling(seed, offers, demands)
    row: dict[str, float | int] = {
        "seed": seed,
        "offers": offers,
        "demands": demands,
        "pairs": market.pairs,
        "cores": _cores(),
    }
    for name, rival in RIVALS.items():
        start = time.perf_counter()
        worth, bound = rival(market, seconds, seed)
        row |= {
            f"{name}_value": worth,
            f"{name}_bound": bound,
            f"{name}_seconds": round(time.perf_counter() - start, 2),
        }
    best = max(1, int(row["engine_value"]))
    row["cpsat_ratio"] = round(int(row["cpsat_value"]) / best, 4)
    row["greedy_ratio"] = round(int(row["greedy_value"]) / best, 4)
    row["engine_gap"] = round(1 - best / max(1, int(row["engine_bound"])), 4)
    return row


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=30)
    parser.add_argument("--demands", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3, help="how many markets")
    parser.add_argument("--seconds", type=float, default=10.0, help="time limit of each rival")
    given = parser.parse_args()
    console = Console()
    columns = ("seed", "pairs", "engine_gap", "engine_seconds", "cpsat_ratio", "cpsat_seconds")
    table = Table(*columns, "greedy_ratio", title="value over the engine's value, same time")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("w") as file:
        for seed in range(1, given.seeds + 1):
            with console.status(f"market {seed} of {given.seeds}"):
                row = measure(given.offers, given.demands, seed, given.seconds)
            file.write(json.dumps(row) + "\n")
            table.add_row(*(str(row[name]) for name in (*columns, "greedy_ratio")))
    console.print(table)


if __name__ == "__main__":
    main()
