"""Confidence intervals of a mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev


@dataclass(frozen=True)
class Interval:
    """A mean and the 95 % interval around it."""

    mean: float
    low: float
    high: float

    def percent(self, digits: int = 1) -> str:
        """As per cents: mean and interval."""
        mean, low, high = (f"{100 * x:.{digits}f}" for x in (self.mean, self.low, self.high))
        return f"{mean} % ({low} to {high})"


def student(freedom: int, level: float = 0.95) -> float:
    """The two-sided quantile of Student's t, to 0.5 % from four degrees of freedom on.

    By the Cornish-Fisher expansion (Abramowitz and Stegun 1964, 26.7.5).
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))


def interval(values: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean; of one value, all that is known is the value."""
    mean = fmean(values)
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    half = student(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)
