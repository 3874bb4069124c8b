"""When rounds run by themselves: on schedule, soon after the book changed, and to repair.

Of several copies one is the leader at a time, by a lease; only it starts rounds by itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from services.chassis import faults, logs
from services.matching.store.round_lock import RoundLock
from spareline.matching.v1 import policy_pb2, round_pb2

Round = round_pb2.Round
Trigger: TypeAlias = round_pb2.Round.Trigger.ValueType

_TICK_SECONDS = 0.5
_LEADER_EVERY_SECONDS = 3.0
# A book that never rests is cleared all the same, after so many times the quiet time.
_PATIENCE = 10

_log = logs.get_logger("scheduler")


class Scheduler:
    """Starts rounds by the active policy."""

    def __init__(
        self,
        policy: Callable[[], Awaitable[policy_pb2.Policy]],
        start: Callable[[Trigger], Awaitable[bool]],
        last_start: Callable[[], Awaitable[float | None]],
        leadership: RoundLock,
        repair_seconds: float,
    ) -> None:
        """``start`` begins a round unless the book is empty or one waits already (then False);
        ``last_start`` returns when the last round began, in seconds of the epoch, if any did."""
        self._policy = policy
        self._start = start
        self._last_start = last_start
        self._leadership = leadership
        self._repair_seconds = repair_seconds
        self._first_change = 0.0
        self._last_change = 0.0
        self._changed_at = 0.0  # the same moment by the clock that rounds are dated with
        self._broken = 0.0
        self._leader = False
        self._asked = 0.0

    def changed(self) -> None:
        """The book's terms have changed."""
        now = time.monotonic()
        self._first_change = self._first_change or now
        self._last_change = now
        self._changed_at = time.time()

    def broken(self) -> None:
        """A proposal has broken off, so its capacity and its demand are free again."""
        self._broken = time.monotonic()

    async def run(self) -> None:
        """Watch the clock for ever; what fails because something is away is tried again."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                await self._tick()
            except Exception as error:
                if not faults.is_away(error):
                    raise
                _log.warning("the scheduler waits", error=type(error).__name__)

    async def _tick(self) -> None:
        now = time.monotonic()
        if now - self._asked >= _LEADER_EVERY_SECONDS:
            self._leader, self._asked = await self._leadership.take(), now
        if not self._leader:
            self._first_change = self._last_change = self._broken = 0.0
            return
        trigger = await self._due(now)
        if trigger is None or not await self._start(trigger):
            return
        # One round takes in everything that was waiting.
        self._first_change = self._last_change = self._broken = 0.0

    async def _due(self, now: float) -> Trigger | None:
        if self._broken and now - self._broken >= self._repair_seconds:
            return Round.TRIGGER_REPAIR
        policy = await self._policy() if self._first_change or self._asked == now else None
        if policy is None:
            return None
        if self._first_change and policy.HasField("debounce"):
            quiet = policy.debounce.ToTimedelta().total_seconds()
            rested = now - self._last_change >= quiet
            if rested and (await self._last_start() or 0.0) > self._changed_at:
                # A round that somebody asked for has taken the change in already.
                self._first_change = self._last_change = 0.0
                return None
            if rested or now - self._first_change >= _PATIENCE * quiet:
                return Round.TRIGGER_CHANGE
        every = policy.schedule.ToTimedelta().total_seconds() if policy.HasField("schedule") else 0
        if every > 0:
            last = await self._last_start()
            if last is None or time.time() - last >= every:
                return Round.TRIGGER_SCHEDULE
        return None
