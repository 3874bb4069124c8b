"""Quantities, money, weeks and times, as a reader of each language writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from google.protobuf.timestamp_pb2 import Timestamp

from services.files.wording import mark
from services.gateway.forms import regions
from services.gateway.languages import locale, translations
from spareline.market.v1.capability_pb2 import LocalizedText, Unit

CURRENCY = "CNY"
MINOR = 100
ZONE = ZoneInfo("Asia/Shanghai")
_TYPED = re.compile(r"\d+(\.\d+)?")
_WEEK = re.compile(r"\d{4}-W\d{2}")
# What the registry calls a firm that hides its name: the code alone is the same in all languages.
_PSEUDONYM = re.compile(r"Partner (\w{5})")
_PARTNER = mark("Partner %(code)s")
_MEMBER = mark("A member of the market")


def money(minor: int, language: str) -> str:
    """Write an amount given in minor units, for example ¥1,250.00 or ¥300."""
    whole = minor % MINOR == 0
    return format_currency(
        Decimal(minor) / MINOR,
        CURRENCY,
        "¤#,##0" if whole else "¤#,##0.00",
        locale=locale(language),
        currency_digits=False,
    ).replace("CN¥", "¥")


def typed(text: str, language: str) -> str:
    """Write a number as its reader does, given as it was typed; another text as it is."""
    return decimal(Decimal(text), language) if _TYPED.fullmatch(text) else text


def typed_money(text: str, language: str) -> str:
    """Write an amount in whole units, given as it was typed; another text as it is."""
    return money(int(Decimal(text) * MINOR), language) if _TYPED.fullmatch(text) else text


def in_units(ticks: int, unit: Unit) -> Decimal:
    """Return a quantity of ticks in the unit itself."""
    return ticks * Decimal(unit.resolution or "1")


def quantity(ticks: int, unit: Unit, language: str) -> str:
    """Write a quantity of ticks with its unit, for example 37.5 machine hours."""
    amount = in_units(ticks, unit)
    name = text(unit.display_name, language) if amount == 1 else several(unit, language)
    return f"{decimal(amount, language)} {name}"


def several(unit: Unit, language: str) -> str:
    """Return what some of a unit are called, for example machine hours; Chinese has one form."""
    return (language == "en" and unit.plural_en) or text(unit.display_name, language)


def unit_money(minor_per_tick: int, unit: Unit, language: str) -> str:
    """Write a price per tick as the price of a whole unit, for example ¥180 / machine hour."""
    per_unit = Decimal(minor_per_tick) / Decimal(unit.resolution or "1")
    return f"{money(int(per_unit), language)} / {text(unit.display_name, language)}"


def text(localized: LocalizedText, language: str) -> str:
    """Return the text of a language, or of the other one where it is missing."""
    return (localized.zh or localized.en) if language == "zh" else (localized.en or localized.zh)


def monday(period: str) -> date:
    """Return the first day of an ISO week such as 2026-W48."""
    year, week = period.split("-W")
    return date.fromisocalendar(int(year), int(week), 1)


def week(period: str, language: str) -> str:
    """Write an ISO week with its Monday, for example "week 48 (23 Nov)"."""
    day = monday(period)
    number = int(period.split("-W")[1])
    if language == "zh":
        return f"第{number}周（{day.month}月{day.day}日起）"
    return f"week {number} ({format_date(day, 'd MMM', locale=locale(language))})"


def week_or_text(value: str, language: str) -> str:
    """Write an ISO week as a reader does, and any other text as it is."""
    try:
        return week(value, language) if _WEEK.fullmatch(value) else value
    except ValueError:  # a week that its year does not have
        return value


def named(name: str, language: str) -> str:
    """Write the name of a firm: as it is, or as its reader calls a firm that is not named yet."""
    translated = translations(language).gettext
    if found := _PSEUDONYM.fullmatch(name):
        return translated(_PARTNER) % {"code": found[1]}
    return translated(_MEMBER) if name == _MEMBER else name


def per_unit(minor_per_tick: int, unit: Unit, language: str) -> str:
    """Write a price per tick as the price of a whole unit, in yuan without fen where it is large.

    For figures over many firms, of which the last digits tell nothing.
    """
    per_unit = Decimal(minor_per_tick) / Decimal(unit.resolution or "1")
    if per_unit >= 100 * MINOR:
        per_unit = round(per_unit / MINOR) * Decimal(MINOR)
    return money(int(per_unit), language)


def short_sunday(period: str, language: str) -> str:
    """Write the last day of an ISO week, for example "29 Nov"."""
    pattern = "M月d日" if language == "zh" else "d MMM"
    return format_date(monday(period) + timedelta(days=6), pattern, locale=locale(language))


def short_monday(period: str, language: str) -> str:
    """Write the Monday of an ISO week, for example "23 Nov"."""
    pattern = "M月d日" if language == "zh" else "d MMM"
    return format_date(monday(period), pattern, locale=locale(language))


def _when(moment: Timestamp | datetime) -> datetime:
    if isinstance(moment, Timestamp):
        moment = moment.ToDatetime(tzinfo=timezone.utc)  # noqa: UP017
    return moment.astimezone(ZONE)


def moment(value: Timestamp | datetime, language: str) -> str:
    """Write a moment in the market's time zone."""
    pattern = "M月d日 HH:mm" if language == "zh" else "d MMM, HH:mm"
    return format_datetime(_when(value), pattern, locale=locale(language))


def date_of(value: Timestamp | datetime, language: str) -> str:
    """Write the day of a moment in the market's time zone, with its year."""
    return day(_when(value).date(), language)


def signed(permille: int, language: str) -> str:
    """Write thousandths as a number with its sign, for example +0.25."""
    return format_decimal(Decimal(permille) / 1000, "+0.0#;-0.0#", locale=locale(language))


def moment_and_year(value: Timestamp | datetime, language: str) -> str:
    """Write a moment in the market's time zone, with its year."""
    pattern = "y年M月d日 HH:mm" if language == "zh" else "d MMM y, HH:mm"
    return format_datetime(_when(value), pattern, locale=locale(language))


def iso(value: Timestamp | datetime) -> str:
    """Write a moment for the browser."""
    return _when(value).isoformat()


def percent(permille: int, language: str) -> str:
    """Write thousandths as per cent."""
    return f"{format_decimal(Decimal(permille) / 10, '#,##0.#', locale=locale(language))} %"


def number(value: int, language: str) -> str:
    """Write a whole number with separators."""
    return format_decimal(value, locale=locale(language))


def decimal(value: Decimal, language: str) -> str:
    """Write a number that may have a fraction."""
    return format_decimal(value.normalize(), locale=locale(language))


def day(value: date, language: str) -> str:
    """Write a day with its year, for example 28 Feb 2027."""
    pattern = "y年M月d日" if language == "zh" else "d MMM y"
    return format_date(value, pattern, locale=locale(language))


def resource_id(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rsplit("/", 1)[-1]


def filters(language: str) -> dict[str, Callable[..., Any]]:
    """Return the template filters of a language."""
    return {
        "money": lambda minor: money(minor, language),
        "quantity": lambda ticks, unit: quantity(ticks, unit, language),
        "amount": lambda ticks, unit: decimal(in_units(ticks, unit), language),
        "typed": lambda text: typed(text, language),
        "typed_money": lambda text: typed_money(text, language),
        "unit_money": lambda minor, unit: unit_money(minor, unit, language),
        "several": lambda unit: several(unit, language),
        "text": lambda localized: text(localized, language),
        "week": lambda period: week(period, language),
        "per_unit": lambda minor, unit: per_unit(minor, unit, language),
        "sunday": lambda period: short_sunday(period, language),
        "monday": lambda period: short_monday(period, language),
        "moment": lambda value: moment(value, language),
        "date": lambda value: date_of(value, language),
        "signed": lambda permille: signed(permille, language),
        "iso": iso,
        "percent": lambda permille: percent(permille, language),
        "number": lambda value: number(value, language),
        "resource_id": resource_id,
        "named": lambda name: named(name, language),
        "region": lambda code: regions.name(code, language),
        "week_or_text": lambda value: week_or_text(value, language),
        # `from` is a keyword of Python, and so no attribute that a template can name.
        "from_value": lambda change: getattr(change, "from"),
    }
