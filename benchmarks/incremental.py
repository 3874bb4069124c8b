"""Changes of a large market one by one, against solving it whole after each.

`python -m benchmarks.incremental --demands 100000 --changes 1000`: a market of `benchmarks.markets`
is solved whole; then demands and offers are withdrawn, changed and posted, each change solved where
it falls. At the end the changed market is solved whole again for comparison, and both answers are
checked by `verify`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.markets.book import draw
from benchmarks.markets.problem import eligible, market_of
from services.matching.engine import Market, Options, Result, solve, verify
from services.matching.engine.limits import IntArray
from services.matching.engine.result import Certificate
from services.matching.engine.standing import Changed, Standing


def main(
    demands: Annotated[int, typer.Option(min=10)] = 100_000,
    offers: Annotated[int, typer.Option(min=0, help="As many as demands if 0.")] = 0,
    changes: Annotated[int, typer.Option(min=1)] = 1000,
    seconds: Annotated[float, typer.Option(help="For each whole solve.")] = 90.0,
    seed: int = 1,
    workers: int = 2,
    out: Path = Path("artifacts/benchmarks/incremental.jsonl"),
) -> None:
    """Measure changes per second, and how far the value drifts from a whole solve."""
    console = Console()
    options = Options(seed=seed, time_limit_seconds=seconds, workers=workers)
    with console.status("drawing and solving the market whole"):
        book = draw(demands, offers or demands, seed)
        market = market_of(book, eligible(book))
        first, before_seconds = _whole(market, options)
    _check(market, first.quantity, first.certificate, first.objective)
    standing = Standing(market, first.quantity, first.certificate, seed=seed)
    made = _walk(standing, market, changes, np.random.default_rng(seed), console)
    with console.status("solving the changed market whole"):
        changed, quantity = standing.market()
        again, after_seconds = _whole(changed, options)
    _check(changed, quantity, again.certificate, standing.value)
    times = np.array([each.seconds for each in made]) * 1000
    row = {
        "demands": demands,
        "offers": offers or demands,
        "pairs": market.pairs,
        "seed": seed,
        "changes": len(made),
        "median_ms": round(float(np.median(times)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
        "worst_ms": round(float(times.max()), 1),
        "whole_seconds": round(before_seconds, 1),
        "whole_again_seconds": round(after_seconds, 1),
        "value_before": first.objective,
        "value_after": standing.value,
        "value_whole": again.objective,
        "short_percent": round(100 * (again.objective - standing.value) / again.objective, 4),
        "times_faster": round(before_seconds * 1000 / float(np.median(times))),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        file.write(json.dumps(row) + "\n")
    table = Table("figure", "value", title="Changes one by one against whole solves")
    for name, figure in row.items():
        table.add_row(name, f"{figure:,}")
    console.print(table)


def _whole(market: Market, options: Options) -> tuple[Result, float]:
    started = time.monotonic()
    result = solve(market, options)
    return result, time.monotonic() - started


def _walk(
    standing: Standing, market: Market, changes: int, random: np.random.Generator, console: Console
) -> list[Changed]:
    """Withdraw a posting, then post it changed; two demands to an offer."""
    rows = {"demand": list(range(market.demands)), "offer": list(range(market.offers))}
    made: list[Changed] = []
    with console.status("") as status:
        while len(made) < changes:
            kind = "demand" if random.random() < 2 / 3 else "offer"
            place = int(random.integers(len(rows[kind])))
            row, rows[kind][place] = rows[kind][place], standing.sizes[kind]
            if kind == "demand":
                posting = standing.rows_of_demand(row)
                made.append(standing.withdraw_demand(row))
                factor = random.uniform(1.0, 1.25)
                quantity = posting["line_quantity"]
                posting["line_quantity"] = np.maximum(
                    quantity, (quantity * factor).astype(np.int64)
                )
            else:
                posting = standing.rows_of_offer(row)
                made.append(standing.withdraw_offer(row))
                factor = random.uniform(0.75, 1.25)
                posting["slot_capacity"] = (posting["slot_capacity"] * factor).astype(np.int64)
            made.append(standing.post(posting))
            status.update(f"{len(made)} changes, value {standing.value:,}")
    return made


def _check(market: Market, quantity: IntArray, certificate: Certificate, value: int) -> None:
    verdict = verify(market, quantity, certificate, objective=value)
    if not verdict.ok:
        raise RuntimeError(f"the assignment does not verify: {verdict.message}")


if __name__ == "__main__":
    typer.run(main)
