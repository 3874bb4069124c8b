"""From events to deliveries on the real store: nobody is left out, and few readings are made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message
from pymongo import monitoring

from services.chassis.events import Delivery, Poison
from services.chassis.mongo import Database
from services.registry.domain.instants import now_ms
from services.registry.domain.webhook_signing import Seal
from services.registry.store.organizations import Organizations
from services.registry.store.webhooks import Webhooks
from services.registry.usecases.webhook_events import WebhookEvents
from services.registry.usecases.webhooks import WebhookDesk
from spareline.events.v1 import events_pb2
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.market.v1.webhook_pb2 import Webhook
from spareline.matching.v1.round_pb2 import Round
from spareline.registry.v1 import webhook_service_pb2 as api

POSTED, ENDED = "market.offer.posted.v1", "market.round.completed.v1"
FIRM, PLATFORM = "organizations/firm", "organizations/platform"


class Reads(monitoring.CommandListener):
    """Counts the readings of one database."""

    def __init__(self) -> None:
        self.database, self.count = "", 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        reads = event.command_name in ("find", "getMore", "aggregate")
        self.count += reads and event.database_name == self.database

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Count nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Count nothing."""


READS = Reads()
monitoring.register(READS)  # for clients that are made from here on


@pytest.fixture
async def store(database: Database) -> Webhooks:
    found = Webhooks(database)
    await found.ensure_indexes()
    READS.database, READS.count = database.name, 0
    return found


@pytest.fixture
async def events(store: Webhooks, database: Database) -> WebhookEvents:
    organizations = Organizations(database, cache_seconds=0.0)
    await organizations.insert(Organization(name=FIRM, delegates=[PLATFORM]))
    return WebhookEvents(store, organizations, now_ms)


async def hook(store: Webhooks, firm: str, *types: str) -> str:
    desk = WebhookDesk(store, Seal("key"), now_ms, private=True)
    wanted = Webhook(url="http://127.0.0.1:9/in", event_types=types)
    return (await desk.create(api.CreateWebhookRequest(parent=firm, webhook=wanted))).name


def event(number: int, subject: str, message: Message) -> Delivery:
    payload = message.SerializeToString()
    return Delivery(subject, payload, f"event-{number}", number, 1, datetime.now(UTC))


def posted(number: int, firm: str) -> Delivery:
    offer = Offer(name=f"{firm}/offers/o{number}", generation=1)
    return event(number, POSTED, events_pb2.OfferPosted(offer=offer))


async def told(store: Webhooks, webhook: str) -> list[str]:
    return sorted(each["event"] for each in await store.deliveries(webhook))


async def readings(events: WebhookEvents, deliveries: Sequence[Delivery]) -> int:
    before = READS.count
    await events.follow(deliveries)
    return READS.count - before


async def test_events_of_firms_without_webhooks_are_not_read_for_one_by_one(
    store: Webhooks, events: WebhookEvents
) -> None:
    firms = [f"organizations/other-{n % 40}" for n in range(400)]
    imported = [posted(n, firm) for n, firm in enumerate(firms)]
    few, many = await readings(events, imported[:40]), await readings(events, imported)
    assert 0 < few == many <= 3

    mine = await hook(store, FIRM)  # made after all that: the next event finds it
    assert await told(store, mine) == []
    await events.follow([*imported, posted(400, FIRM)])
    assert await told(store, mine) == ["event-400"]


async def test_each_event_goes_once_to_whom_it_concerns_and_who_wants_it(
    store: Webhooks, events: WebhookEvents
) -> None:
    mine, platforms = await hook(store, FIRM), await hook(store, PLATFORM, POSTED)
    other = await hook(store, "organizations/other")
    round_ = event(9, ENDED, events_pb2.RoundCompleted(round=Round(name="rounds/r")))
    trial = events_pb2.RoundCompleted(round=Round(name="rounds/t", what_if=True))
    came = [posted(1, FIRM), round_, event(10, ENDED, trial), posted(2, "organizations/other")]
    for some in (came[:1], came, came[2:]):  # acknowledgements were lost
        await events.follow(some)
    assert await told(store, mine) == ["event-1", "event-9"]
    assert await told(store, platforms) == ["event-1"]
    assert await told(store, other) == ["event-2", "event-9"]
    [sent] = await store.deliveries(platforms)
    assert json.loads(bytes(sent["payload"]))["data"]["organizations"] == [FIRM]


async def test_what_is_no_event_is_refused(events: WebhookEvents) -> None:
    with pytest.raises(Poison):
        await events.follow([event(1, "market.offer.sung.v1", Offer())])
