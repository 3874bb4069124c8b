"""`python -m benchmarks.uplift`: how much idle capacity three ways of matching put to use."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ppe.beside import give_way
from benchmarks.uplift.intervals import interval
from benchmarks.uplift.ways import calling, listing, spareline
from benchmarks.uplift.world import world
from benchmarks.uplift.year import Outcome, run

ENGINE: Final = "Spareline"
CALLING: Final = "calling around"
LISTING: Final = "first come first served"
NAMES: Final = (ENGINE, LISTING, CALLING)
LITERATURE: Final = 0.25
"""What the literature gives for digital sharing: utilisation a quarter higher."""


@dataclass(frozen=True)
class Setting:
    """What a market is like, and how often a week each way of matching tries."""

    firms: int
    weeks: int
    pressure: float
    posting: float
    passes: int
    calls: int


def year(setting: Setting, seed: int) -> dict[str, Outcome]:
    """The same year under each way of matching."""
    w = world(
        seed, setting.firms, setting.weeks, pressure=setting.pressure, posting=setting.posting
    )
    return {
        ENGINE: run(w, spareline(), setting.passes, posted_only=True)[0],
        LISTING: run(w, listing, setting.passes, posted_only=True)[0],
        CALLING: run(w, calling, setting.calls, posted_only=False)[0],
    }


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


def table(years: Sequence[dict[str, Outcome]], setting: Setting) -> Table:
    """Means over the markets with 95 % intervals; differences are of the same market."""
    title = f"{len(years)} markets, {setting.firms} firms, {setting.weeks} weeks; 95 % intervals"
    made = Table("", *NAMES, title=title, title_justify="left")
    made.columns[0].no_wrap = True
    ours = [each[ENGINE] for each in years]
    rows: dict[str, list[str]] = {}
    for name in NAMES:
        own = [each[name] for each in years]
        cells = {
            "idle hours put to use": interval([o.share for o in own]).percent(),
            "utilisation higher by": interval([o.uplift for o in own]).percent(),
            "hours asked that were worked": interval([o.served for o in own]).percent(),
            "proposals refused": interval(
                [o.turned_down / max(1, o.proposed) for o in own]
            ).percent(),
            "gain per hour worked, fen": f"{interval([o.per_hour for o in own]).mean:,.0f}",
            "Spareline puts to use more by": "",
            "Spareline's gain is higher by": "",
        }
        if name != ENGINE:
            pairs = list(zip(ours, own, strict=True))
            used = interval([a.used / max(1, b.used) - 1 for a, b in pairs])
            gain = interval([a.surplus / max(1, b.surplus) - 1 for a, b in pairs])
            cells["Spareline puts to use more by"] = used.percent()
            cells["Spareline's gain is higher by"] = gain.percent()
        for row, cell in cells.items():
            rows.setdefault(row, []).append(cell)
    for row, texts in rows.items():
        made.add_row(row, *texts)
    return made


def note(years: Sequence[dict[str, Outcome]]) -> str:
    """Our figure beside the literature's, and why it is what it is."""
    ours = interval([each[ENGINE].uplift for each in years])
    calling_ = interval([each[CALLING].uplift for each in years])
    share = interval([each[ENGINE].share for each in years])
    points = interval([each[ENGINE].uplift - each[CALLING].uplift for each in years])
    return (
        f"The literature gives +{LITERATURE:.0%} utilisation for digital sharing. Here it is "
        f"+{ours.percent()} against no sharing at all, and {100 * points.mean:.1f} points "
        f"({100 * points.low:.1f} to {100 * points.high:.1f}) of that above calling around "
        f"(+{calling_.percent()}). It is the share of idle hours put to use "
        f"({share.percent()}) times idle hours over own work, which the model sets: what limits "
        "it is how much is asked for, how often parties refuse, and what is not posted. "
        "See docs/uplift.md."
    )


if __name__ == "__main__":
    typer.run(main)
