"""A whole round on the sample market many times over, where nearly all of one trade fit all.

`python -m benchmarks.dense --times 1,10,30,100`: the book is built in memory, with copies of each
firm within some 40 km, and a round is run on it in its two processes as a service does: eligible
pairs, solve, check, explanations. A row per size as JSON Lines and a table: postings, pairs, pairs
weighed, seconds and processor seconds of each phase, the most memory that each process held, gap,
demands served. No server is needed.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.markets.copied import NOW, copied_book
from benchmarks.markets.over_all import bound_over_all
from services.matching.domain.policies import standard
from services.matching.engine import SolverProcess
from services.matching.rounds.answer import Answer
from services.matching.rounds.runner import RoundRunner
from services.matching.rounds.snapshot import RoundInputs
from services.matching.settings import MatchingSettings
from spareline.matching.v1.round_pb2 import RoundProgress

RESULTS = Path("artifacts/dense.jsonl")
DEFAULT_PAIRS = int(MatchingSettings.model_fields["most_pairs"].default)

Row = dict[str, Any]


async def measure(
    times: int, most_pairs: int, seconds: float, seed: int, over_all: bool = False
) -> Row:
    """Run one round; its sizes, times, memory and outcome, and what its prices prove of all."""
    book = copied_book(times)
    inputs = RoundInputs("rounds/r1", book, standard(), NOW, seed, seconds, most_pairs=most_pairs)
    solver = SolverProcess()
    runner = RoundRunner(solver)
    row: Row = {"times": times, "postings": len(book.offers) + len(book.demands)}
    phase, began = "", time.monotonic()

    def end() -> None:
        nonlocal began
        if phase:
            row[f"{phase}_seconds"] = round(time.monotonic() - began, 1)
        began = time.monotonic()

    async def tell(step: RoundProgress) -> None:
        nonlocal phase
        if step.phase != phase:
            end()
            phase = step.phase

    await solver.start()
    started = time.monotonic()
    result = await runner.run(inputs, tell)
    end()
    row["seconds"] = round(time.monotonic() - started, 1)
    row |= _used("solver", solver.pid) | _used("worker", runner.pid)
    outcome, size = result.outcome, result.size
    row |= {
        "pairs": size.pairs,
        "weighed": size.pairs - size.pairs_left_out,
        "value": outcome.objective,
        "gap_percent": round(outcome.gap_ppm / 10_000, 2),
        "served": outcome.demands_served,
        "proposals": len(result.drafts),
        "explanations": len(result.explanations),
        "answer_mib": round(len(result.answer) / 2**20, 2),
        "reproducible": outcome.reproducible,
        "load": round(os.getloadavg()[0], 1),
    }
    await runner.close()
    await solver.close()
    if over_all:
        bound = bound_over_all(inputs.problem(), Answer.from_bytes(result.answer).certificate)
        row["over_all_percent"] = round(100 * (bound / outcome.certified_bound - 1), 3)
    return row


def _used(name: str, pid: int | None) -> Row:
    """Processor seconds of a process, and the most memory it held."""
    times = psutil.Process(pid).cpu_times()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {f"{name}_cpu": round(times.user + times.system, 1), f"{name}_mib": peak // 1024}


def main(
    times: Annotated[str, typer.Option(help="how many times over")] = "1,10,30,100",
    most_pairs: Annotated[int, typer.Option(help="pairs weighed; 0: all")] = DEFAULT_PAIRS,
    seconds: Annotated[float, typer.Option(help="time limit of the solve")] = 60.0,
    seed: Annotated[int, typer.Option(help="seed of the round")] = 7,
    over_all: Annotated[
        bool, typer.Option(help="price the pairs left out too: by how much that raises the bound")
    ] = False,
    out: Annotated[Path, typer.Option(help="JSON Lines")] = RESULTS,
) -> None:
    """Measure rounds on dense markets."""
    rows = []
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w") as file:
        for each in times.split(","):
            typer.echo(f"the sample {each} times over")
            rows.append(asyncio.run(measure(int(each), most_pairs, seconds, seed, over_all)))
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    names = list(rows[-1])
    for title, some in (("sizes and outcome", _OUTCOME), ("time and memory", None)):
        columns = ["times", *(n for n in names if n != "times" and (n in _OUTCOME) == bool(some))]
        table = Table(*columns, title=title)
        for row in rows:
            table.add_row(*(str(row.get(name, "")) for name in columns))
        Console().print(table)


_OUTCOME = frozenset(
    {
        *("postings", "pairs", "weighed", "value", "gap_percent", "served", "proposals"),
        *("explanations", "answer_mib", "reproducible", "over_all_percent"),
    }
)


if __name__ == "__main__":
    typer.run(main)
