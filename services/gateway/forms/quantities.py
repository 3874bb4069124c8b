"""Between what people type (hours, yuan, weeks) and what contracts hold (ticks, fen, periods)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from services.gateway.formats import MINOR, in_units, monday
from spareline.market.v1.capability_pb2 import Unit

_WEEK = re.compile(r"20\d{2}-W\d{2}", re.ASCII)


class NotWhole(ValueError):  # noqa: N818
    """A value lies between two that can be traded. `step` is the smallest step, as typed."""

    def __init__(self, step: Decimal) -> None:
        super().__init__(f"not a multiple of {step}")
        self.step = step


def ticks(amount: Decimal, unit: Unit) -> int:
    """Return an amount of the unit in ticks. Raises NotWhole."""
    step = Decimal(unit.resolution or "1")
    found = amount / step
    if found != found.to_integral_value():
        raise NotWhole(step)
    return int(found)


def minor(amount: Decimal) -> int:
    """Return yuan as fen. Raises NotWhole below one fen."""
    found = amount * MINOR
    if found != found.to_integral_value():
        raise NotWhole(Decimal(1) / MINOR)
    return int(found)


def price_per_tick(amount: Decimal, unit: Unit) -> int:
    """Return a price per whole unit, in yuan, as fen per tick. Raises NotWhole."""
    step = Decimal(unit.resolution or "1")
    found = amount * MINOR * step
    if found != found.to_integral_value():
        raise NotWhole(Decimal(1) / MINOR / step)
    return int(found)


def plain(amount: Decimal) -> str:
    """Write a number as an input field wants it."""
    return f"{amount.normalize():f}"


def typed_quantity(quantity: int, unit: Unit) -> str:
    """Write ticks as the person typed them."""
    return plain(in_units(quantity, unit))


def typed_money(amount: int) -> str:
    """Write fen as yuan for an input field."""
    return plain(Decimal(amount) / MINOR)


def typed_price(per_tick: int, unit: Unit) -> str:
    """Write fen per tick as yuan per whole unit for an input field."""
    return plain(Decimal(per_tick) / MINOR / Decimal(unit.resolution or "1"))


def period(day: date) -> str:
    """Return the ISO week of a day."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def exists(week: str) -> bool:
    """Tell whether a text is an ISO week, such as 2026-W48."""
    if not _WEEK.fullmatch(week):
        return False
    try:
        return period(monday(week)) == week
    except ValueError:
        return False


def upcoming(today: date, count: int) -> list[str]:
    """Return this week and those after it, `count` in all."""
    return [period(today + timedelta(weeks=i)) for i in range(count)]


def span(first: str, last: str) -> list[str]:
    """Return the ISO weeks from the first to the last, both included."""
    start, end = monday(first), monday(last)
    return [period(start + timedelta(weeks=i)) for i in range((end - start).days // 7 + 1)]


@dataclass(frozen=True, slots=True)
class Run:
    """The same quantity in each week from the first to the last."""

    first: str
    last: str
    quantity: int


def runs(quantities: Iterable[tuple[str, int]]) -> Sequence[Run]:
    """Return quantities by week as runs of equal ones, weeks without any left out."""
    found: list[Run] = []
    for week, quantity in sorted(quantities):
        if quantity == 0:
            continue
        last = found[-1] if found else None
        if (
            last
            and last.quantity == quantity
            and monday(week) - monday(last.last) == timedelta(weeks=1)
        ):
            found[-1] = Run(last.first, week, quantity)
        else:
            found.append(Run(week, week, quantity))
    return found
