"""A realistic market of any size: candidates, build, solve, proof, and rivals beside it.

`python -m benchmarks.market --demands 10000 --offers 10000 --seed 1 --against greedy,fcfs`: a row
per market as JSON Lines in artifacts/ and a table at the end. The market has every rule of the
model (see benchmarks/markets/book.py for what is drawn). *Gap* is proven: to the bound that the
certificate's prices show. `--without sequence,run` leaves rules out, to see where a gap comes from.
Rivals get the same eligible pairs, time and cores.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.markets.book import Book, draw
from benchmarks.markets.leaving_out import LEAVE_OUT, without
from benchmarks.markets.problem import Pairs, eligible, market_of
from benchmarks.markets.rivals import RIVALS, Answer, rival
from services.matching.engine import Market, Options, Progress, Result, solve, verify
from services.matching.engine.components import split
from services.matching.engine.objective import use_of

Row = dict[str, str | int | float]

RESULTS = Path("artifacts") / "benchmarks" / "market.jsonl"
console = Console(stderr=True)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Clock:
    """Wall and processor seconds by phase, into the columns of a row."""

    def __init__(self, row: Row) -> None:
        self._row, self._wall, self._cpu = row, time.perf_counter(), time.process_time()

    def lap(self, phase: str) -> None:
        """End a phase."""
        wall, cpu = time.perf_counter(), time.process_time()
        self._row[f"{phase}_seconds"] = round(wall - self._wall, 3)
        self._row[f"{phase}_cpu"] = round(cpu - self._cpu, 3)
        self._wall, self._cpu = wall, cpu


def share_served(market: Market, quantity: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Ticks served over ticks demanded, of all lines, whether eligible for any offer or not."""
    wanted = int(market.line_quantity.sum())
    return round(int(use_of(market, quantity).pair_ticks.sum()) / max(1, wanted), 4)


def share_used(market: Market, quantity: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Slot ticks taken over slot ticks offered."""
    taken = int((quantity * market.pair_use[market.x_pair]).sum())
    return round(taken / max(1, int(market.slot_capacity.sum())), 4)


def run(
    book: Book, options: Options, row: Row, check: bool, left_out: Sequence[str]
) -> tuple[Market, Pairs, Result]:
    """Candidates, build, solve and verify, with the time of each."""
    clock = Clock(row)
    pairs = eligible(book)
    clock.lap("candidates")
    market = without(market_of(book, pairs), left_out)
    clock.lap("build")
    result = solve(market, options, _Show())
    clock.lap("solve")
    if check:
        verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
        if not verdict.ok:
            raise RuntimeError(f"the engine's own answer does not verify: {verdict.message}")
    clock.lap("verify")
    return market, pairs, result


class _Show:
    """Prints progress when something has changed and a second has passed."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.seconds - self._last < 1.0:
            return
        self._last = progress.seconds
        bound = "?" if progress.bound is None else f"{progress.bound:,}"
        console.print(
            f"  {progress.seconds:6.1f} s  {progress.phase:6}  value {progress.value:,}"
            f"  bound {bound}  components {progress.components_done}/{progress.components}",
            highlight=False,
        )


def measure(
    demands: int,
    offers: int,
    seed: int,
    options: Options,
    rivals: list[str],
    check: bool,
    left_out: Sequence[str] = (),
) -> Row:
    """One market, solved by the engine and by its rivals."""
    row: Row = {"demands": demands, "offers": offers, "seed": seed, "cores": cores()}
    row["load"] = round(os.getloadavg()[0], 1)
    if left_out:
        row["without"] = ",".join(left_out)
    book = draw(demands, offers, seed)
    start, before = time.perf_counter(), time.process_time()
    market, pairs, result = run(book, options, row, check, left_out)
    row["seconds"] = round(time.perf_counter() - start - float(row["verify_seconds"]), 2)
    row["cpu"] = round(time.process_time() - before - float(row["verify_cpu"]), 2)
    row |= {f"{name}_seconds": round(took, 3) for name, took in result.timing.items()}
    row |= {
        "pairs": market.pairs,
        "variables": market.variables,
        "components": len(split(market)),
        "value": result.objective,
        "bound": result.certificate.bound,
        "gap": round(1 - result.objective / max(1, result.certificate.bound), 5),
        "fill": share_served(market, result.quantity),
        "used": share_used(market, result.quantity),
        "reproducible": int(result.reproducible),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    for name in rivals:
        console.print(f"  {name} …")
        answer: Answer = rival(name, market, pairs, options)
        row[f"{name}_seconds"] = round(answer.seconds, 2)
        if answer.quantity is not None:
            row[f"{name}_value"] = answer.value
            row[f"{name}_ratio"] = round(answer.value / max(1, result.objective), 4)
            row[f"{name}_fill"] = share_served(market, answer.quantity)
            row[f"{name}_used"] = share_used(market, answer.quantity)
    return row


def explained(book: Book, options: Options, seconds: float, row: Row) -> None:
    """The book as the service has it, solved, and everything in it explained."""
    from benchmarks.markets import messages
    from services.matching.domain.problem import build
    from services.matching.explain import explain
    from services.matching.explain.solution import Solution

    whole = messages.snapshot(book)
    clock = Clock(row)
    problem = build(whole, messages.policy(), now_period=messages.FIRST_PERIOD)
    clock.lap("messages")
    result = solve(problem.market, options, _Show())
    clock.lap("resolve")
    solution = Solution(problem, result.quantity)
    explain(solution, "rounds/r", options.seed, 0.0)
    clock.lap("funnels")
    found = explain(solution, "rounds/r", options.seed, seconds)
    clock.lap("explain")
    choices = [each for one in found for each in one.choices]
    row |= {
        "explanations": len(found),
        "ms_each": round(float(row["explain_seconds"]) * 1000 / max(1, len(found)), 2),
        "unmatched": sum(each.outcome != "served" for each in found),
        "changes": sum(len(each.counterfactuals) for each in found),
        "choices": len(choices),
        "choices_tried": sum(bool(each.otherwise) for each in choices),
    }


def main(
    demands: Annotated[int, typer.Option(help="how many demands")] = 10_000,
    offers: Annotated[int, typer.Option(help="how many offers")] = 10_000,
    seed: Annotated[int, typer.Option(help="seed of the first market")] = 1,
    markets: Annotated[int, typer.Option(help="how many markets, with seeds one apart")] = 1,
    against: Annotated[str, typer.Option(help=f"any of {','.join(RIVALS)}")] = "",
    leave: Annotated[
        str, typer.Option("--without", help=f"rules left out, any of {','.join(LEAVE_OUT)}")
    ] = "",
    seconds: Annotated[float, typer.Option(help="time limit of a solve")] = 60.0,
    work: Annotated[float, typer.Option(help="deterministic limit of a solve")] = 4.0,
    gap: Annotated[float, typer.Option(help="permille at which a solve may end")] = 5.0,
    workers: Annotated[int, typer.Option(help="threads; 0 for all cores")] = 0,
    check: Annotated[bool, typer.Option(help="verify the answer independently")] = True,
    explain: Annotated[
        float, typer.Option(help="seconds for counterfactuals; 0 for no explanations")
    ] = 0.0,
    warm: Annotated[bool, typer.Option(help="compile before the clock starts")] = True,
    out: Annotated[Path, typer.Option(help="JSON Lines")] = RESULTS,
) -> None:
    """Measure the engine on drawn markets, and rivals on the same ones."""
    rivals = _names(against, RIVALS, "--against", "no rival is called")
    left_out = _names(leave, LEAVE_OUT, "--without", "no rule is called")
    count = workers or cores()
    options = Options(seed, seconds, work, count, gap)
    if warm:
        console.print("compiling …")
        measure(3_000, 3_000, 1, Options(1, 600.0, 0.05, count), [], check=False)
    rows = []
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w") as file:
        for number in range(seed, seed + markets):
            console.print(f"{demands:,} demands, {offers:,} offers, seed {number}")
            rows.append(measure(demands, offers, number, options, rivals, check, left_out))
            if explain:
                explained(draw(demands, offers, number), options, explain, rows[-1])
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    for table in _tables(rows):
        Console().print(table)


def _names(given: str, known: Collection[str], option: str, why: str) -> list[str]:
    """The names in a list set apart by commas."""
    names = [name for name in given.split(",") if name]
    for name in names:
        if name not in known:
            raise typer.BadParameter(
                f"{why} {name}; take any of {','.join(known)}", param_hint=option
            )
    return names


def _tables(rows: list[Row]) -> list[Table]:
    """What was reached, where the time went, and the rivals."""
    groups = {
        "the engine": ("demands", "pairs", "components", "value", "bound", "gap", "fill", "used"),
        "time": ("seconds", "cpu", "load", "candidates_seconds", "build_seconds"),
    }
    phases = tuple(k for k in rows[0] if k.endswith("_seconds") and k.split("_")[0] in _PHASES)
    groups["time"] = (*groups["time"], *phases, "peak_mib")
    if "explanations" in rows[0]:
        groups["explanations"] = (
            *("messages_seconds", "resolve_seconds", "funnels_seconds", "explain_seconds"),
            *("explanations", "ms_each", "unmatched", "changes", "choices", "choices_tried"),
        )
    names = [name for name in RIVALS if any(f"{name}_seconds" in row for row in rows)]
    if names:
        groups["rivals: value over the engine's"] = tuple(
            f"{name}_{column}" for name in names for column in ("ratio", "fill", "used", "seconds")
        )
    tables = []
    for title, columns in groups.items():
        table = Table(*columns, title=title)
        for row in rows:
            table.add_row(*(_text(row.get(column, "-")) for column in columns))
        tables.append(table)
    return tables


_PHASES = ("solve", "cut", "price", "certify", "sweep", "search", "verify")


def _text(value: str | int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    typer.run(main)
