"""The data of `ppe-match`: donations, requests, and the distances between their makers."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import ppe_match

from benchmarks.ppe.positions import FloatArray, latitudes_and_longitudes, recover

INTERVAL: Final = datetime.timedelta(days=7)
"""Days between rounds: the package's own default."""
MOST_DONATED: Final = 1000
"""Donations of more units count as errors: the package's own default."""
_MINUTE: Final = datetime.timedelta(minutes=1)


@dataclass(frozen=True)
class Week:
    """One step of the replay: what came in after `start` and before `end`, when it is cleared."""

    number: int
    start: pd.Timestamp
    end: pd.Timestamp

    @property
    def period(self) -> str:
        """The ISO week in which it is cleared."""
        year, week, _ = self.end.isocalendar()
        return f"{year}-W{week:02d}"

    @property
    def after(self) -> str:
        """The ISO week after it."""
        year, week, _ = (self.end + INTERVAL).isocalendar()
        return f"{year}-W{week:02d}"

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that came in during the week."""
        return rows[(rows["date"] > self.start) & (rows["date"] < self.end)]


@dataclass(frozen=True)
class Data:
    """Donations and requests with unique row labels; distances in miles by donor and recipient."""

    donors: pd.DataFrame
    recipients: pd.DataFrame
    distances: pd.DataFrame

    def weeks(self) -> Iterator[Week]:
        """The steps exactly as the package takes them."""
        dates = pd.concat([self.donors["date"], self.recipients["date"]])
        start, last = dates.min() - _MINUTE, dates.max() + _MINUTE
        number, end = 1, start + INTERVAL
        while end <= last:
            yield Week(number, start, end)
            number, start, end = number + 1, end, end + INTERVAL
        yield Week(number, start, last + 2 * _MINUTE)

    def until(self, weeks: int) -> Data:
        """What came in during the first `weeks` weeks."""
        end = list(self.weeks())[:weeks][-1].end
        return Data(
            self.donors[self.donors["date"] < end],
            self.recipients[self.recipients["date"] < end],
            self.distances,
        )


@dataclass(frozen=True)
class Sites:
    """Coordinates in degrees (latitude, longitude) by donor and by recipient."""

    donors: dict[str, tuple[float, float]]
    recipients: dict[str, tuple[float, float]]
    residual: Residual


@dataclass(frozen=True)
class Residual:
    """How well the recovered positions give the distances back, in miles.

    The published distances are rounded to the means of their hundred percentiles, so an exact
    position still misses them by `rounding` (root mean square).
    """

    rms: float
    rounding: float
    same_percentile: float
    """Share of the pairs whose recovered distance lies in the published percentile."""


def load() -> Data:
    """Read the package's files; its dates are of mixed format, which pandas 2 must be told."""
    folder = Path(ppe_match.__file__).parent / "data"
    donors = _dated(folder / "anon_donors.csv")
    return Data(
        donors[donors["qty"] <= MOST_DONATED],
        _dated(folder / "anon_recipients.csv"),
        pd.read_csv(folder / "anon_distance_matrix.csv"),
    )


def _dated(file: Path) -> pd.DataFrame:
    rows = pd.read_csv(file, index_col=0)
    rows["date"] = pd.to_datetime(rows["date"], format="mixed", utc=True)
    return rows


def sites(distances: pd.DataFrame) -> Sites:
    """Recover everybody's coordinates from the distances; see `positions`."""
    matrix = distances.pivot(index="don_id", columns="rec_id", values="distance")
    values: FloatArray = matrix.to_numpy(dtype=np.float64)
    known = ~np.isnan(values)
    means = np.unique(values[known])
    edges = _edges(means)
    percentile = np.searchsorted(means, np.where(known, values, means[0]))
    error = np.diff(edges)[percentile] / np.sqrt(12)
    found = recover(values, np.where(known, error, 1.0), sweeps=2)
    again = found.distances()
    inside = (again >= edges[percentile]) & (again <= edges[percentile + 1])
    residual = Residual(
        rms=float(np.sqrt(np.mean((again - values)[known] ** 2))),
        rounding=float(np.sqrt(np.mean(error[known] ** 2))),
        same_percentile=float(inside[known].mean()),
    )
    rows, columns = latitudes_and_longitudes(found)
    return Sites(_by_id(matrix.index, rows), _by_id(matrix.columns, columns), residual)


def _edges(means: FloatArray) -> FloatArray:
    """The bounds of the percentiles, taken half-way between their means."""
    middle = (means[1:] + means[:-1]) / 2
    last = 2 * means[-1] - middle[-1]
    return np.concatenate([[0.0], middle, [last]])


def _by_id(ids: Any, degrees: FloatArray) -> dict[str, tuple[float, float]]:
    pairs = zip(ids, degrees.tolist(), strict=True)
    return {str(each): (place[0], place[1]) for each, place in pairs}
