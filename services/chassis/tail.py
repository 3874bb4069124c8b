"""Following the stream without a durable: for what one process keeps in memory only.

Each follower reads every event for itself, from a little before the present on, and keeps
nothing on the server: so any number of copies of a service can each see all events.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import nats.errors
import nats.js.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from services.chassis import logs
from services.chassis.cancelling import still_wanted

_BATCH = 500
_WAIT_SECONDS = 5.0
_INACTIVE_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0

# Called with (sequence, subject, payload) of each event, in the order of the stream.
Seen = Callable[[Sequence[tuple[int, str, bytes]]], Awaitable[None]]

_log = logs.get_logger("tail")


class Tail:
    """One follower of some subjects of a stream; spawn ``run`` in the app."""

    def __init__(
        self, jetstream: Any, stream: str, subjects: Sequence[str], seen: Seen, *, back: int
    ) -> None:
        """``back`` is how many messages of the stream before the present are read first."""
        self._js = jetstream
        self._stream = stream
        self._subjects = list(subjects)
        self._seen = seen
        self._back = back
        self._next = 0
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever; when the server was away, go on after the last event seen."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            begun = time.monotonic()
            try:
                await self._follow()
            except (nats.errors.Error, TimeoutError) as error:
                _log.warning("the tail is cut", subjects=self._subjects, error=type(error).__name__)
            if time.monotonic() - begun > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS  # it went well for a while
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _follow(self) -> None:
        state = (await self._js.stream_info(self._stream)).state
        if not self.started.is_set():
            self._next = max(1, state.last_seq - self._back + 1)
        elif self._next > state.last_seq + 1:
            _log.warning("the stream begins anew", stream=self._stream, last=state.last_seq)
            self._next = 1
        config = ConsumerConfig(
            filter_subjects=self._subjects,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._next,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_INACTIVE_SECONDS,
            mem_storage=True,
        )
        consumer = await self._js.add_consumer(self._stream, config)
        subscription = await self._js.pull_subscribe_bind(
            consumer=consumer.name, stream=self._stream
        )
        try:
            await self._read(subscription, consumer.num_pending or 0)
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def _read(self, subscription: Any, waiting: int) -> None:
        while True:
            if waiting <= 0:
                self.started.set()
            try:
                messages = await subscription.fetch(_BATCH, timeout=_WAIT_SECONDS)
            except TimeoutError:
                messages = []
            still_wanted()
            if not messages:  # a quiet stream also answers with an empty list
                await subscription.consumer_info()  # raises when the consumer is gone
                continue
            found = [(m.metadata.sequence.stream, m.subject, m.data) for m in messages]
            await self._seen(found)
            self._next = found[-1][0] + 1
            waiting -= len(found)
