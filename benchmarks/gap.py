"""Generalized assignment instances: cost, proven bound and seconds, beside whole-model solvers.

`python -m benchmarks.gap --dir DIR --seconds 60 --against cpsat,highs,scip`: a row per instance as
JSON Lines in artifacts/ and a table with the means by type. *Gap* is to the best known cost of
best_known.csv, *proven* to the bound that each solver states itself (the engine's is checked by
`verify`). Compiled loops are loaded before the clock starts, rivals' models built before theirs.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.gap_instance import Instance, read
from benchmarks.gap_rivals import RIVALS, Answer
from services.matching.engine import Options, Result, solve, verify

Row = dict[str, str | int | float | None]

RESULTS = Path("artifacts") / "benchmarks" / "gap.jsonl"
# A limit of work that is never met: here the clock ends the search.
UNLIMITED = 1e9
console = Console(stderr=True)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def engine(one: Instance, seconds: float, workers: int, seed: int) -> tuple[Answer, Result]:
    """The engine's answer, verified; the cost is None where some job is not done.

    Raises:
        RuntimeError: the answer does not verify.
    """
    market = one.market()
    options = Options(
        seed=seed, time_limit_seconds=seconds, deterministic_limit=UNLIMITED, workers=workers
    )
    begun = time.perf_counter()
    result = solve(market, options)
    spent = time.perf_counter() - begun
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    if not verdict.ok:
        raise RuntimeError(f"{one.name}: the engine's answer does not verify: {verdict.message}")
    agents, jobs = one.cost.shape
    taken = result.quantity.reshape(agents, jobs)
    whole = one.bonus * jobs
    cost = one.cost_of(taken.argmax(axis=0)) if (taken.sum(axis=0) == 1).all() else None
    return Answer(cost, whole - result.upper_bound, spent), result


def percent(value: int | None, below: int | None) -> float | None:
    """How far ``value`` lies above ``below``, in percent."""
    if value is None or below is None:
        return None
    return round(100.0 * (value - below) / max(1, abs(below)), 4)


def columns(name: str, answer: Answer, one: Instance) -> Row:
    """One solver's columns of an instance's row."""
    return {
        f"{name}_cost": answer.cost,
        f"{name}_bound": answer.bound,
        f"{name}_gap": percent(answer.cost, one.known_cost),
        f"{name}_proven": percent(answer.cost, answer.bound),
        f"{name}_seconds": round(answer.seconds, 2),
    }


def measure(one: Instance, seconds: float, rivals: list[str], seed: int) -> Row:
    """One instance by the engine and every rival, with the processor seconds of the engine."""
    began = time.process_time()
    answer, result = engine(one, seconds, cores(), seed)
    row: Row = {
        "instance": one.name,
        "type": one.kind,
        "agents": one.cost.shape[0],
        "jobs": one.cost.shape[1],
        "limit": seconds,
        "cores": cores(),
        "load": round(os.getloadavg()[0], 1),
        "known_bound": one.known_bound,
        "known_cost": one.known_cost,
        "engine_cpu": round(time.process_time() - began, 2),
        "engine_certified": one.bonus * one.cost.shape[1] - result.certified_bound,
    }
    row |= columns("engine", answer, one)
    for name in rivals:
        row |= columns(name, RIVALS[name](one, seconds, cores()), one)
    return row


def summary(rows: list[Row], names: list[str]) -> Table:
    """Means and worst gaps by type; the last line has types C, D and E together."""
    table = Table(title=f"generalized assignment, {cores()} cores")
    for head in ("type", "instances", "solver", "solved", "mean gap %", "worst gap %"):
        table.add_column(head, justify="right")
    for head in ("mean proven %", "mean seconds", "worse than best rival"):
        table.add_column(head, justify="right")
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[str(row["type"])].append(row)
    order = sorted(groups)
    groups["C, D, E"] = [row for row in rows if row["type"] in ("C", "D", "E")]
    for kind in [*order, "C, D, E"]:
        for name in names if groups[kind] else []:
            table.add_row(kind, str(len(groups[kind])), name, *_cells(groups[kind], name, names))
    return table


def _cells(rows: list[Row], name: str, names: list[str]) -> list[str]:
    def mean(column: str) -> str:
        values = [float(v) for row in rows if (v := row[f"{name}_{column}"]) is not None]
        return f"{np.mean(values):.3f}" if values else "-"

    gaps = [float(v) for row in rows if (v := row[f"{name}_gap"]) is not None]
    solved = sum(row[f"{name}_cost"] is not None for row in rows)
    worse = sum(_worse(row, names) for row in rows) if name == "engine" else ""
    worst = f"{max(gaps):.3f}" if gaps else "-"
    return [str(solved), mean("gap"), worst, mean("proven"), mean("seconds"), str(worse)]


def _worse(row: Row, names: list[str]) -> bool:
    """Whether some rival found a cheaper assignment than the engine."""
    rivals = [int(v) for n in names if n != "engine" and (v := row[f"{n}_cost"]) is not None]
    own = row["engine_cost"]
    return bool(rivals) and (own is None or int(own) > min(rivals))


def main(
    directory: Annotated[Path, typer.Option("--dir", help="folder with the instances")],
    seconds: Annotated[float, typer.Option(help="limit per instance and solver")] = 60.0,
    against: Annotated[str, typer.Option(help="any of cpsat,highs,scip")] = "",
    instances: Annotated[str, typer.Option(help="patterns of names, by comma")] = "*",
    limit: Annotated[int, typer.Option(help="so many instances at most, 0 all")] = 0,
    seed: Annotated[int, typer.Option(help="of the engine's search")] = 1,
    out: Annotated[Path, typer.Option(help="JSON Lines, a row per instance")] = RESULTS,
) -> None:
    """Solve every instance and print costs, bounds and gaps."""
    rivals = [name.strip() for name in against.split(",") if name.strip()]
    unknown = sorted(set(rivals) - set(RIVALS))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(RIVALS)}")
    found = read(directory, instances)
    if not found:
        raise typer.BadParameter(f"no instance in {directory} fits {instances}")
    found = found[:limit] if limit else found
    console.print(f"{len(found)} instances; loading compiled loops")
    engine(_warm_up(), 2.0, cores(), seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with out.open("w") as file:
        for number, one in enumerate(found, 1):
            row = measure(one, seconds, rivals, seed)
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            shown = ", ".join(
                f"{n} {row[f'{n}_cost']} [{row[f'{n}_bound']}] {row[f'{n}_seconds']} s"
                for n in ["engine", *rivals]
            )
            console.print(
                f"{number}/{len(found)} {one.name}: best {one.known_cost}; {shown}",
                highlight=False,
                soft_wrap=True,
            )
    Console().print(summary(rows, ["engine", *rivals]))


def _warm_up() -> Instance:
    """A small instance that takes every path of the search once."""
    rng = np.random.default_rng(1)
    use = rng.integers(5, 26, (5, 50))
    cost = 40 - use + rng.integers(-5, 6, (5, 50))
    capacity = (use.sum(axis=1) * 0.8 / 5).astype(np.int64)
    return Instance("warm-up", cost, use, capacity, None, None)


if __name__ == "__main__":
    typer.run(main)
