"""The open postings in memory: read whole before the service is ready, then kept by what changes.

The store reads a posting by its name quickly and everything else by scanning, so on a large market
lists over all firms, the search and the market's figures are found here. What is found is read anew
by name before it is shown: this says where to look, never what a posting is. Every copy of the
service keeps its own, by the events of all copies; what it has written itself it takes in before it
answers.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import DecodeError

from services.chassis import faults, logs
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.chassis.errors import Unavailable
from services.registry import posting_documents
from services.registry.domain.market_entries import Entry
from services.registry.domain.posting_search import PostingSearch
from services.registry.store.postings import Postings
from services.registry.usecases.kinds import DEMANDS, OFFERS, Kind
from services.registry.usecases.market_reading import demand_entry, offer_entry
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.market.v1.organization_pb2 import Organization

SUBJECTS = ("market.offer.>", "market.demand.>", "market.organization.>")

_FIELDS = ("body", "claims", "organization", "places", "posted", "public", "revision", "state")
_AT_ONCE = 100  # postings that are taken in before other calls get a turn
_WAITED_FOR = _AT_ONCE  # more changes than that are not waited for: an import, a round
_PAUSE_SECONDS = 0.5
_AWAY_SECONDS = 2.0
_UPDATED, _ERASED = "market.organization.updated.v1", "market.organization.erased.v1"

FindOrganizations = Callable[[Sequence[str]], Awaitable[Mapping[str, Organization]]]

_log = logs.get_logger("open-postings")


class Side:
    """The open offers, or the open demands; ``version`` grows with every change."""

    def __init__(
        self, kind: Kind[Any], store: Postings, entry: Callable[[Document], Entry]
    ) -> None:
        self.kind = kind
        self.store = store
        self.entry = entry
        self.entries: dict[str, Entry] = {}
        self.index = PostingSearch()
        self.version = 0

    def take(self, names: Iterable[str], documents: Iterable[Document]) -> list[Entry]:
        """Put the entries of documents in the place of whatever there was under these names."""
        fresh = [self.entry(each) for each in documents if each["state"] == "STATE_OPEN"]
        gone = [self.entries.pop(name) for name in names if name in self.entries]
        self.index.replace(gone, fresh)
        self.entries.update({each.name: each for each in fresh})
        self.version += bool(gone or fresh)
        return fresh

    def move(self, organization: str, places: tuple[str, ...]) -> None:
        """Note where an organization is now."""
        gone = [e for e in self.index.of_firm(organization) if e.places != places]
        fresh = [replace(each, places=places) for each in gone]
        self.index.replace(gone, fresh)
        self.entries.update({each.name: each for each in fresh})
        self.version += bool(gone)


class OpenPostings:
    """Both sides, and the standards that the firms of the offers are certified to."""

    def __init__(self, offers: Postings, demands: Postings, find: FindOrganizations) -> None:
        self.offers = Side(OFFERS, offers, offer_entry)
        self.demands = Side(DEMANDS, demands, demand_entry)
        self.standards: dict[str, frozenset[str]] = {}
        self.find = find
        self._loaded = False
        self._moved: dict[str, tuple[str, ...]] = {}
        """Where those are who have moved: their documents may say it a moment later."""
        self._changed: dict[str, Side] = {}
        self._wanted = asyncio.Event()
        self._reading = asyncio.Lock()
        offers.watcher = lambda names: self._mark(self.offers, names)
        demands.watcher = lambda names: self._mark(self.demands, names)

    async def load(self) -> None:
        """Read all that is open. ``follow`` must go on already, or a change may be missed."""
        for side in (self.offers, self.demands):
            some: list[Document] = []
            async for document in side.store.each({"state": "STATE_OPEN"}, _FIELDS):
                some.append(document)
                if len(some) == _AT_ONCE:
                    await self._take(side, [each["_id"] for each in some], some)
                    some = []
                    await asyncio.sleep(0)
            await self._take(side, [each["_id"] for each in some], some)
        self._loaded = True

    async def check(self) -> None:
        """Raise Unavailable until all is read (for a readiness probe)."""
        if not self._loaded:
            raise Unavailable(reason_pb2.REASON_UNAVAILABLE, said(cause_pb2.CAUSE_PART_AWAY))

    async def follow(self, events: Sequence[tuple[int, str, bytes]]) -> None:
        """Note what has changed, in this copy of the service or another."""
        for _, subject, payload in events:
            try:
                self._follow_one(subject, payload)
            except DecodeError:
                _log.warning("an event cannot be read", subject=subject)

    def _follow_one(self, subject: str, payload: bytes) -> None:
        # All events of a noun have the same shape.
        if subject.startswith("market.organization."):
            self._follow_organization(subject, payload)
        elif subject.startswith("market.offer."):
            offer = events_pb2.OfferPosted.FromString(payload).offer
            self._mark_newer(self.offers, offer.name, offer.generation)
        else:
            demand = events_pb2.DemandPosted.FromString(payload).demand
            self._mark_newer(self.demands, demand.name, demand.generation)

    def _follow_organization(self, subject: str, payload: bytes) -> None:
        firm = events_pb2.OrganizationUpdated.FromString(payload).organization
        if subject == _ERASED:
            self.standards.pop(firm.name, None)
        elif subject == _UPDATED:
            self.standards[firm.name] = frozenset(firm.standards)
            places = tuple(posting_documents.places(firm.region))
            self._moved[firm.name] = places
            for side in (self.offers, self.demands):
                side.move(firm.name, places)

    async def current(self) -> None:
        """Take in what this copy has written, unless that is much."""
        if len(self._changed) <= _WAITED_FOR and (self._changed or self._reading.locked()):
            await self._read_changed()

    async def keep(self) -> None:
        """Take in what has changed, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while self._changed:
                    await self._read_changed()
            except Exception as error:
                if not faults.is_away(error):
                    raise
                _log.warning("cannot read just now", error=type(error).__name__)
                self._wanted.set()
                await asyncio.sleep(_AWAY_SECONDS)
            await asyncio.sleep(_PAUSE_SECONDS)  # so that what changes often is read once

    def _mark(self, side: Side, names: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(names, side))
        self._wanted.set()

    def _mark_newer(self, side: Side, name: str, generation: int) -> None:
        known = side.entries.get(name)
        if known is None or known.mark[0] < generation:
            self._mark(side, [name])

    async def _read_changed(self) -> None:
        async with self._reading:
            some = dict(itertools.islice(self._changed.items(), _AT_ONCE))
            for name in some:
                del self._changed[name]
            try:
                for side in (self.offers, self.demands):
                    names = [name for name, whose in some.items() if whose is side]
                    if names:
                        documents = await side.store.get_many(names, _FIELDS)
                        await self._take(side, names, list(documents.values()))
            except BaseException:
                self._changed = {**some, **self._changed}
                raise

    async def _take(self, side: Side, names: Iterable[str], documents: list[Document]) -> None:
        firms = {each["organization"] for each in documents}
        if side is self.offers and (unknown := firms - self.standards.keys()):
            found = await self.find(list(unknown))
            for each in unknown - self.standards.keys():
                self.standards[each] = frozenset(found[each].standards if each in found else ())
        for document in documents:
            if document["organization"] in self._moved:
                document["places"] = list(self._moved[document["organization"]])
        side.take(names, documents)
