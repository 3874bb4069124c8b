"""The weights of the strategy: what a shipment, a unit, a mile and a day of waiting count.

The unit of worth is arbitrary: `per_request` is what serving an average request whole is worth, and
all other weights are read against it. None was fitted to a row of the data.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Weights and limits of one strategy.

    A request served whole is worth ``per_request`` on average, whatever its size, more where few
    have asked for its kind (the framework's fill rate is a mean over kinds of means over requests).
    """

    per_request: int = 1_000_000
    per_unit: int = 30_000
    """Worth of moving a unit at all: goods should not lie about."""
    per_unit_mile: int = 80
    """Price of moving a unit a mile."""
    per_unit_day: int = 300
    """Worth of a unit for each day it has been waiting: what is near may wait for nearer."""
    per_shipment: int = 1_500_000
    """Price of a shipment; a donor's first one is free of it (shipments are counted per donor)."""
    least_percent: int = 80
    """Least part of a request worth sending, in per cent of what was asked."""
    radius_miles: float = 500.0
    """No shipment goes further."""
    candidates: int = 30
    """Requests looked at per donation: so many of the most worth, and as many by worth per unit."""
    shrink: int = 50
    """Requests of a kind assumed before any is seen, so that the first few do not weigh all."""
    seconds: float = 30.0
    """Longest time to solve a round: a safety net, the deterministic limit comes first."""
    deterministic_limit: float = 0.3
    workers: int = 2
    seed: int = 1
