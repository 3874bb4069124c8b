"""What happens to events that were delivered: handle, then acknowledge, delay or bury."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from google.protobuf.message import DecodeError

from services.chassis import faults, logs, metrics
from services.chassis.dead_letters import (
    HEADER_EVENT,
    HEADER_REASON,
    HEADER_SEQUENCE,
    HEADER_SUBJECT,
    original_subject,
)
from services.chassis.errors import InvalidArgument

PROGRESS_SECONDS = 10.0
_LONGEST_DELAY_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_MOST_DELIVERIES = 50


class Poison(Exception):  # noqa: N818
    """Raised by a handler for an event that it will never be able to handle."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it was delivered (perhaps again: ``attempt`` counts from 1)."""

    subject: str
    payload: bytes
    id: str
    sequence: int
    attempt: int
    time: datetime


class DeadLetters(Protocol):
    """Where events go that cannot be handled: the bus's publisher, or a test's list."""

    async def publish(
        self, subject: str, payload: bytes, event_id: str, *, headers: dict[str, str] | None = None
    ) -> None:
        """Store the event under the subject."""


class Consumer:
    """Hands delivered messages of one durable to its handler, in groups."""

    def __init__(
        self,
        durable: str,
        handler: Callable[[Sequence[Delivery]], Awaitable[None]],
        dead_letters: DeadLetters,
        max_deliver: int,
        dead_letter: bool,
        *,
        group: int,
    ) -> None:
        self._durable = durable
        self._handler = handler
        self._dead_letters = dead_letters
        self._max_deliver = max_deliver
        self._dead_letter = dead_letter
        self._group = group
        self._log = logs.get_logger("events")

    async def handle(self, messages: Sequence[Any]) -> None:
        """Handle messages in order; each ends acknowledged, delayed or dead."""
        waiting = list(messages)
        progress = asyncio.ensure_future(self._keep(waiting))
        try:
            for start in range(0, len(messages), self._group):
                await self._handle_group(messages[start : start + self._group])
                del waiting[: self._group]
        finally:
            progress.cancel()
            with suppress(asyncio.CancelledError):
                await progress

    async def _keep(self, waiting: list[Any]) -> None:
        """Tell the bus that messages still waiting for their turn are being worked on."""
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            for message in tuple(waiting):
                await message.in_progress()

    async def _handle_group(self, messages: Sequence[Any]) -> None:
        fresh = [message for message in messages if not await self._worn_out(message)]
        if len(fresh) > 1 and await self._try(fresh) is None:
            return
        for message in fresh:
            error = await self._try([message])
            if error is not None:
                await self._refused(message, error)

    async def _worn_out(self, message: Any) -> bool:
        # Delivered so often without our ever refusing it: it kills whoever handles it.
        attempts = message.metadata.num_delivered
        if attempts <= _MOST_DELIVERIES:
            return False
        await self._bury(message, f"delivered {attempts} times")
        return True

    async def _try(self, messages: Sequence[Any]) -> Exception | None:
        error = await self._try_while_away(
            [_delivery(message, self._durable) for message in messages]
        )
        if error is None:
            for message in messages:
                await message.ack()
            metrics.EVENTS_HANDLED.labels(self._durable, "acked").inc(len(messages))
        return error

    async def _try_while_away(self, deliveries: Sequence[Delivery]) -> Exception | None:
        """Handle; while something that is needed is away, wait here and try again.

        All that follows would fail for the same reason, and waiting keeps the order and
        does not use up deliveries.
        """
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._handler(deliveries)
            except Exception as error:
                if not faults.is_away(error):
                    return error
                self._log.warning(
                    "events wait", durable=self._durable, seconds=pause, error=type(error).__name__
                )
            else:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _refused(self, message: Any, error: Exception) -> None:
        attempt = message.metadata.num_delivered
        poison = isinstance(error, Poison | InvalidArgument | DecodeError)
        if poison or attempt >= self._max_deliver:
            self._log.error("event refused", durable=self._durable, exc_info=error)
            await self._bury(message, f"{type(error).__name__}: {error}"[:500])
            return
        delay = min(2.0 ** (attempt - 1), _LONGEST_DELAY_SECONDS)
        self._log.warning(
            "event delayed",
            durable=self._durable,
            sequence=message.metadata.sequence.stream,
            attempt=attempt,
            seconds=delay,
            exc_info=error,
        )
        await message.nak(delay)
        metrics.EVENTS_HANDLED.labels(self._durable, "retried").inc()

    async def _bury(self, message: Any, reason: str) -> None:
        sequence = message.metadata.sequence.stream
        if self._dead_letter:
            await self._dead_letters.publish(
                f"dead.{self._durable}",
                message.data,
                f"dead-{self._durable}-{sequence}",
                headers={
                    HEADER_SUBJECT: original_subject(self._durable, message.subject),
                    HEADER_REASON: " ".join(reason.split()),
                    HEADER_SEQUENCE: str(sequence),
                    HEADER_EVENT: _event_id(message),
                },
            )
        await message.term()
        metrics.EVENTS_HANDLED.labels(self._durable, "dead").inc()
        self._log.error("event is dead", durable=self._durable, sequence=sequence)


def _delivery(message: Any, durable: str) -> Delivery:
    metadata = message.metadata
    return Delivery(
        subject=original_subject(durable, message.subject),
        payload=message.data,
        id=_event_id(message),
        sequence=metadata.sequence.stream,
        attempt=metadata.num_delivered,
        time=metadata.timestamp,
    )


def _event_id(message: Any) -> str:
    """The id under which the event was published first, also when this is a replay of it."""
    headers = message.headers or {}
    return str(headers.get(HEADER_EVENT) or headers.get("Nats-Msg-Id", ""))
