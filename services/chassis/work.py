"""Work for whoever is free: a JetStream work queue, and a room for what is too large to be queued.

A unit of work is a small message that one taker gets. While the taker says that it works, nobody
else gets it; when it falls silent, the next one does. What a message speaks of lies in an object
store, in chunks. Both forget by themselves what nobody fetched.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ObjectMeta,
    ObjectMetaOptions,
    ObjectStoreConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from services.chassis import logs
from services.chassis.cancelling import still_wanted

STREAM = "WORK"
BUCKET = "WORK"
SUBJECTS = "work.unit."
# What these raise while the bus is away; a taker then loses its claim, and others get the work.
AWAY = (nats.errors.Error, TimeoutError)

_HOUR_SECONDS = 3600.0
_KEPT_SECONDS = 6 * _HOUR_SECONDS
# A version of the takers that is gone leaves its durable behind.
_UNUSED_SECONDS = 24 * _HOUR_SECONDS
_CALL_SECONDS = 5.0
_OBJECT_SECONDS = 120.0
# NATS takes messages of up to 1 MiB if not told else.
_CHUNK_BYTES = 512 * 1024

_log = logs.get_logger("work")


class Claim:
    """A unit of work that is ours for as long as we say so."""

    def __init__(self, message: Any, ack_seconds: float) -> None:
        self._message = message
        self._ack_seconds = ack_seconds
        self.subject: str = message.subject
        self.data: bytes = message.data
        self.attempt: int = message.metadata.num_delivered

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Say that we work on it until the block ends."""
        pulse = asyncio.ensure_future(self._beat())
        try:
            yield
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError, *AWAY):
                await pulse

    async def _beat(self) -> None:
        while True:
            with suppress(
                *AWAY
            ):  # it comes back, or the claim is lost: work done twice is harmless
                await self._message.in_progress()
            await asyncio.sleep(self._ack_seconds / 3)

    async def done(self) -> None:
        """Nobody needs to do it any more."""
        await self._message.ack()

    async def again(self, seconds: float = 0.0) -> None:
        """Somebody else is to have it, after so many seconds."""
        await self._message.nak(seconds or None)

    async def bury(self) -> None:
        """Nobody is to have it again; the caller keeps its story elsewhere."""
        await self._message.term()


class Taker:
    """Takes units of one durable, one at a time."""

    def __init__(self, subscription: Any, ack_seconds: float) -> None:
        self._subscription = subscription
        self._ack_seconds = ack_seconds

    async def take(self, seconds: float) -> Claim | None:
        """Wait so long for a unit. Raises one of AWAY when the bus is away."""
        try:
            messages = await self._subscription.fetch(1, timeout=seconds)
        except TimeoutError:
            # Nothing came, or nobody is there any more: asking the consumer tells which.
            await self._subscription.consumer_info()
            return None
        still_wanted()
        return Claim(messages[0], self._ack_seconds) if messages else None


class WorkQueue:
    """The queue and the room, over a connection that comes back by itself.

    ``ack_seconds``: a taker that is silent for so long has lost what it took.
    """

    def __init__(self, client: Client, ack_seconds: float) -> None:
        self._client = client
        self._js = client.jetstream(timeout=_CALL_SECONDS)
        self._ack_seconds = ack_seconds

    @property
    def connected(self) -> bool:
        """Whether the bus is there at this moment."""
        return self._client.is_connected

    async def prepare(self, durable: str, group: str) -> None:
        """Make the stream, the room, and the durable of all units of a group."""
        await self._js.add_stream(
            StreamConfig(
                name=STREAM,
                subjects=[f"{SUBJECTS}>"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                max_age=_KEPT_SECONDS,
            )
        )
        await self._js.create_object_store(
            bucket=BUCKET, config=ObjectStoreConfig(ttl=_KEPT_SECONDS, storage=StorageType.FILE)
        )
        await self._js.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=durable,
                filter_subject=f"{SUBJECTS}{group}.>",
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self._ack_seconds,
                max_deliver=-1,  # counted by takers, who know why
                inactive_threshold=_UNUSED_SECONDS,
            ),
        )

    @asynccontextmanager
    async def taker(self, durable: str) -> AsyncIterator[Taker]:
        """Take units of a durable that was prepared."""
        subscription = await self._js.pull_subscribe_bind(durable=durable, stream=STREAM)
        try:
            yield Taker(subscription, self._ack_seconds)
        finally:
            with suppress(*AWAY):
                await subscription.unsubscribe()

    async def idle(self, durable: str) -> int:
        """How many takers wait for a unit at this moment."""
        return (await self._js.consumer_info(STREAM, durable)).num_waiting or 0

    async def offer(self, group: str, name: str, payload: bytes) -> None:
        """Queue a unit, and wait until it is stored."""
        await self._js.publish(f"{SUBJECTS}{group}.{name}", payload)

    async def withdraw(self, group: str, names: str) -> None:
        """Take units back that nobody took; ``names`` may end with a wildcard."""
        await self._js.purge_stream(STREAM, subject=f"{SUBJECTS}{group}.{names}")

    async def put(self, name: str, data: bytes) -> None:
        """Lay something into the room, in place of what bore the name."""
        meta = ObjectMeta(name=name, options=ObjectMetaOptions(max_chunk_size=_CHUNK_BYTES))
        async with asyncio.timeout(_OBJECT_SECONDS):
            await (await self._room()).put(name, data, meta)

    async def get(self, name: str) -> bytes | None:
        """What lies in the room under the name, whole, or None."""
        into = io.BytesIO()
        try:
            async with asyncio.timeout(_OBJECT_SECONDS):
                await (await self._room()).get(name, writeinto=into)
        except nats.js.errors.NotFoundError:
            return None
        return into.getvalue()

    async def has(self, name: str) -> bool:
        """Whether something lies in the room under the name."""
        try:
            await (await self._room()).get_info(name)
        except nats.js.errors.NotFoundError:
            return False
        return True

    async def drop(self, name: str) -> None:
        """Clear something out of the room; it need not be there."""
        with suppress(nats.js.errors.NotFoundError):
            await (await self._room()).delete(name)

    async def tell(self, subject: str, payload: bytes) -> None:
        """Say something to whoever listens now; nothing is kept."""
        await self._client.publish(subject, payload)

    @asynccontextmanager
    async def heard(
        self, subject: str, hear: Callable[[str, bytes], object]
    ) -> AsyncIterator[None]:
        """Call ``hear`` with (subject, payload) of what is told, until the block ends.

        What it raises ValueError for is not understood, and passed over.
        """

        async def on_message(message: Any) -> None:
            try:
                hear(message.subject, message.data)
            except ValueError as error:
                _log.warning("not understood", subject=message.subject, error=str(error))

        subscription = await self._client.subscribe(subject, cb=on_message)
        try:
            yield
        finally:
            with suppress(*AWAY):
                await subscription.unsubscribe()

    async def _room(self) -> Any:
        if not self._client.is_connected:
            # Without this it would wait for the full time limit.
            raise nats.errors.ConnectionReconnectingError
        return await self._js.object_store(BUCKET)
