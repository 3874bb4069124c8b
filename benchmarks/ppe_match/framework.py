"""Running a strategy in the package's framework, unchanged, and reading its summary metrics."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import ppe_match
from ppe_match import strategies, testing_framework
from ppe_match.testing_framework import TestingFramework

from benchmarks.ppe_match.policy import Policy
from benchmarks.ppe_match.strategy import EngineStrategy

FOLDER: Final = Path(ppe_match.__file__).parent / "data"
DONORS: Final = FOLDER / "anon_donors.csv"
RECIPIENTS: Final = FOLDER / "anon_recipients.csv"
ENGINE: Final = "Spareline"
RIVALS: Final = {
    "first come first matched": strategies.FCFM_strategy,
    "proximity": strategies.proximity_match_strategy,
}
_LABELS: Final = (
    "avg holding time",
    "avg number of shipments",
    "avg unit-miles",
    "fill rate",
    "fill rate exc zeros",
)
_DATES: Final = "%Y-%m-%d %H:%M:%S.%f+00:00"

Strategy = Callable[[pd.Timestamp, pd.DataFrame, pd.DataFrame, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Five:
    """The framework's summary metrics; the first three are better lower, the fill rates higher."""

    holding_days: float
    shipments: float
    unit_miles: float
    fill: float
    fill_without_zeros: float

    def beats(self, other: Five) -> bool:
        """Better on all five at once."""
        ours, theirs = astuple(self), astuple(other)
        lower = all(a < b for a, b in zip(ours[:3], theirs[:3], strict=True))
        return lower and all(a > b for a, b in zip(ours[3:], theirs[3:], strict=True))


@dataclass(frozen=True)
class Run:
    """What came of one strategy; `units` is not a metric of the framework."""

    name: str
    five: Five
    units: int
    seconds: float


def read(file: Path) -> pd.DataFrame:
    """A file of donations or requests; its dates are of mixed format, which pandas must be told."""
    rows = pd.read_csv(file, index_col=0)
    rows["date"] = pd.to_datetime(rows["date"], format="mixed", utc=True)
    return rows.reset_index(drop=True)


def reordered(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows, each at the moment at which another one, drawn at random, came in."""
    order = np.random.default_rng(seed).permutation(len(rows))
    moments = rows["date"].iloc[order].reset_index(drop=True)
    return rows.reset_index(drop=True).assign(date=moments)


def strategy_of(name: str, policy: Policy) -> Strategy:
    """A fresh strategy by name.

    Raises:
        KeyError: there is none of that name.
    """
    return EngineStrategy(policy) if name == ENGINE else RIVALS[name]


def run(
    name: str, donors: pd.DataFrame, recipients: pd.DataFrame, interval: int, policy: Policy
) -> Run:
    """Run the package's framework with the strategy of that name, from files as it wants them.

    Its constructor reads dates of one format only, so the rows are written once more with such.
    """
    testing_framework.logger.setLevel(logging.ERROR)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spareline-ppe-match-") as folder:
        files = [Path(folder) / each for each in ("donors.csv", "recipients.csv")]
        for file, rows in zip(files, (donors, recipients), strict=True):
            rows.to_csv(file, date_format=_DATES)
        framework = TestingFramework(
            donor_path=str(files[0]),
            recipient_path=str(files[1]),
            strategy=strategy_of(name, policy),
            interval=interval,
        )
    with warnings.catch_warnings():
        # The package concatenates empty frames, which pandas will do otherwise some day.
        warnings.simplefilter("ignore")
        framework.run()
    found = framework.get_metrics().set_index("metric_name")["value"]
    five = Five(*(float(found[label]) for label in _LABELS))
    units = int(framework.get_decisions()["qty"].sum())
    return Run(name, five, units, time.monotonic() - started)


def run_file(name: str, donors: Path, recipients: Path, interval: int, policy: Policy) -> Run:
    """As `run`, for a process of its own."""
    return run(name, read(donors), read(recipients), interval, policy)
