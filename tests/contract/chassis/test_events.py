"""The bus against a real nats-server: order, retries, dead letters, restarts."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import nats
import pytest
from nats import errors as nats_errors

from services.chassis import dead_letters as dead_box
from services.chassis import events
from services.chassis.errors import InvalidArgument, Unavailable
from spareline.errors.v1 import reason_pb2
from tests import servers

SUBJECT = "market.thing.made.v1"


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
        assert not task.done(), "the consumer ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (any condition, not only an event)
            await asyncio.sleep(0.02)


def recorder(into: list[Any]) -> Callable[[events.Delivery], Awaitable[None]]:
    async def handle(delivered: events.Delivery) -> None:
        into.append(delivered)

    return handle


async def dead_letters(url: str, count: int) -> list[Any]:
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        found = []
        for sequence in range(1, count + 1):
            async with asyncio.timeout(20):
                while True:
                    try:
                        found.append(await js.get_msg(events.DEAD_STREAM, sequence))
                        break
                    except nats.js.errors.NotFoundError:
                        await asyncio.sleep(0.05)
        return found
    finally:
        await client.close()


async def test_events_come_in_order_once_each(bus: events.Bus) -> None:
    got: list[events.Delivery] = []
    for i in range(300):
        await bus.publisher.publish(SUBJECT, b"%d" % i, f"id-{i}")
    await bus.publisher.publish(SUBJECT, b"again", "id-7")
    async with running(bus.consume("test-order", ["market.thing.>"], recorder(got))):
        await until(lambda: len(got) >= 300)
        await asyncio.sleep(0.3)
    assert [d.payload for d in got] == [b"%d" % i for i in range(300)]
    assert (got[0].id, got[0].subject, got[0].attempt) == ("id-0", SUBJECT, 1)


async def test_a_lone_event_comes_soon(bus: events.Bus) -> None:
    got: list[events.Delivery] = []
    async with running(bus.consume("test-soon", ["market.>"], recorder(got))):
        await asyncio.sleep(0.5)
        for i in range(3):
            started = time.perf_counter()
            await bus.publisher.publish(SUBJECT, b"x", f"id-{i}")
            await until(lambda count=i + 1: len(got) == count)  # type: ignore[misc]
            assert time.perf_counter() - started < 0.5


async def test_only_the_subjects_asked_for(bus: events.Bus) -> None:
    got: list[events.Delivery] = []
    await bus.publisher.publish("market.other.made.v1", b"no", "a")
    await bus.publisher.publish(SUBJECT, b"yes", "b")
    subjects = ["market.thing.*.v1", "market.third.>"]
    async with running(bus.consume("test-subjects", subjects, recorder(got))):
        await until(lambda: bool(got))
        await asyncio.sleep(0.2)
    assert [d.payload for d in got] == [b"yes"]


async def test_a_dead_letter_is_replayed_to_its_consumer_alone(bus: events.Bus) -> None:
    broken, mended, others = True, list[events.Delivery](), list[events.Delivery]()

    async def handle(delivered: events.Delivery) -> None:
        if broken:
            raise events.Poison("not understood yet")
        mended.append(delivered)

    box = bus.dead_letters()
    async with (
        running(bus.consume("test-mended", ["market.thing.>"], handle)),
        running(bus.consume("test-other", ["market.>"], recorder(others))),
    ):
        await bus.publisher.publish(SUBJECT, b"first", "id-1")
        await bus.publisher.publish(SUBJECT, b"second", "id-2")
        async with asyncio.timeout(20):
            while await box.count() < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        [first, second] = await box.page(0, 10)
        assert (first.consumer, first.subject, first.event_id) == ("test-mended", SUBJECT, "id-1")
        assert (first.payload, first.replayable) == (b"first", True)
        assert "not understood yet" in first.reason
        assert await box.page(first.sequence, 10, "test-mended") == [second]
        assert await box.page(0, 10, "test-other") == []
        # It fails again: that is a new letter, of the same event.
        await box.replay(first)
        async with asyncio.timeout(20):
            while len(found := await box.page(second.sequence, 10)) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await box.get(first.sequence) is None
        assert (found[0].subject, found[0].event_id, found[0].payload) == (
            SUBJECT,
            "id-1",
            b"first",
        )
        broken = False
        await box.replay(found[0])
        await until(lambda: len(mended) == 1)
        await box.drop(second.sequence)
        await box.drop(second.sequence)
        assert await box.count() == 0
        assert (mended[0].subject, mended[0].id, mended[0].payload) == (SUBJECT, "id-1", b"first")
        await until(lambda: len(others) == 2)
        await asyncio.sleep(0.2)
        assert [each.id for each in others] == ["id-1", "id-2"]


async def test_a_failing_event_is_retried_with_growing_delay(bus: events.Bus) -> None:
    at: list[float] = []

    async def fails_twice(delivered: events.Delivery) -> None:
        at.append(time.monotonic())
        if delivered.attempt < 3:
            raise RuntimeError("not yet")

    await bus.publisher.publish(SUBJECT, b"x", "a")
    async with running(bus.consume("test-retry", ["market.>"], fails_twice)):
        await until(lambda: len(at) == 3)
        await asyncio.sleep(0.2)
    assert len(at) == 3
    assert at[1] - at[0] >= 0.9
    assert at[2] - at[1] >= 1.8


@pytest.mark.parametrize(
    "error",
    [
        events.Poison("unreadable"),
        InvalidArgument(reason_pb2.REASON_FIELD_INVALID, "unreadable"),
    ],
)
async def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(
    bus: events.Bus, nats_url: str, error: Exception
) -> None:
    got: list[bytes] = []

    async def refuse_some(delivered: events.Delivery) -> None:
        if delivered.payload == b"bad":
            raise error
        got.append(delivered.payload)

    for payload in (b"1", b"bad", b"2"):
        await bus.publisher.publish(SUBJECT, payload, payload.decode())
    async with running(bus.consume("test-poison", ["market.>"], refuse_some)):
        [dead] = await dead_letters(nats_url, 1)
        await until(lambda: len(got) == 2)
    assert (dead.subject, dead.data) == ("dead.test-poison", b"bad")
    assert dead.headers[dead_box.HEADER_SUBJECT] == SUBJECT
    assert dead.headers[dead_box.HEADER_SEQUENCE] == "2"
    assert "unreadable" in dead.headers[dead_box.HEADER_REASON]


async def test_an_event_that_always_fails_is_dead_after_max_deliver(
    bus: events.Bus, nats_url: str
) -> None:
    attempts: list[int] = []

    async def fail(delivered: events.Delivery) -> None:
        attempts.append(delivered.attempt)
        raise RuntimeError("never")

    await bus.publisher.publish(SUBJECT, b"x", "a")
    async with running(bus.consume("test-fail", ["market.>"], fail, max_deliver=2)):
        await dead_letters(nats_url, 1)
        await asyncio.sleep(0.3)
    assert attempts == [1, 2]


async def test_while_something_is_away_no_delivery_is_used_up(bus: events.Bus) -> None:
    attempts: list[tuple[bytes, int]] = []

    async def away_at_first(delivered: events.Delivery) -> None:
        attempts.append((delivered.payload, delivered.attempt))
        if len(attempts) < 4:
            raise Unavailable(reason_pb2.REASON_UNAVAILABLE, "away")

    for payload in (b"1", b"2"):
        await bus.publisher.publish(SUBJECT, payload, payload.decode())
    consuming = bus.consume("test-away", ["market.>"], away_at_first, max_deliver=1)
    async with running(consuming):
        await until(lambda: len(attempts) == 5)
    assert attempts == [(b"1", 1)] * 4 + [(b"2", 1)]


async def test_a_batch_with_a_bad_event_loses_only_that_one(bus: events.Bus, nats_url: str) -> None:
    got: list[bytes] = []
    sizes: list[int] = []

    async def handle(batch: Any) -> None:
        sizes.append(len(batch))
        if any(d.payload == b"13" for d in batch):
            raise events.Poison("13")
        got.extend(d.payload for d in batch if d.payload not in got)

    for i in range(40):
        await bus.publisher.publish(SUBJECT, b"%d" % i, f"id-{i}")
    async with running(bus.consume_batches("test-batch", ["market.>"], handle)):
        await dead_letters(nats_url, 1)
        await until(lambda: len(got) == 39)
    assert max(sizes) > 1
    assert sorted(map(int, got)) == [i for i in range(40) if i != 13]


async def test_consuming_begins_before_the_stream_is_there(nats_url: str) -> None:
    got: list[events.Delivery] = []
    async with (
        events.connect(nats_url) as early,
        events.connect(nats_url) as late,
        running(early.consume("test-early", ["market.>"], recorder(got))),
    ):
        await asyncio.sleep(0.5)
        await late.ensure_streams()
        await late.ensure_streams()
        await late.publisher.publish(SUBJECT, b"x", "a")
        await until(lambda: len(got) == 1)


async def test_connecting_waits_for_the_server() -> None:
    async with servers.nats_server() as server:
        await server.kill()
        bringing_back = asyncio.ensure_future(_later(server.start))
        async with asyncio.timeout(15), events.connect(server.url) as bus:
            await bus.ping()
        await bringing_back


async def _later(action: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(1)
    await action()


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_bus_is_killed(
    nats: servers.Server, bus: events.Bus
) -> None:
    got: set[bytes] = set()
    sent: set[bytes] = set()

    async def handle(delivered: events.Delivery) -> None:
        got.add(delivered.payload)

    async with running(bus.consume("test-kill", ["market.>"], handle)):
        for i in range(60):
            if i in (20, 40):
                await nats.restart()
            payload = b"%d" % i
            async with asyncio.timeout(20):
                while payload not in sent:
                    try:
                        await bus.publisher.publish(SUBJECT, payload, f"id-{i}")
                        sent.add(payload)
                    except (nats_errors.Error, TimeoutError):
                        await asyncio.sleep(0.1)
        await until(lambda: got == sent, 40)
