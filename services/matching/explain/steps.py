"""The smallest step of a kind of change that is confirmed, found by bisection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from services.matching.domain.tables import Tables
from spareline.market.v1.capability_pb2 import Unit


@dataclass(frozen=True, eq=False)
class Change:
    """One change to one's own demand or offer, and the tables that hold it.

    ``size`` is the change in thousandths for prices and quantities, in periods for windows, else 1.
    """

    field: str
    line: str
    before: str
    after: str
    size: int
    tables: Tables


Step = TypeVar("Step")


def smallest(
    steps: Sequence[Step], make: Callable[[Step], Change], confirmed: Callable[[Change], bool]
) -> Change | None:
    """The first step, from small to large, that is confirmed.

    Larger steps of a kind allow all that smaller ones do, so the largest is tried first: where it
    fails nothing else can hold.
    """
    if not steps:
        return None
    best = make(steps[-1])
    if not confirmed(best):
        return None
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        change = make(steps[middle])
        if confirmed(change):
            best, high = change, middle
        else:
            low = middle + 1
    return best


def percent_up(value: int, percent: int) -> int:
    """A value raised by whole hundredths, rounded up."""
    return -(-value * (100 + percent) // 100)


def percent_down(value: int, percent: int) -> int:
    """A value lowered by whole hundredths, rounded down."""
    return value * (100 - percent) // 100


def permille(before: int, after: int) -> int:
    """The size of a change in thousandths of the value before, rounded up."""
    return -(-abs(after - before) * 1000 // max(1, abs(before)))


def price(per_tick: int, unit: Unit) -> str:
    """A price per tick as one writes it: of a whole unit, in the currency's main unit."""
    amount = Decimal(per_tick) / 100 / _resolution(unit)
    return f"{amount:.2f}" if amount == round(amount, 2) else _plain(amount)


def quantity(ticks: int, unit: Unit) -> str:
    """A quantity of ticks as one writes it: in the unit itself."""
    return _plain(ticks * _resolution(unit))


def _resolution(unit: Unit) -> Decimal:
    return Decimal(unit.resolution or "1")


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def money(minor: int) -> str:
    """An amount as one writes it, in the currency's main unit."""
    return f"{minor // 100}.{minor % 100:02d}"
