"""`python -m benchmarks.ppe_match`: the engine beside the package's two strategies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, astuple
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Annotated, Final

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ppe.beside import give_way
from benchmarks.ppe_match import frontier as frontiers
from benchmarks.ppe_match.framework import (
    DONORS,
    ENGINE,
    FOLDER,
    RECIPIENTS,
    RIVALS,
    Run,
    read,
    run_file,
)
from benchmarks.ppe_match.loop import run_reordered, tables
from benchmarks.ppe_match.policy import Policy

_SENSES: Final = (
    ("holding time, days", False, "{:.2f}"),
    ("shipments per donor", False, "{:.3f}"),
    ("unit-miles", False, "{:.1f}"),
    ("fill", True, "{:.4f}"),
    ("fill without zeros", True, "{:.4f}"),
)
_Job = tuple[str, int]


def main(
    donors: Annotated[Path, typer.Option(help="Donations, in the package's format.")] = DONORS,
    recipients: Annotated[Path, typer.Option(help="Requests, likewise.")] = RECIPIENTS,
    interval: Annotated[int, typer.Option(min=1, help="Days between rounds.")] = 7,
    orders: Annotated[
        int,
        typer.Option(
            min=0,
            help="Random re-orderings: who came when is drawn anew. They run in a quicker copy of "
            "the framework's loop, which gives the same metrics.",
        ),
    ] = 0,
    rivals: Annotated[
        bool, typer.Option(help="Run the package's strategies too, on every order.")
    ] = True,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Move the weights and plot what comes of it.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; each takes about 2 GB.")] = 2,
    artifacts: Annotated[Path, typer.Option(help="Where the results go.")] = Path("artifacts"),
) -> None:
    """Run the engine as a strategy in ppe-match's own test framework, and compare all metrics."""
    console = Console(highlight=False)
    started = time.monotonic()
    # Each process solves on one core; together they use what there is.
    policy = Policy(workers=1 if jobs > 1 else 2)
    names = [ENGINE, *(RIVALS if rivals else ())]
    wanted = [(name, order) for order in range(orders + 1) for name in names]
    runs: dict[_Job, Run] = {}
    for job, done in _all(wanted, donors, recipients, interval, policy, jobs):
        runs[job] = done
        where = f"order {job[1]}" if job[1] else "as given"
        line = ", ".join(_texts(done))
        console.print(f"{where}: {done.name}: {line} ({done.seconds:.0f} s)", soft_wrap=True)
    table = _table([[runs[name, 0]] for name in names], "ppe-match's metrics, data as given")
    console.print(table)
    if orders:
        several = [[runs[name, order] for order in range(1, orders + 1)] for name in names]
        console.print(_table(several, f"{orders} random re-orderings: mean (worst)"))
    if rivals:
        _verdict(console, runs, orders)
    artifacts.mkdir(parents=True, exist_ok=True)
    file = artifacts / "ppe-match.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for (_, order), done in runs.items():
            out.write(json.dumps({"order": order, "interval": interval, **asdict(done)}) + "\n")
    console.print(f"Results: {file}", soft_wrap=True)
    if frontier:
        _frontier(console, donors, recipients, interval, policy, runs, artifacts)
    console.print(f"Took {(time.monotonic() - started) / 60:.1f} minutes.")


def _all(
    wanted: Sequence[_Job],
    donors: Path,
    recipients: Path,
    interval: int,
    policy: Policy,
    jobs: int,
) -> Iterator[tuple[_Job, Run]]:
    """Every run, in the order in which they end."""
    context = get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(wanted)), context, initializer=give_way) as pool:
        under_way = {
            (
                pool.submit(run_reordered, name, donors, recipients, interval, policy, order)
                if order
                else pool.submit(run_file, name, donors, recipients, interval, policy)
            ): (name, order)
            for name, order in wanted
        }
        for future in as_completed(under_way):
            yield under_way[future], future.result()


def _texts(run: Run) -> list[str]:
    values = astuple(run.five)
    return [
        f"{name} {text.format(value)}"
        for (name, _, text), value in zip(_SENSES, values, strict=True)
    ]


def _table(columns: Sequence[Sequence[Run]], title: str) -> Table:
    """A column per strategy; with several runs the mean and, in brackets, the worst."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for runs in columns:
        table.add_column(runs[0].name, justify="right")
    for at, (name, higher, text) in enumerate(_SENSES):
        sense = "higher" if higher else "lower"
        cells = []
        for runs in columns:
            values = [astuple(run.five)[at] for run in runs]
            worst = f" ({text.format((min if higher else max)(values))})" if len(runs) > 1 else ""
            cells.append(text.format(fmean(values)) + worst)
        table.add_row(f"{name} [dim]{sense} is better[/]", *cells)
    units = [f"{fmean(run.units for run in runs):,.0f}" for runs in columns]
    table.add_row("units moved [dim]not a metric of the package[/]", *units)
    seconds = [f"{fmean(run.seconds for run in runs):.0f}" for runs in columns]
    table.add_row("seconds", *seconds)
    return table


def _verdict(console: Console, runs: dict[_Job, Run], orders: int) -> None:
    """On how many orders the engine is better than both strategies on all five at once."""
    better = [
        all(runs[ENGINE, order].five.beats(runs[name, order].five) for name in RIVALS)
        for order in range(orders + 1)
    ]
    console.print(
        f"Better than both on all five at once: {'yes' if better[0] else 'no'} on the data as given"
        + (f"; on {sum(better[1:])} of {orders} re-orderings." if orders else ".")
    )


def _frontier(
    console: Console,
    donors: Path,
    recipients: Path,
    interval: int,
    policy: Policy,
    runs: dict[_Job, Run],
    artifacts: Path,
) -> None:
    """Move the weights; a table, a CSV file and a chart."""
    matrix = pd.read_csv(FOLDER / "anon_distance_matrix.csv")
    near = matrix[matrix["distance"] <= policy.radius_miles].reset_index(drop=True)
    data = tables(read(donors), read(recipients), near)
    points = frontiers.frontier(
        data,
        interval,
        policy,
        lambda p: console.print(f"frontier: {p.name}, shipment {p.per_shipment}: {p.five}"),
    )
    beside = [
        frontiers.Point(run.name, 0, 0, run.five, run.units)
        for (name, order), run in runs.items()
        if name != ENGINE and not order
    ]
    table = Table(title="The frontier as the policy's weights move", title_justify="left")
    for column in ("per shipment", "per unit-mile", *(name for name, _, _ in _SENSES), "units"):
        table.add_column(column, justify="right")
    for point in points:
        texts = [
            text.format(value)
            for (_, _, text), value in zip(_SENSES, astuple(point.five), strict=True)
        ]
        weights = (f"{point.per_shipment:,}", str(point.per_unit_mile))
        table.add_row(*weights, *texts, f"{point.units:,}")
    console.print(table)
    for file in frontiers.write(points, beside, artifacts):
        console.print(f"Frontier: {file}", soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
