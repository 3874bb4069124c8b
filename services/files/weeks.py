"""Weeks as people write them: ISO weeks, days, and the Chinese way."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from services.files.wording import WrongCell, mark

_ISO = re.compile(r"(\d{4})\s*[-/ ]?\s*[wW]\s*(\d{1,2})")
_BACKWARDS = re.compile(r"(?:[wW]|KW\s*)\s*(\d{1,2})\s*[-/ .]\s*(\d{4})")
_CHINESE = re.compile(r"(\d{4})\s*年\s*第?\s*(\d{1,2})\s*周")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ][\d:.]+)?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def looks_like_week(text: str) -> bool:
    """Tell whether a text is meant as a week: the header of a column of quantities, say."""
    return any(x.fullmatch(text.strip()) for x in (_ISO, _BACKWARDS, _CHINESE, _DAY, _DAY_FIRST))


@lru_cache(maxsize=4096)
def week(text: str) -> str:
    """Return an ISO week such as 2026-W48; a day stands for the week in which it lies.

    Raises:
        WrongCell: the text is neither, or there is no such week or day.
    """
    text = text.strip()
    try:
        return _week(text)
    except ValueError:
        raise WrongCell(
            mark("%(text)s is no week"), mark("Write a week such as 2026-W48, or a day"), text=text
        ) from None


def _week(text: str) -> str:
    if found := _ISO.fullmatch(text) or _CHINESE.fullmatch(text):
        return _of(date.fromisocalendar(int(found[1]), int(found[2]), 1))
    if found := _BACKWARDS.fullmatch(text):
        return _of(date.fromisocalendar(int(found[2]), int(found[1]), 1))
    if found := _DAY.fullmatch(text):
        return _of(date(int(found[1]), int(found[2]), int(found[3])))
    if found := _DAY_FIRST.fullmatch(text):
        return _of(date(int(found[3]), int(found[2]), int(found[1])))
    raise ValueError(text)


def _of(day: date) -> str:
    year, number, _ = day.isocalendar()
    return f"{year:04d}-W{number:02d}"
