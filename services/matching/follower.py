"""Keeping the book: a snapshot of the registry, then every event that follows.

Events are taken from the start, and wait in a buffer while the snapshot is loaded; then they are
applied on top of it. Generations make what is told twice, or late, harmless. When the stream
turns out to have begun anew, or an event cannot be read, the snapshot is loaded again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from services.chassis import faults, logs
from services.chassis.causes import said
from services.chassis.delivery import Delivery
from services.chassis.errors import DomainError, Unavailable
from services.chassis.events import Bus
from services.matching import metrics
from services.matching.domain.book import Book
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.options.v1 import options_pb2
from spareline.registry.v1 import registry_service_pb2 as pb
from spareline.registry.v1 import registry_service_pb2_grpc

SUBJECTS = ("market.organization.>", "market.capability.>", "market.offer.>", "market.demand.>")
DURABLE = "matching-book"
_LONGEST_PAUSE_SECONDS = 5.0
_MOST_BUFFERED = 200_000

_log = logs.get_logger("follower")


def _by_subject() -> dict[str, type[Message]]:
    kinds: dict[str, type[Message]] = {}
    for name in events_pb2.DESCRIPTOR.message_types_by_name:
        kind: type[Message] = getattr(events_pb2, name)
        options: Any = kind.DESCRIPTOR.GetOptions()
        kinds[options.Extensions[options_pb2.subject]] = kind
    return kinds


_KINDS = _by_subject()


class Follower:
    """Holds the book of this process and keeps it right.

    A copy of matching needs every event itself, so each copy has a durable of its own: the
    instance's name, where there is one, is part of the durable's.
    """

    def __init__(
        self,
        bus: Bus,
        channel: grpc.aio.Channel,
        changed: Callable[[], None],
        *,
        instance: str = "",
        refresh_seconds: float = 900.0,
    ) -> None:
        """``changed`` is called when offers or demands have changed in their terms.

        ``refresh_seconds``: how often the snapshot is loaded anew though nothing seems amiss.
        """
        self._bus = bus
        self._registry: Any = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self._changed = changed
        self._durable = f"{DURABLE}-{instance}" if instance else DURABLE
        self._refresh_seconds = refresh_seconds
        self._buffer: list[Message] | None = []
        self._amiss = asyncio.Event()
        self._was_amiss = False
        self._loaded = asyncio.Event()
        self.book = Book()
        self.sequence = 0

    @property
    def current(self) -> bool:
        """Whether the snapshot was read and the stream has been followed since."""
        return self._loaded.is_set() and not self._amiss.is_set()

    async def wait_current(self) -> None:
        """Return once the book was loaded."""
        await self._loaded.wait()

    async def check(self) -> None:
        """Raise Unavailable until the book was loaded (for a readiness probe)."""
        if not self._loaded.is_set():
            raise Unavailable(reason_pb2.REASON_UNAVAILABLE, said(cause_pb2.CAUSE_BOOK_NOT_LOADED))

    async def follow(self) -> None:
        """Take in events for ever; spawn it beside ``keep_loaded``."""
        await self._bus.consume_batches(self._durable, SUBJECTS, self._take, dead_letter=True)

    async def keep_loaded(self) -> None:
        """Load the snapshot, and again whenever something is amiss or it is time."""
        while True:
            await self._load_patiently()
            try:
                async with asyncio.timeout(self._refresh_seconds):
                    await self._amiss.wait()
                self._was_amiss = True
            except TimeoutError:
                _log.info("the book is refreshed")

    async def _load_patiently(self) -> None:
        pause = 0.2
        while True:
            self._buffer = []
            self._amiss.clear()
            try:
                book = await self._load()
            except (grpc.aio.AioRpcError, DomainError) as error:
                if not faults.is_away(error):
                    _log.error("the registry refuses the book", exc_info=error)
                else:
                    _log.warning("the book cannot be loaded yet", error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            anew = not self._loaded.is_set() or self._was_amiss
            waiting, self._buffer = self._buffer, None
            for event in waiting or ():
                apply_event(book, event)
            self.book = book
            self._loaded.set()
            self._was_amiss = False
            metrics.BOOK_RESYNCS.inc()
            if anew:  # what was missed may be a reason for a round; a mere refresh is none
                self._changed()
            return

    async def _load(self) -> Book:
        started = time.monotonic()
        book, items = Book(), 0
        async for item in self._registry.StreamBook(pb.StreamBookRequest()):
            apply_item(book, item)
            items += 1
            if items % 500 == 0:
                await asyncio.sleep(0)  # let calls be answered meanwhile
        _log.info("book loaded", items=items, seconds=round(time.monotonic() - started, 2))
        return book

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        changed = False
        for delivery in deliveries:
            if delivery.sequence < self.sequence and delivery.attempt == 1:
                _log.warning("the stream has begun anew", sequence=delivery.sequence)
                self._amiss.set()
            self.sequence = delivery.sequence
            event = self._read(delivery)
            if event is not None:
                changed |= self._apply(event)
        if deliveries:
            age = datetime.now(UTC) - deliveries[-1].time
            metrics.BOOK_LAG_SECONDS.set(max(0.0, age.total_seconds()))
        if changed:
            self._changed()

    def _read(self, delivery: Delivery) -> Message | None:
        kind = _KINDS.get(delivery.subject)
        if kind is None:
            return None  # an event of a later version, of which we need nothing
        try:
            return kind.FromString(delivery.payload)
        except DecodeError:
            # It can't be applied, so what it told must come from the snapshot.
            self._amiss.set()
            raise

    def _apply(self, event: Message) -> bool:
        """Apply or buffer an event; tell whether the market's terms changed by it."""
        if self._buffer is not None:
            self._buffer.append(event)
            if len(self._buffer) > _MOST_BUFFERED:
                self._buffer = []
                self._amiss.set()
            # The present book, if there is one, goes on being right while the next is loaded.
        return apply_event(self.book, event) and not isinstance(
            event, events_pb2.OfferBalanced | events_pb2.DemandBalanced
        )

    async def measure(self) -> None:
        """Tell the metrics how large the book is."""
        organizations, offers, demands = self.book.counts()
        for kind, count in (
            ("organizations", organizations),
            ("offers", offers),
            ("demands", demands),
        ):
            metrics.BOOK_ITEMS.labels(kind).set(count)


def apply_item(book: Book, item: pb.BookItem) -> None:
    """Take one item of the snapshot into a book."""
    match item.WhichOneof("item"):
        case "organization":
            book.apply_organization(item.organization)
        case "capability":
            book.apply_capability(item.capability)
        case "offer":
            book.apply_offer(item.offer)
        case "demand":
            book.apply_demand(item.demand)
        case _:
            pass  # a kind of a later version


def apply_event(book: Book, event: Any) -> bool:
    """Take an event into a book; return whether the book changed."""
    if isinstance(event, events_pb2.OrganizationErased):
        return book.remove_organization(event.organization.name)
    fields = event.DESCRIPTOR.fields_by_name
    if "organization" in fields:
        return book.apply_organization(event.organization)
    if "capability" in fields:
        return book.apply_capability(event.capability)
    if "offer" in fields:
        return book.apply_offer(event.offer)
    if "demand" in fields:
        return book.apply_demand(event.demand)
    return False
