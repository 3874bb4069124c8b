"""The week grid of an offer's form: months in rows, a field for each week.

A week's own field (``week_2026-W48``) stands above what the lines "each week from … until …" say;
0 leaves a week out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from babel.dates import format_date

from services.gateway.formats import monday
from services.gateway.forms.fields import Form
from services.gateway.languages import locale, translations

PREFIX = "week_"


@dataclass(frozen=True, slots=True)
class Week:
    """One cell: its ISO week, the name of its field, and how it is written."""

    period: str
    name: str
    day: str
    label: str


def months(weeks: Sequence[str], language: str) -> list[tuple[str, list[Week]]]:
    """Return the weeks by the month in which their Thursday lies, as ISO 8601 has it for years."""

    def month(period: str) -> str:
        thursday = monday(period) + timedelta(days=3)
        pattern = "yy年M月" if language == "zh" else "MMM y"
        return format_date(thursday, pattern, locale=locale(language))

    return [
        (name, [_week(period, language) for period in group])
        for name, group in groupby(weeks, key=month)
    ]


def _week(period: str, language: str) -> Week:
    _ = translations(language).gettext
    day = monday(period)
    short = f"{day.month}/{day.day}" if language == "zh" else str(day.day)
    number = int(period.split("-W")[1])
    label = _("week %(number)s, from %(day)s") % {
        "number": number,
        "day": format_date(day, "M月d日" if language == "zh" else "d MMM", locale=locale(language)),
    }
    return Week(period, PREFIX + period, short, label)


def fields(amounts: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return amounts by week as the grid's fields."""
    return {PREFIX + week: amount for week, amount in amounts}


def used(form: Form) -> bool:
    """Tell whether any week has a field of its own filled in."""
    return any(name.startswith(PREFIX) and form.text(name) for name in form.values)
