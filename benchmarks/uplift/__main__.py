"""`python -m benchmarks.uplift`: how much idle capacity three ways of matching put to use."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.ppe.beside import give_way
from benchmarks.uplift.comparison import Setting, note, table, year
from benchmarks.uplift.year import Outcome


def main(
    firms: Annotated[int, typer.Option(min=10, help="Firms in the market.")] = 120,
    weeks: Annotated[int, typer.Option(min=1, max=500)] = 52,
    seeds: Annotated[int, typer.Option(min=1, help="Markets; intervals are over these.")] = 8,
    calls: Annotated[
        int, typer.Option(min=1, help="Firms that a demand calls in a week, at most.")
    ] = 3,
    passes: Annotated[
        int, typer.Option(min=1, help="Rounds a week, repairs included; listings likewise.")
    ] = 3,
    pressure: Annotated[
        float, typer.Option(min=0.01, help="Hours asked for, over hours idle.")
    ] = 1.0,
    posting: Annotated[
        float, typer.Option(min=0, max=1, help="Share of its idle weeks that a firm posts.")
    ] = 0.85,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    out: Annotated[Path, typer.Option(help="Results, as JSON Lines.")] = Path(
        "artifacts/uplift.jsonl"
    ),
) -> None:
    """Simulate a year of a market, week by week, under three ways of matching."""
    console = Console(highlight=False)
    setting = Setting(firms, weeks, pressure, posting, passes, calls)
    started = time.monotonic()
    found: dict[int, dict[str, Outcome]] = {}
    for seed, outcomes in _all(setting, seeds, jobs):
        found[seed] = outcomes
        shares = ", ".join(f"{name} {each.share:.1%}" for name, each in outcomes.items())
        console.print(f"market {seed} ({len(found)} of {seeds}): {shares}", soft_wrap=True)
    years = [found[seed] for seed in sorted(found)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8") as file:
        for seed in sorted(found):
            for name, outcome in found[seed].items():
                row = {"seed": seed, "way": name, **asdict(setting), **asdict(outcome)}
                file.write(json.dumps(row) + "\n")
    console.print(table(years, setting))
    console.print(note(years), soft_wrap=True)
    minutes = (time.monotonic() - started) / 60
    console.print(f"Results: {out}. Took {minutes:.1f} minutes.", soft_wrap=True)


def _all(setting: Setting, seeds: int, jobs: int) -> Iterator[tuple[int, dict[str, Outcome]]]:
    """Every seed's year, in the order in which they end."""
    context = get_context("spawn")
    with ProcessPoolExecutor(min(jobs, seeds), context, initializer=give_way) as pool:
        under_way = {pool.submit(year, setting, seed): seed for seed in range(1, seeds + 1)}
        for future in as_completed(under_way):
            yield under_way[future], future.result()


if __name__ == "__main__":
    typer.run(main)
