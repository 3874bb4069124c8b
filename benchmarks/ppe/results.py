"""The replay's table and its artifact."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.ppe.data import Residual
from benchmarks.ppe.published import Metrics
from benchmarks.ppe.replay import Result, WeekResult

OURS = "Spareline"


def week_line(result: WeekResult) -> str:
    """A week in a line."""
    seconds = ", ".join(f"{part} {took:.0f} s" for part, took in result.seconds.items())
    return (
        f"week {result.week:2} ({result.period}): {result.donations} donations, "
        f"{result.requests} requests, {result.pairs} pairs → {result.proposals} proposals, "
        f"{result.units} units, {result.status}, gap {result.gap_ppm / 10_000:.2f} % ({seconds})"
    )


def residual_line(residual: Residual) -> str:
    """How well the coordinates were recovered."""
    return (
        f"Coordinates recovered: {residual.rms:.1f} miles root mean square from the published "
        f"distances, whose rounding to percentiles alone makes {residual.rounding:.1f}; "
        f"{residual.same_percentile:.1%} of the pairs lie in their percentile."
    )


def show(console: Console, metrics: Sequence[Metrics], result: Result, seconds: float) -> None:
    """Print the metrics side by side, the ledger's state and the time."""
    table = Table(title="Metrics as ppe-match defines them", title_justify="left")
    table.add_column("")
    for each in metrics:
        table.add_column(each.name, justify="right", style="bold" if each.name == OURS else "")
    rows = (
        ("fill rate", "higher is better", [f"{each.fill_rate:.4f}" for each in metrics]),
        ("miles per unit", "lower is better", [f"{each.unit_miles:.1f}" for each in metrics]),
        ("holding time, days", "lower is better", [f"{m.holding_days:.1f}" for m in metrics]),
        (
            "shipments per donor",
            "lower is better",
            [f"{each.shipments_per_donor:.2f}" for each in metrics],
        ),
        ("units shipped", "", [f"{each.units:,}" for each in metrics]),
    )
    for name, sense, cells in rows:
        table.add_row(f"{name} [dim]{sense}[/]", *cells)
    console.print(table)
    ledger = result.ledger
    breaches = len(ledger.breaches)
    verdict = "[green]the invariant holds[/]" if not breaches else f"[red]{breaches} breaches[/]"
    console.print(
        f"Ledger: {ledger.offers} offers, {ledger.demands} demands, {ledger.claims} claims: "
        f"{verdict}."
    )
    for breach in ledger.breaches[:10]:
        console.print(f"  {breach}", markup=False)
    console.print(f"The replay took {seconds / 60:.1f} minutes.")


def write(
    folder: Path,
    metrics: Sequence[Metrics],
    result: Result,
    residual: Residual,
    settings: dict[str, Any],
    seconds: float,
) -> Path:
    """Write the results as JSON Lines: the settings, every week, the metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    file = folder / f"replay-ppe-{now:%Y%m%dT%H%M%SZ}.jsonl"
    lines: list[dict[str, Any]] = [
        {"kind": "settings", "time": now.isoformat(), "seconds": round(seconds, 1), **settings},
        {"kind": "coordinates", **asdict(residual)},
        *({"kind": "week", **asdict(each)} for each in result.weeks),
        *({"kind": "metrics", **asdict(each)} for each in metrics),
        {
            "kind": "ledger",
            "offers": result.ledger.offers,
            "demands": result.ledger.demands,
            "claims": result.ledger.claims,
            "breaches": list(result.ledger.breaches),
        },
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file
