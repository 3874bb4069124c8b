"""The relay against a real bus and a real store: every event once, in order, whatever dies."""

import asyncio
from collections import Counter
from typing import Any

import nats as nats_client
import pytest
from nats.js.errors import NotFoundError

from services.chassis import events, mongo, outbox
from services.chassis.aggregates import Aggregates, Event, New
from services.chassis.outbox import Relay
from tests import servers


async def stream(url: str) -> list[tuple[str, bytes]]:
    """All that the stream holds, in order: (id, payload)."""
    client = await nats_client.connect(url)
    try:
        js = client.jetstream()
        info = await js.stream_info(events.STREAM)
        held = []
        for sequence in range(1, info.state.last_seq + 1):
            message = await js.get_msg(events.STREAM, sequence)
            assert message.headers is not None
            held.append((message.headers["Nats-Msg-Id"], message.data or b""))
        return held
    finally:
        await client.close()


async def count(url: str) -> int:
    client = await nats_client.connect(url)
    try:
        return int((await client.jetstream().stream_info(events.STREAM)).state.messages)
    except NotFoundError:
        return 0
    finally:
        await client.close()


def event(payload: bytes) -> Event:
    return Event("market.thing.made.v1", payload)


async def drained(things: Aggregates) -> bool:
    return await things.collection.count_documents({"pending": True}) == 0


async def until_drained(things: Aggregates, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await drained(things):  # noqa: ASYNC110  (the store has no event to wait for)
            await asyncio.sleep(0.05)


@pytest.fixture
async def things(database: mongo.Database) -> Aggregates:
    found = Aggregates(database["things"])
    await found.ensure_indexes()
    return found


async def test_events_of_a_document_are_relayed_in_order(
    things: Aggregates, bus: events.Bus, nats_url: str
) -> None:
    await things.insert({"_id": "things/a"}, [event(b"0"), event(b"1")])
    await things.compare_and_set("things/a", 1, {}, [event(b"2")])
    await things.insert({"_id": "things/quiet"})
    relay = Relay([things.collection], bus.publisher)
    assert await relay.relay_once() == 1
    assert await relay.relay_once() == 0
    assert [payload for _, payload in await stream(nats_url)] == [b"0", b"1", b"2"]
    stored = await things.get("things/a")
    assert stored is not None
    assert (stored["outbox"], stored["pending"], stored["revision"]) == ([], False, 2)


async def test_a_write_wakes_the_relay(
    database: mongo.Database, bus: events.Bus, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "POLL_SECONDS", 600.0)  # longer than the test waits
    relay = Relay([database["things"]], bus.publisher)
    things = Aggregates(database["things"], notify=relay.wake)
    await things.ensure_indexes()
    task = asyncio.ensure_future(relay.run())
    try:
        await asyncio.sleep(0.1)
        await things.insert({"_id": "things/a"}, [event(b"0")])
        await until_drained(things)
    finally:
        task.cancel()
    assert await count(nats_url) == 1


async def test_an_event_added_while_another_is_relayed_is_not_lost(
    things: Aggregates, bus: events.Bus, nats_url: str
) -> None:
    await things.insert({"_id": "things/a"}, [event(b"0")])

    class Meddling:
        """The real publisher, but the document changes before each acknowledgement."""

        done = False

        async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
            await bus.publisher.publish(subject, payload, event_id)
            if not self.done:
                self.done = True
                assert await things.compare_and_set("things/a", 1, {}, [event(b"1")])

    relay: Any = Relay([things.collection], Meddling())  # type: ignore[arg-type]
    await relay.relay_once()
    stored = await things.get("things/a")
    assert stored is not None
    assert [bytes(e["payload"]) for e in stored["outbox"]] == [b"1"]
    await relay.relay_once()
    assert await drained(things)
    assert [payload for _, payload in await stream(nats_url)] == [b"0", b"1"]


async def test_two_relays_at_once_publish_each_event_once(
    things: Aggregates, bus: events.Bus, nats_url: str
) -> None:
    names = [f"things/{i}" for i in range(400)]
    await things.insert_many([New({"_id": name}, [event(name.encode())]) for name in names])
    relays = [Relay([things.collection], bus.publisher) for _ in range(2)]
    await asyncio.gather(*(relay.relay_once() for relay in relays))
    assert await drained(things)
    counted = Counter(payload.decode() for _, payload in await stream(nats_url))
    assert counted == Counter(names)


async def test_the_relay_survives_the_bus_being_away(
    things: Aggregates, bus: events.Bus, nats: servers.Server, nats_url: str
) -> None:
    await nats.kill()
    relay = Relay([things.collection], bus.publisher)
    task = asyncio.ensure_future(relay.run())
    try:
        await things.insert({"_id": "things/a"}, [event(b"0")])
        await asyncio.sleep(0.5)
        assert not await drained(things)
        assert not task.done()
        await nats.start()
        await until_drained(things)
    finally:
        task.cancel()
    assert [payload for _, payload in await stream(nats_url)] == [b"0"]


@pytest.mark.slow
async def test_thousands_of_pending_documents_are_all_relayed(
    things: Aggregates, bus: events.Bus, nats_url: str
) -> None:
    total = 2_000
    news = [New({"_id": f"things/{i}"}, [event(b"%d" % i)]) for i in range(total)]
    assert all(await things.insert_many(news))
    relay = Relay([things.collection], bus.publisher)
    while await relay.relay_once():
        pass
    assert await drained(things)
    assert await count(nats_url) == total
