"""What is worked out from much data: kept in memory, and made again when it is worth it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

FRESH_SECONDS = 2.0
SHARE = 50
"""A reading is made again after SHARE times as long as it took: at most 2 % of the time reads."""
WORTH_WAITING_SECONDS = 0.2


class Freshness:
    """Makes a reading again when it is old; many callers share one.

    The first reading is waited for, later ones only while they are quick.
    """

    def __init__(self, read: Callable[[], Awaitable[None]]) -> None:
        self._read = read
        self._taken = float("-inf")
        self._cost = float("inf")
        self._reading: asyncio.Task[None] | None = None

    async def ensure(self) -> None:
        """Return when what was read is as fresh as it is worth."""
        first = self._cost == float("inf")
        age = time.monotonic() - self._taken
        if first or age > max(FRESH_SECONDS, SHARE * self._cost):
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._timed())
            if first or self._cost < WORTH_WAITING_SECONDS:
                await asyncio.shield(self._reading)

    async def _timed(self) -> None:
        started = time.monotonic()
        await self._read()
        self._taken = time.monotonic()
        self._cost = self._taken - started
