"""From when until when: until March, 到3月底, next 6 weeks, 下个月, from 5 January to week 9.

"Until March" and "3月前" end before March begins; "through March" and "到3月" end with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from services.gateway.understanding.numerals import NUMBER, value

Stretch = tuple[int, int]

_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = _SHORT.split()
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?"
)
_ZH_MONTH = r"(?:1[0-2]|[1-9]|十[一二]?|[一二三四五六七八九])月份?"
_DAY = (
    r"\d{4}-\d{2}-\d{2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}(?:\s+\d{{4}})?"
    rf"|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?!\d)"
    rf"|(?:(?:\d{{4}}|今|明)年)?{_ZH_MONTH}\d{{1,2}}[日号]"
)
_WHOLE = (
    rf"{_MONTH}(?:\s+\d{{4}})?|(?:(?:\d{{4}}|今|明)年)?{_ZH_MONTH}底?"
    r"|(?:\d{4}[- ]?)?w(?:eek)?\s?\d{1,2}\b|第\d{1,2}周"
    r"|(?:the )?end of (?:the|this) (?:month|year|quarter)|(?:今|本)?年底|(?:本)?月底"
    r"|next week|this week|next month|this month|next quarter|q[1-4]\b"
    r"|下个?(?:周|星期)|这周|本周|下个?月|本月|这个月|下个?季度|明年"
)
_POINT = rf"(?:{_DAY}|{_WHOLE})"
_FOR = re.compile(
    rf"(?:(?:for|over|within|in)\s+)?(?:the\s+)?(?:next|coming)\s+({NUMBER})\s+(weeks?|months?)\b"
    rf"|for\s+({NUMBER})\s+(weeks?|months?)\b"
    rf"|(?:接下来|未来|今后|往后|之后|连续)\s*(?:的)?({NUMBER})\s*个?(周|星期|月)(?:内)?"
    rf"|({NUMBER})\s*个?(周|星期|月)(?:之?内|以内)"
)
_TO = r"(?:to|until|till|through|and|-|–|—|~|到|至)"
_RANGE = re.compile(rf"(?:from |between |从)?\s*({_POINT})\s*{_TO}\s*({_POINT})")
_UNTIL = re.compile(rf"\b(?:until|till|before|by)\s+(?:the\s+)?({_POINT})")
_THROUGH = re.compile(
    rf"(?:\b(?:through|up to|to|until|till|before|by)\s+(?:the\s+)?end of\s+(?:the\s+)?"
    rf"|\b(?:through|up to|to)\s+|到|至|直到|截至)\s*({_POINT})"
)
_BEFORE = re.compile(rf"({_POINT})(?:以|之)?前")
_FROM = re.compile(
    rf"(?:\b(?:from|starting|since|after)\s+|从|自)\s*({_POINT})|({_POINT})(?:起|开始)"
)
_DURING = re.compile(rf"(?:\b(?:in|during|this|on)\s+)?({_POINT})")


@dataclass(frozen=True, slots=True)
class Span:
    """The days from the first to the last, both included; None where nothing was said."""

    first: date | None = None
    last: date | None = None


def find(text: str, today: date) -> tuple[Span, list[Stretch]]:
    """Return the time that a folded text speaks of, and where it does."""
    span, places = Span(), list[Stretch]()
    for found, read in _matches(text):
        if any(start < found.end() and found.start() < end for start, end in places):
            continue
        try:
            more = read(found, today)
        except (ValueError, OverflowError):  # 31 February, the year 9999
            continue
        span = Span(span.first or more.first, span.last or more.last)
        places.append(found.span())
    if span.first and span.last and span.first > span.last:
        return replace(span, last=None), places
    return span, places


_Reader = Callable[[re.Match[str], date], Span]


def _matches(text: str) -> Iterator[tuple[re.Match[str], _Reader]]:
    for pattern, read in _READERS:
        for found in pattern.finditer(text):
            yield found, read


def _lasting(found: re.Match[str], today: date) -> Span:
    number, unit = [group for group in found.groups() if group][:2]
    count = int(value(number) or 1)
    days = count * 7 if unit[0] in "w周星" else count * 30
    start = _monday_after(today)
    return Span(start, start + timedelta(days=max(days, 7) - 1))


def _range(found: re.Match[str], today: date) -> Span:
    first, _ = _point(found[1], today)
    return Span(first, _point(found[2], first)[1])


def _until(found: re.Match[str], today: date) -> Span:
    first, last = _point(found[1], today)
    # By a day, or by the end of something, that day still counts.
    return Span(None, last if "end" in found[1] or first == last else first - timedelta(days=1))


def _through(found: re.Match[str], today: date) -> Span:
    return Span(None, _point(found[1], today)[1])


def _before(found: re.Match[str], today: date) -> Span:
    first, last = _point(found[1], today)
    return Span(None, last if "底" in found[1] else first - timedelta(days=1))


def _from(found: re.Match[str], today: date) -> Span:
    return Span(_point(found[1] or found[2], today)[0], None)


def _during(found: re.Match[str], today: date) -> Span:
    first, last = _point(found[1], today)
    return Span(None if "end" in found[1] or "底" in found[1] else first, last)


_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (_FOR, _lasting),
    (_RANGE, _range),
    (_BEFORE, _before),
    (_THROUGH, _through),
    (_UNTIL, _until),
    (_FROM, _from),
    (_DURING, _during),
)


def _point(text: str, today: date) -> tuple[date, date]:
    """Return the first and last day of what a text names. Raises ValueError."""
    if found := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text):
        day = date(int(found[1]), int(found[2]), int(found[3]))
        return day, day
    if found := re.search(r"(?:(\d{4})[- ]?)?w(?:eek)?\s?(\d{1,2})|第(\d{1,2})周", text):
        return _week(int(found[2] or found[3]), found[1], today)
    named = _relative(text, today)
    return named or _by_month(text, today)


def _relative(text: str, today: date) -> tuple[date, date] | None:
    monday = today - timedelta(days=today.weekday())
    if re.search(r"next week|下个?(周|星期)", text):
        return monday + timedelta(days=7), monday + timedelta(days=13)
    if re.search(r"this week|这周|本周", text):
        return today, monday + timedelta(days=6)
    if re.search(r"next month|下个?月", text):
        return _month(today.year + today.month // 12, today.month % 12 + 1)
    if re.search(r"this month|(the|this) month|本月|这个月|^月底", text):
        return today, _month(today.year, today.month)[1]
    if re.search(r"(the|this) year|年底", text):
        return today, date(today.year, 12, 31)
    if text == "明年":
        return date(today.year + 1, 1, 1), date(today.year + 1, 12, 31)
    return _quarter(text, today)


def _quarter(text: str, today: date) -> tuple[date, date] | None:
    now = (today.month - 1) // 3
    if re.search(r"next quarter|下个?季度", text):
        wanted = now + 1
    elif "quarter" in text:
        wanted = now
    elif found := re.fullmatch(r"q([1-4])", text):
        wanted = int(found[1]) - 1
        wanted += 4 if wanted < now else 0
    else:
        return None
    year, quarter = today.year + wanted // 4, wanted % 4
    return _month(year, quarter * 3 + 1)[0], _month(year, quarter * 3 + 3)[1]


def _by_month(text: str, today: date) -> tuple[date, date]:
    month = _number_of_month(text)
    told = re.search(r"\d{4}", text)
    day = re.search(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?(?!\d|月)", text.replace("年", "年 "))
    year = int(told[0]) if told else today.year + text.startswith("明")
    last = _month(year, month)[1]
    if not told and not text.startswith("明") and last < today:
        year, last = year + 1, _month(year + 1, month)[1]
    if day:
        exact = date(year, month, int(day[1]))
        return exact, exact
    return date(year, month, 1), last


def _number_of_month(text: str) -> int:
    if found := re.search(rf"({_MONTH})", text):
        return _MONTHS.index(found[1][:3]) + 1
    found = re.search(r"(\d{1,2}|[一二三四五六七八九十]+)月", text)
    number = value(found[1]) if found else None
    if number is None:
        raise ValueError(f"no month: {text}")
    return int(number)


def _month(year: int, month: int) -> tuple[date, date]:
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, 1), following - timedelta(days=1)


def _week(number: int, year: str | None, today: date) -> tuple[date, date]:
    monday = date.fromisocalendar(int(year) if year else today.year, number, 1)
    if not year and monday + timedelta(days=6) < today:
        monday = date.fromisocalendar(today.year + 1, number, 1)
    return monday, monday + timedelta(days=6)


def _monday_after(today: date) -> date:
    return today + timedelta(days=7 - today.weekday())
