"""Quantities and money as people write them, exactly: units to ticks, CNY to fen, and back.

A tick is the smallest tradable quantity: the unit's resolution. Prices are written per unit and
kept per tick. All arithmetic is decimal; whatever does not come out even is an error with a mend.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Final

from services.files.wording import WrongCell, mark

_FEN: Final = Decimal("0.01")
_MARKS: Final = re.compile(r"^(?:CNY|RMB|[¥￥])\s*|\s*(?:CNY|RMB|元)$", re.IGNORECASE)
_GROUPS: Final = re.compile(r"[1-9]\d{0,2}(?:([.,'])\d{3})(?:\1\d{3})*")
_DIGITS: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_ONE_GROUP: Final = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


def ticks(text: str, resolution: str) -> int:
    """A quantity in units ("12.5") as ticks.

    Raises:
        WrongCell: no number, below 0, or no multiple of the resolution.
    """
    number = number_of(text) / Decimal(resolution)
    if number != number.to_integral_value():
        raise WrongCell(
            mark("%(text)s is no multiple of %(step)s"),
            mark("Quantities come in steps of %(step)s"),
            text=text,
            step=resolution,
        )
    return int(number)


def units(count: int, resolution: str) -> str:
    """Ticks as a quantity in units."""
    return _plain(count * Decimal(resolution))


def fen(text: str) -> int:
    """An amount in CNY ("1250.50") as fen.

    Raises:
        WrongCell: no number, below 0, or with a part of a fen.
    """
    number = number_of(text) / _FEN
    if number != number.to_integral_value():
        raise WrongCell(
            mark("%(text)s has a part of a fen"), mark("Write at most two decimals"), text=text
        )
    return int(number)


def cny(amount: int) -> str:
    """Fen as an amount in CNY."""
    return _plain(amount * _FEN)


def fen_per_tick(text: str, resolution: str) -> int:
    """A price in CNY per unit as fen per tick.

    Raises:
        WrongCell: no number, below 0, or no whole number of fen per tick.
    """
    number = number_of(text) * Decimal(resolution) / _FEN
    if number != number.to_integral_value():
        raise WrongCell(
            mark("%(text)s per unit is no whole number of fen per %(step)s unit"),
            mark("Choose a price whose %(step)s-fold has at most two decimals"),
            text=text,
            step=resolution,
        )
    return int(number)


def cny_per_unit(amount: int, resolution: str) -> str:
    """Fen per tick as a price in CNY per unit.

    Raises:
        WrongCell: it cannot be written as a decimal (a resolution such as 3).
    """
    price = amount * _FEN / Decimal(resolution)
    if price * Decimal(resolution) != amount * _FEN:
        raise WrongCell(
            mark("%(amount)s fen per tick is no decimal per unit"),
            mark("Use JSON Lines"),
            amount=amount,
        )
    return _plain(price)


def count(text: str) -> int:
    """A whole number from 0.

    Raises:
        WrongCell: it is none.
    """
    number = number_of(text)
    if number != number.to_integral_value():
        raise WrongCell(
            mark("%(text)s is no whole number"), mark("Write a whole number"), text=text
        )
    return int(number)


def number_of(text: str) -> Decimal:
    """A number from 0 as spreadsheets write it: 1250.5, 1,250.50, 1.250,50, 1 250,5 or ¥1,250.

    Raises:
        WrongCell: it is none.
    """
    if _DIGITS.fullmatch(text):  # as most are, and a large file has hundreds of thousands
        return Decimal(text)
    plain = _MARKS.sub("", unicodedata.normalize("NFKC", text).strip())
    try:
        number = Decimal(_point(re.sub(r"[\s_]", "", plain)))
    except InvalidOperation:
        raise WrongCell(
            mark("%(text)s is no number"), mark("Write digits, such as 12 or 12.5"), text=text
        ) from None
    if not number.is_finite() or number < 0:
        raise WrongCell(mark("%(text)s is no amount"), mark("Write a number from 0"), text=text)
    return number


def require_clear(text: str) -> None:
    """Check a number of a file in which the comma may be the decimal point.

    Raises:
        WrongCell: it can be read in two ways, such as 1,250: as 1250 or as 1.25.
    """
    if _ONE_GROUP.fullmatch(text.strip()):
        raise WrongCell(
            mark("%(text)s can be read in two ways"),
            mark("Write it without a separator of thousands, and with all decimals or none"),
            text=text,
        )


def _point(text: str) -> str:
    """Return a number with a decimal point and no other separator."""
    if text.count(",") == 1 and "." not in text and not _ONE_GROUP.fullmatch(text):
        return text.replace(",", ".")
    whole, mark_, rest = text, "", ""
    if "," in text and "." in text:
        at = max(text.rfind(","), text.rfind("."))
        whole, mark_, rest = text[:at], ".", text[at + 1 :]
    if _GROUPS.fullmatch(whole) and (mark_ or "," in whole or "'" in whole or whole.count(".") > 1):
        whole = re.sub(r"[.,']", "", whole)
    return whole + mark_ + rest


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
