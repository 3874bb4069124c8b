"""One market under all ways of matching, and what many markets say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table

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
