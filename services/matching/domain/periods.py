"""Periods: ISO 8601 weeks as text ("2026-W48") and as ordinals that can be counted with.

The ordinal of a week is its Monday's proleptic Gregorian ordinal // 7; weeks in a row have
ordinals in a row, over the end of a year too.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

_PERIOD = re.compile(r"(\d{4})-W(\d{2})")


@lru_cache(maxsize=4096)
def ordinal(period: str) -> int:
    """Return the ordinal of an ISO week such as 2026-W48.

    Raises:
        ValueError: it is no ISO week (2025-W53 is none: that year has 52).
    """
    found = _PERIOD.fullmatch(period)
    if found is None:
        raise ValueError(f"{period!r} is not an ISO week such as 2026-W48")
    return date.fromisocalendar(int(found[1]), int(found[2]), 1).toordinal() // 7


@lru_cache(maxsize=4096)
def name(week: int) -> str:
    """Return the ISO week with this ordinal."""
    year, number, _ = date.fromordinal(week * 7 + 1).isocalendar()
    return f"{year:04d}-W{number:02d}"


def of_time(moment: datetime) -> int:
    """Return the ordinal of the week in which a moment lies, in the moment's own time zone."""
    # Monday has an ordinal of 1 modulo 7, so the shift by one keeps Sunday in its week.
    return (moment.toordinal() - 1) // 7
