"""The bus: publish to JetStream, and take events from it by durable pull consumers.

Events are delivered at least once, so handlers are idempotent. An event is acknowledged
after its handler has returned; one that cannot be handled goes to a dead-letter subject,
where an operator can see and replay it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    Header,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from services.chassis import logs, metrics
from services.chassis.cancelling import still_wanted
from services.chassis.dead_letters import REPLAYS, SUBJECTS, DeadLetterBox, replay_subject
from services.chassis.delivery import Consumer, Delivery, Poison
from services.chassis.tail import Seen, Tail
from services.chassis.work import WorkQueue

__all__ = ["Bus", "Delivery", "Poison", "Publisher", "connect"]

STREAM = "MARKET"
DEAD_STREAM = "MARKET_DEAD"
DUPLICATE_WINDOW_SECONDS = 600.0
_DAY_SECONDS = 86_400.0
_ACK_WAIT_SECONDS = 30.0
_PUBLISH_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 5.0

Handler = Callable[[Delivery], Awaitable[None]]
BatchHandler = Callable[[Sequence[Delivery]], Awaitable[None]]

_log = logs.get_logger("events")

_STREAMS = (
    StreamConfig(
        name=STREAM,
        subjects=["market.>", REPLAYS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=30 * _DAY_SECONDS,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
    ),
    StreamConfig(
        name=DEAD_STREAM,
        subjects=[SUBJECTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=90 * _DAY_SECONDS,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
    ),
)


class Publisher:
    """Publishes events and waits until the stream has stored them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._js = client.jetstream(timeout=_PUBLISH_SECONDS)

    async def publish(
        self,
        subject: str,
        payload: bytes,
        event_id: str,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Publish; a second event with the same id within ten minutes is dropped by the bus.

        Raises nats.errors.Error (or TimeoutError) when the bus is away or has no such stream.
        """
        if not self._client.is_connected:
            # Without this it would wait for the full time limit.
            raise nats.errors.ConnectionReconnectingError
        await self._js.publish(
            subject, payload, headers={**(headers or {}), Header.MSG_ID.value: event_id}
        )
        metrics.EVENTS_PUBLISHED.labels(subject).inc()


class Bus:
    """A connection to NATS that comes back by itself when it is cut off."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._js = client.jetstream(timeout=_PUBLISH_SECONDS)
        self.publisher = Publisher(client)

    async def ping(self) -> None:
        """Raise when the server or its JetStream does not answer (for a readiness probe)."""
        if not self._client.is_connected:
            raise nats.errors.ConnectionReconnectingError
        await self._js.account_info()

    async def ensure_streams(self) -> None:
        """Create the streams, or bring them to the present configuration; wait for the server."""
        for config in _STREAMS:
            await _patiently("streams", partial(self._ensure, config))

    async def _ensure(self, config: StreamConfig) -> None:
        try:
            await self._js.add_stream(config)
        except nats.js.errors.BadRequestError:  # exists with another configuration
            await self._js.update_stream(config)

    def work(self, ack_seconds: float) -> WorkQueue:
        """Return the work queue; who took a unit and is silent for so long has lost it."""
        return WorkQueue(self._client, ack_seconds)

    def dead_letters(self) -> DeadLetterBox:
        """Return the events that consumers gave up."""
        return DeadLetterBox(self._js, DEAD_STREAM)

    def tail(self, subjects: Sequence[str], seen: Seen, *, back: int = 0) -> Tail:
        """Return a follower of some subjects that keeps nothing on the server (see ``Tail``)."""
        return Tail(self._js, STREAM, subjects, seen, back=back)

    async def consume(
        self,
        durable: str,
        subjects: Sequence[str],
        handler: Handler,
        *,
        batch: int = 100,
        max_deliver: int = 5,
        dead_letter: bool = True,
    ) -> None:
        """Handle events one by one, in order, for ever (spawn it in the app).

        A handler that raises gets the event again after a growing delay; after
        ``max_deliver`` times, or at once when it raises Poison or InvalidArgument, the event
        goes to ``dead.<durable>``. While something that the handler needs is away
        (Unavailable), it waits and tries without end.
        """

        async def one_by_one(deliveries: Sequence[Delivery]) -> None:
            [delivery] = deliveries
            await handler(delivery)

        consumer = Consumer(durable, one_by_one, self.publisher, max_deliver, dead_letter, group=1)
        await self._consume(durable, subjects, consumer, batch)

    async def consume_batches(
        self,
        durable: str,
        subjects: Sequence[str],
        handler: BatchHandler,
        *,
        batch: int = 500,
        max_deliver: int = 5,
        dead_letter: bool = True,
    ) -> None:
        """As ``consume``, but hand over what has come in lists, for bulk writes.

        When a list fails, its events are handed over again one by one.
        """
        consumer = Consumer(durable, handler, self.publisher, max_deliver, dead_letter, group=batch)
        await self._consume(durable, subjects, consumer, batch)

    async def _consume(
        self, durable: str, subjects: Sequence[str], consumer: Consumer, batch: int
    ) -> None:
        while True:
            subscription = await _patiently(
                durable, lambda: self._subscribe(durable, list(subjects), batch)
            )
            try:
                while True:
                    messages = await _fetch(subscription, batch)
                    if messages:
                        await consumer.handle(messages)
            except nats.errors.Error as error:
                _log.warning("the bus is away", durable=durable, error=type(error).__name__)
            finally:
                await _unsubscribe(subscription)
            await asyncio.sleep(0.5)

    async def _subscribe(self, durable: str, subjects: list[str], batch: int) -> Any:
        await self._js.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=durable,
                filter_subjects=[*subjects, replay_subject(durable, ">")],
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_SECONDS,
                # Counted by us: the server would drop an event silently after the last time.
                max_deliver=-1,
                max_ack_pending=max(2 * batch, 1000),
            ),
        )
        return await self._js.pull_subscribe_bind(durable=durable, stream=STREAM)


async def _fetch(subscription: Any, batch: int) -> list[Any]:
    still_wanted()  # what was handled before asked the bus as well
    messages: list[Any] = []
    try:
        messages = await subscription.fetch(batch, timeout=5)
    except TimeoutError:
        # Nothing came, or nobody is there any more: asking the consumer tells which.
        await subscription.consumer_info()
    still_wanted()
    return messages


async def _unsubscribe(subscription: Any) -> None:
    try:
        await subscription.unsubscribe()
    except nats.errors.Error as error:
        _log.debug("unsubscribe", error=type(error).__name__)


async def _patiently(what: str, attempt: Callable[[], Awaitable[Any]]) -> Any:
    pause = 0.2
    while True:
        try:
            return await attempt()
        except (nats.errors.Error, TimeoutError) as error:
            if isinstance(error, nats.errors.ConnectionClosedError):
                raise
            if isinstance(error, nats.js.errors.BadRequestError):
                raise  # asked for something impossible: waiting will not help
            _log.warning("the bus is not there yet", what=what, error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


@asynccontextmanager
async def connect(url: str, *, name: str = "spareline") -> AsyncIterator[Bus]:
    """Connect (waiting for the server as long as it takes) and yield the bus."""
    client = Client()

    async def report(error: Exception) -> None:
        _log.warning("nats", error=type(error).__name__)

    async def lost() -> None:
        _log.warning("nats connection lost")

    async def regained() -> None:
        _log.info("nats connection regained")

    await client.connect(
        url.split(","),
        name=name,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        connect_timeout=2,
        ping_interval=10,
        max_outstanding_pings=2,
        error_cb=report,
        disconnected_cb=lost,
        reconnected_cb=regained,
    )
    try:
        yield Bus(client)
    finally:
        with suppress(OSError, nats.errors.Error):  # with the server away, closing says so again
            await client.close()
