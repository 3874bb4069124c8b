"""Which donation could go to which request, and what it would be worth there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.ppe_match.policy import Policy

_DAY: Final = 86_400.0


@dataclass(frozen=True)
class Memory:
    """What a strategy has seen and done so far: nothing that the framework did not show it."""

    received: dict[tuple[Any, Any], int]
    """Units by (recipient, kind)."""
    requests: set[tuple[Any, Any]]
    """Every (recipient, kind) ever seen."""
    shipped: set[Any]
    """Donors who have shipped before."""


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their quantity as whole units in `units`; less than one unit is left out."""
    units = np.floor(rows["qty"].to_numpy(dtype=np.float64)).astype(np.int64)
    return rows.assign(units=units)[units > 0].reset_index(drop=True)


def with_asked(requests: pd.DataFrame, memory: Memory) -> pd.DataFrame:
    """Requests with what they received (`got`) and ask for in all (`asked`); remembers them."""
    keys = list(zip(requests["rec_id"], requests["ppe"], strict=True))
    memory.requests.update(keys)
    got = np.array([memory.received.get(key, 0) for key in keys], dtype=np.int64)
    return requests.assign(got=got, asked=requests["units"].to_numpy() + got)


def worth_by_kind(memory: Memory, policy: Policy) -> pd.Series:
    """Worth of a request served whole, by kind: as many kinds count alike, the rarer the more."""
    counts = pd.Series([kind for _, kind in memory.requests]).value_counts()
    mean = len(memory.requests) / len(counts)
    return policy.per_request * mean / (counts + policy.shrink)


def candidates(
    date: pd.Timestamp,
    donations: pd.DataFrame,
    requests: pd.DataFrame,
    distances: pd.DataFrame,
    memory: Memory,
    policy: Policy,
) -> pd.DataFrame:
    """Pairs worth looking at, sorted by donor, recipient and kind.

    Columns: `donation` and `request` (rows of these), their ids, `ppe`, `tick` (worth of a unit),
    `least` (units worth sending) and `new` (the donor's first shipment).
    """
    near = distances.loc[distances["distance"] <= policy.radius_miles]
    stock = donations[["don_id", "ppe", "date", "units"]].rename(columns={"units": "have"})
    asked = requests[["rec_id", "ppe", "asked", "got", "units"]].rename(columns={"units": "want"})
    pairs = near.merge(stock.reset_index(names="donation"), on="don_id")
    pairs = pairs.merge(asked.reset_index(names="request"), on=["rec_id", "ppe"])
    worth = pairs["ppe"].map(worth_by_kind(memory, policy)).to_numpy(dtype=np.float64)
    days = (date - pairs["date"]).dt.total_seconds() / _DAY
    pairs["tick"] = (
        worth / pairs["asked"]
        + policy.per_unit
        + policy.per_unit_day * days
        - policy.per_unit_mile * pairs["distance"]
    )
    most = np.minimum(pairs["have"], pairs["want"])
    # What has its least part already may be topped up by any number.
    least = np.ceil(pairs["asked"] * policy.least_percent / 100).where(pairs["got"] == 0, 1)
    pairs["least"] = np.clip(least, 1, pairs["want"]).astype(np.int64)
    pairs["new"] = ~pairs["don_id"].isin(memory.shipped)
    pairs["net"] = pairs["tick"] * most - policy.per_shipment * ~pairs["new"]
    pairs["density"] = pairs["net"] / most
    keep = (pairs["least"] <= most) & (pairs["tick"] > 0) & (pairs["net"] > 0)
    return _best(pairs[keep], policy.candidates)


def _best(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """The `count` best of each donation, by worth and by worth per unit."""
    ids = ["don_id", "rec_id", "ppe"]
    pairs = pairs.sort_values(ids, ignore_index=True)
    keep = np.zeros(len(pairs), dtype=bool)
    for by in ("net", "density"):
        order = pairs.sort_values(["donation", by], ascending=[True, False], kind="stable")
        keep[order.groupby("donation").head(count).index] = True
    return pairs[keep].reset_index(drop=True)
