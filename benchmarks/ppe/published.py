"""The package's own strategies and metrics, run as it defines them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd
from ppe_match import strategies, testing_framework
from ppe_match.testing_framework import TestingFramework

from benchmarks.ppe.data import Data, load

STRATEGIES: Final = ("FCFM_strategy", "proximity_match_strategy")
DECISION: Final = ("don_id", "rec_id", "ppe", "date", "qty", "distance", "holding_time")
"""Columns of a decision; `holding_time` is in days."""

_OVERALL: Final = {
    "fill_rate": "fill rate",
    "unit_miles": "avg unit-miles",
    "holding_days": "avg holding time",
    "shipments_per_donor": "avg number of shipments",
}


@dataclass(frozen=True)
class Metrics:
    """The overall metrics of the package, and what was moved."""

    name: str
    fill_rate: float
    unit_miles: float
    holding_days: float
    shipments_per_donor: float
    units: int
    decisions: int


def metrics_of(name: str, data: Data, decisions: pd.DataFrame) -> Metrics:
    """What the package's own code computes for some decisions (columns `DECISION`)."""
    framework = _framework(data)
    framework.all_granular_decisions = decisions
    return _computed(name, framework)


def run_strategy(name: str, data: Data) -> Metrics:
    """Run one of the published strategies over the data with the package's own loop."""
    framework = _framework(data)
    framework.strategy = getattr(strategies, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        framework.run()
    return _computed(name, framework)


def run_strategy_on_file(name: str, weeks: int) -> Metrics:
    """As `run_strategy` on the first weeks of the data, read anew: for a process of its own."""
    data = load()
    return run_strategy(name, data.until(weeks) if weeks < len(list(data.weeks())) else data)


def _framework(data: Data) -> TestingFramework:
    """The package's framework on this data; its constructor would read dates wrongly."""
    testing_framework.logger.setLevel(logging.ERROR)
    framework = TestingFramework.__new__(TestingFramework)
    framework.all_donors = data.donors.copy()
    framework.all_recipients = data.recipients.copy()
    framework.distance_mat = data.distances
    framework.all_granular_decisions = pd.DataFrame(columns=list(DECISION))
    framework.metrics = None
    framework.interval = 7
    framework.max_donation_qty = 1000
    framework.writeFiles = False
    framework.debug = False
    return framework


def _computed(name: str, framework: TestingFramework) -> Metrics:
    decisions = framework.get_decisions()
    if decisions.empty:
        return Metrics(name, 0.0, 0.0, 0.0, 0.0, 0, 0)
    framework.compute_metrics()
    found = framework.get_metrics()
    values: Mapping[str, float] = dict(zip(found["metric_name"], found["value"], strict=True))
    overall = {field: float(values[label]) for field, label in _OVERALL.items()}
    units = int(decisions["qty"].sum())
    return Metrics(name=name, units=units, decisions=len(decisions), **overall)
