"""Quantities and money as people write them, exactly: units to ticks, CNY to fen, and back.

A tick is the smallest tradable quantity: the unit's resolution. Prices are written per unit and
kept per tick. All arithmetic is decimal; whatever does not come out even is an error with a mend.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

_FEN: Final = Decimal("0.01")


class WrongAmount(ValueError):  # noqa: N818 - says what is the case
    """A text that is no such amount. `mend` says what to write instead."""

    def __init__(self, description: str, mend: str) -> None:
        super().__init__(description)
        self.mend = mend


def ticks(text: str, resolution: str) -> int:
    """A quantity in units ("12.5") as ticks.

    Raises:
        WrongAmount: no number, below 0, or no multiple of the resolution.
    """
    return _whole(
        _number(text) / Decimal(resolution),
        f"{text} is no multiple of {resolution}",
        f"Quantities come in steps of {resolution}",
    )


def units(count: int, resolution: str) -> str:
    """Ticks as a quantity in units."""
    return _plain(count * Decimal(resolution))


def fen(text: str) -> int:
    """An amount in CNY ("1250.50") as fen.

    Raises:
        WrongAmount: no number, below 0, or with a part of a fen.
    """
    return _whole(_number(text) / _FEN, f"{text} has a part of a fen", "Write at most two decimals")


def cny(amount: int) -> str:
    """Fen as an amount in CNY."""
    return _plain(amount * _FEN)


def fen_per_tick(text: str, resolution: str) -> int:
    """A price in CNY per unit as fen per tick.

    Raises:
        WrongAmount: no number, below 0, or no whole number of fen per tick.
    """
    return _whole(
        _number(text) * Decimal(resolution) / _FEN,
        f"{text} per unit is no whole number of fen per {resolution} unit",
        f"Choose a price whose {resolution}-fold has at most two decimals",
    )


def cny_per_unit(amount: int, resolution: str) -> str:
    """Fen per tick as a price in CNY per unit.

    Raises:
        WrongAmount: it cannot be written as a decimal (a resolution such as 3).
    """
    price = amount * _FEN / Decimal(resolution)
    if price * Decimal(resolution) != amount * _FEN:
        raise WrongAmount(f"{amount} fen per tick is no decimal per unit", "Use JSON Lines")
    return _plain(price)


def count(text: str) -> int:
    """A whole number from 0.

    Raises:
        WrongAmount: it is none.
    """
    return _whole(_number(text), f"{text} is no whole number", "Write a whole number")


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise WrongAmount(f"{text} is no number", "Write digits, such as 12 or 12.5") from None
    if not number.is_finite() or number < 0:
        raise WrongAmount(f"{text} is no amount", "Write a number from 0")
    return number


def _whole(number: Decimal, description: str, mend: str) -> int:
    if number != number.to_integral_value():
        raise WrongAmount(description, mend)
    return int(number)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
