"""From what people write to what the market counts: ticks, fen and periods."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from deploy.sample.files import SampleError

Number = int | Decimal

_FEN = 100


@dataclass(frozen=True)
class Measures:
    """One tick of each capability in its unit, and the Monday of the week that counts as 0."""

    resolution: dict[str, Decimal]
    monday: date

    def ticks(self, capability: str, quantity: Number) -> int:
        """Ticks of a quantity in the capability's unit. Raises SampleError when not whole."""
        return _whole(Decimal(quantity) / self._tick(capability), f"{quantity} of {capability}")

    def fen_per_tick(self, capability: str, yuan: Number) -> int:
        """Fen per tick of a price per unit. Raises SampleError when not whole."""
        return _whole(
            Decimal(yuan) * _FEN * self._tick(capability), f"{yuan} yuan per unit of {capability}"
        )

    def week(self, ahead: int) -> str:
        """The ISO week so many weeks after the one that counts as 0."""
        year, number, _ = (self.monday + timedelta(weeks=ahead)).isocalendar()
        return f"{year}-W{number:02d}"

    def _tick(self, capability: str) -> Decimal:
        try:
            return self.resolution[capability]
        except KeyError:
            raise SampleError(f"{capability} is not in the taxonomy") from None


def fen(yuan: Number) -> int:
    """Fen of an amount. Raises SampleError when not whole."""
    return _whole(Decimal(yuan) * _FEN, f"{yuan} yuan")


def monday_of(day: date) -> date:
    """The Monday of a day's ISO week."""
    return day - timedelta(days=day.weekday())


def _whole(number: Decimal, what: str) -> int:
    if number != number.to_integral_value():
        raise SampleError(f"{what} is no whole number of the smallest unit ({number})")
    return int(number)
