"""Capacity by week, told in text or pasted from a spreadsheet.

"40 h every week until March, 20 h in week 52": clauses one after the other, each over those
before it. "2026-W49 <tab> 40": a week and a number. "40 <tab> 32 <tab> 0": neighbouring weeks.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_FLOOR, Decimal

from services.gateway.forms import quantities
from services.gateway.understanding import amounts, sentence, weeks
from services.gateway.understanding.numerals import NUMBER, value
from services.gateway.understanding.prefill import HORIZON, QUARTER, weeks_of
from spareline.market.v1.capability_pb2 import Unit

_CLAUSES = re.compile(r"[;；，、\n]|,(?!\d)|\band then\b|\bthen\b|然后|之后")
_ROW = re.compile(rf"\s*(.{{2,20}}?)[\t ]+({NUMBER})\s*")
_NUMBERS = re.compile(rf"\s*{NUMBER}?(?:\t\s*{NUMBER}?)+\s*")
_BARE = re.compile(rf"(?<![\d-]){NUMBER}(?![\d-])")
LONGEST = 8000


def read(text: str, unit: Unit, today: date) -> dict[str, Decimal]:
    """Return how much is free by ISO week, in whole steps of the unit; empty when not understood.

    An amount with no "every week" is meant for each of the weeks that are named.
    """
    found: dict[str, Decimal] = {}
    upcoming = quantities.upcoming(today, HORIZON)
    for raw in text[:LONGEST].replace("\r", "\n").split("\n"):
        if "\t" in raw and _NUMBERS.fullmatch(raw.lower()):
            cells = [value(cell.strip().lower()) or Decimal() for cell in raw.split("\t")]
            start = upcoming.index(max(found)) + 1 if found and max(found) in upcoming else 1
            found |= dict(zip(upcoming[start:], cells, strict=False))
            continue
        row = _pasted(raw, today)
        if row is not None:
            found |= row
            continue
        for clause in _CLAUSES.split(raw):
            found |= _clause(clause, unit, today)
    step = Decimal(unit.resolution or "1")
    return {
        week: (amount / step).to_integral_value(ROUND_FLOOR) * step
        for week, amount in found.items()
        if week in upcoming
    }


def _pasted(raw: str, today: date) -> dict[str, Decimal] | None:
    """Read a row of a spreadsheet: a week or a day, and a number."""
    found = _ROW.fullmatch(sentence.fold(raw))
    if found is None:
        return None
    week, number = found[1].strip(), value(found[2])
    if number is None:
        return None
    if quantities.exists(week.upper()):
        return {week.upper(): number}
    span, places = weeks.find(week, today)
    if places != [(0, len(week))] or span.first is None or span.last is None:
        return None
    first, last = quantities.period(span.first), quantities.period(span.last)
    return {first: number} if first == last else None


def _clause(text: str, unit: Unit, today: date) -> dict[str, Decimal]:
    told = sentence.read(text, today)
    number, family = None, ""
    if told.amount is not None:
        number, family = told.amount.weekly() or told.amount.number, told.amount.family
    elif bare := _BARE.search(told.words):
        number = value(bare[0])
    amount = None if number is None else amounts.in_unit(number, family, unit)
    if amount is None:
        return {}
    first, last = weeks_of(told, today, QUARTER)
    return dict.fromkeys(quantities.span(first, last), amount)
