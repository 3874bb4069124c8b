"""The framework's loop once more, on integer ids: the same metrics in a fraction of the time.

For re-orderings and for the frontier, which need many runs. The framework itself spends most of
its time joining tables by text. A test holds the two against each other.
"""

from __future__ import annotations

import datetime
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.ppe_match.framework import FOLDER, Five, Run, Strategy, read, reordered, strategy_of
from benchmarks.ppe_match.policy import Policy

_Left = npt.NDArray[np.float64]

_MINUTE = datetime.timedelta(minutes=1)
_IDS = ("don_id", "rec_id", "ppe")
_LARGEST_DONATION = 1000
_DAY = 86_400.0


@dataclass(frozen=True)
class Tables:
    """Donations, requests and distances with integer ids."""

    donors: pd.DataFrame
    recipients: pd.DataFrame
    distances: pd.DataFrame


def tables(donors: pd.DataFrame, recipients: pd.DataFrame, distances: pd.DataFrame) -> Tables:
    """With every id replaced by its place among all ids in order, so that ties fall the same."""
    given = (donors, recipients, distances)
    made = [each.copy() for each in given]
    for column in _IDS:
        seen = [each[column] for each in given if column in each]
        ids = pd.Index(np.unique(np.concatenate([each.to_numpy(dtype=object) for each in seen])))
        for each in made:
            if column in each:
                each[column] = ids.get_indexer(each[column]).astype(np.int32)
    small = made[0][made[0]["qty"] <= _LARGEST_DONATION].reset_index(drop=True)
    return Tables(small, made[1].reset_index(drop=True), made[2])


def run_reordered(
    name: str, donors: Path, recipients: Path, interval: int, policy: Policy, order: int
) -> Run:
    """Run a strategy on a re-ordering of the requests, in a process of its own."""
    started = time.monotonic()
    given = reordered(read(donors), 2 * order), reordered(read(recipients), 2 * order + 1)
    data = tables(*given, pd.read_csv(FOLDER / "anon_distance_matrix.csv"))
    with warnings.catch_warnings():
        # The package's strategies compare and concatenate as pandas will not allow some day.
        warnings.simplefilter("ignore")
        found, units = enact(strategy_of(name, policy), data, interval)
    return Run(name, found, units, time.monotonic() - started)


def enact(strategy: Strategy, data: Tables, interval: int) -> tuple[Five, int]:
    """The metrics of a strategy, and the units it moved."""
    donors, recipients = data.donors, data.recipients
    stock: _Left = donors["qty"].to_numpy(dtype=np.float64, copy=True)
    open_: _Left = recipients["qty"].to_numpy(dtype=np.float64, copy=True)
    rows: list[tuple[int, int, int, pd.Timestamp, float, float]] = []
    for end in _ends(data, interval):
        there = donors[((donors["date"] < end) & (stock > 0)).to_numpy()]
        asked = recipients[((recipients["date"] < end) & (open_ > 0)).to_numpy()]
        if there.empty or asked.empty:
            continue
        giving, asking = _summed(there, stock, "don_id"), _summed(asked, open_, "rec_id")
        m = data.distances
        m = m[m["don_id"].isin(giving["don_id"]) & m["rec_id"].isin(asking["rec_id"])]
        givers, takers = _queues(there, "don_id"), _queues(asked, "rec_id")
        for don, rec, ppe, qty in strategy(end, giving, asking, m).itertuples(index=False):
            for row, units in _taken(givers[don, ppe], stock, float(qty)):
                held = (end - donors["date"].iat[row]).total_seconds() / _DAY
                rows.append((don, rec, ppe, end, units, float(np.round(held))))
            list(_taken(takers[rec, ppe], open_, float(qty)))
    columns = ["don_id", "rec_id", "ppe", "date", "qty", "days"]
    decisions = pd.DataFrame(rows, columns=columns).merge(data.distances, on=["don_id", "rec_id"])
    return five(decisions, recipients), int(decisions["qty"].sum())


def _ends(data: Tables, interval: int) -> Iterator[pd.Timestamp]:
    """When the framework calls its strategy: the last call takes in what is left."""
    dates = pd.concat([data.donors["date"], data.recipients["date"]])
    start, last = dates.min() - _MINUTE, dates.max() + _MINUTE
    step = datetime.timedelta(days=interval)
    while start + step <= last:
        start += step
        yield start
    yield last + 2 * _MINUTE


def _summed(rows: pd.DataFrame, left: _Left, who: str) -> pd.DataFrame:
    """What the framework hands to a strategy: a row per id and kind."""
    current = rows.assign(qty=left[rows.index])
    return current.groupby([who, "ppe"]).agg({"date": "min", "qty": "sum"}).reset_index()


def _queues(rows: pd.DataFrame, who: str) -> dict[tuple[int, int], list[int]]:
    """Rows by id and kind, the oldest first."""
    queues: dict[tuple[int, int], list[int]] = {}
    ordered = rows.sort_values("date", kind="stable")
    for row, each, ppe in zip(ordered.index, ordered[who], ordered["ppe"], strict=True):
        queues.setdefault((each, ppe), []).append(row)
    return queues


def _taken(queue: list[int], left: _Left, units: float) -> Iterator[tuple[int, float]]:
    """Take units from the rows of a queue, oldest first.

    Raises:
        ValueError: there are not so many.
    """
    for row in queue:
        part = min(units, float(left[row]))
        if part > 0:
            left[row] -= part
            units -= part
            yield row, part
    if units > 0:
        raise ValueError(f"{units} units more than there are")


def five(decisions: pd.DataFrame, recipients: pd.DataFrame) -> Five:
    """The metrics as the framework computes them, from its `compute_metrics`."""
    asked = recipients[recipients["qty"] > 0].groupby(["rec_id", "ppe"])["qty"].sum()
    got = decisions.groupby(["rec_id", "ppe"])["qty"].sum().reindex(asked.index).fillna(0)
    filled = (got / asked).clip(upper=1)
    units = decisions["qty"].sum()
    shipments = len(decisions.groupby(["don_id", "rec_id", "date"]).size())
    return Five(
        holding_days=float((decisions["days"] * decisions["qty"]).sum() / units),
        shipments=shipments / decisions["don_id"].nunique(),
        unit_miles=float((decisions["distance"] * decisions["qty"]).sum() / units),
        fill=float(filled.groupby("ppe").mean().mean()),
        fill_without_zeros=float(filled[filled > 0].groupby("ppe").mean().mean()),
    )
