"""Periods: ISO weeks such as ``2026-W48``, and the whole numbers that they are counted by.

The ordinal of a week is the proleptic ordinal of its Monday divided by seven, so that
neighbouring weeks differ by one, over the ends of years too.
"""

import re
from datetime import date, timedelta
from functools import lru_cache

_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")


@lru_cache(maxsize=4096)
def ordinal(week: str) -> int:
    """Return the ordinal of an ISO week. Raises ValueError when there is no such week."""
    found = _WEEK.fullmatch(week)
    if found is None:
        raise ValueError(f"{week!r} is no ISO week such as 2026-W48")
    return date.fromisocalendar(int(found[1]), int(found[2]), 1).toordinal() // 7


def exists(week: str) -> bool:
    """Tell whether there is such a week: few years have a week 53."""
    try:
        ordinal(week)
    except ValueError:
        return False
    return True


def week(number: int) -> str:
    """Return the ISO week of an ordinal."""
    year, count, _ = first_day(number).isocalendar()
    return f"{year:04d}-W{count:02d}"


def first_day(number: int) -> date:
    """Return the Monday with which a week begins."""
    return date.fromordinal(number * 7 + 1)


def end(number: int) -> date:
    """Return the first day that is after a week."""
    return first_day(number) + timedelta(days=7)


def of_day(day: date) -> int:
    """Return the ordinal of the week in which a day lies."""
    return (day - timedelta(days=day.weekday())).toordinal() // 7
