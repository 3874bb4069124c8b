"""The organizations' documents: the record, who may act for it, and who its owners are."""

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from services.chassis.aggregates import Aggregates, Answer, Document, Event
from services.chassis.mongo import Database
from services.registry.domain import organizations as records
from services.registry.store.changes import Decide, change
from services.registry.store.insertion import Inserter
from services.registry.store.page_ends import PageEnds
from spareline.market.v1.organization_pb2 import Organization

ACTIVE = "active"
ERASING = "erasing"  # its record is emptied, what hangs on it is being deleted
ERASED = "erased"

CACHE_SECONDS = 2.0
_CACHED = 20_000
# Names are read a part at a time: nobody else is answered while the store reads a range.
_BORDERS = [f"organizations/{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
_WIDENING = 2


def _between(below: str, at: int) -> Document:
    """Return the condition for names behind one, up to the ``at``-th border or, past it, to all."""
    up_to = {"$lte": _BORDERS[at - 1]} if at <= len(_BORDERS) else {}
    return {"$gt": below, **up_to}


def body_fields(organization: Organization) -> dict[str, Any]:
    """Return the fields of a document that follow from the record."""
    return {
        "body": organization.SerializeToString(),
        "kind": int(organization.kind),
        "delegates": list(organization.delegates),
    }


def record(document: Document) -> Organization:
    """Return the record that a document keeps, with its etag."""
    organization = Organization.FromString(document["body"])
    organization.etag = records.etag(organization)
    return organization


class Organizations:
    """All organizations. Reads by ``get`` may be two seconds old when another copy wrote."""

    def __init__(
        self,
        database: Database,
        notify: Callable[[], None] = lambda: None,
        *,
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        self.aggregates = Aggregates(database["organizations"], notify)
        self._inserter = Inserter(self.aggregates)
        self._seconds = cache_seconds
        self._cache: OrderedDict[str, tuple[float, Organization | None]] = OrderedDict()
        self._writes = 0
        self._ends: PageEnds[str] = PageEnds()

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self.aggregates.ensure_indexes()
        collection = self.aggregates.collection
        await collection.create_index([("delegates", 1), ("name", 1)])
        await collection.create_index([("name", 1)])
        await collection.create_index([("state", 1)])

    async def get(self, name: str) -> Organization | None:
        """Return an organization, or None when it does not exist or was erased.

        The caller must not change it: others read the same message.
        """
        return (await self.get_many([name])).get(name)

    async def get_many(self, names: Sequence[str]) -> dict[str, Organization]:
        """Return those that exist, by name; the messages are shared, so not to be changed."""
        now, found, missing = time.monotonic(), dict[str, Organization](), []
        for name in dict.fromkeys(names):
            entry = self._cache.get(name)
            if entry is None or entry[0] <= now:
                missing.append(name)
            elif entry[1] is not None:
                found[name] = entry[1]
        if missing:
            writes = self._writes
            documents = await self._read(missing)
            for name in missing:
                document = documents.get(name)
                live = document is not None and document["state"] == ACTIVE
                organization = record(document) if document is not None and live else None
                if organization is not None:
                    found[name] = organization
                if writes == self._writes:  # else what was read may be older than a write of ours
                    self._remember(name, now + self._seconds, organization)
        return found

    async def _read(self, names: Sequence[str]) -> dict[str, Document]:
        if len(names) > 1:
            return await self.aggregates.get_many(names)
        document = await self.aggregates.get(names[0])
        return {} if document is None else {names[0]: document}

    def _remember(self, name: str, until: float, organization: Organization | None) -> None:
        self._cache[name] = (until, organization)
        self._cache.move_to_end(name)
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)

    async def is_delegate(self, platform: str, organization: str) -> bool:
        """Tell whether the organization has agreed that the platform acts for it."""
        found = await self.get(organization)
        return found is not None and platform in found.delegates

    async def document(self, name: str) -> Document | None:
        """Return the present document, in whatever state, past the cache."""
        return await self.aggregates.get(name)

    async def insert(
        self,
        organization: Organization,
        *,
        owners: Sequence[str] = (),
        managed_by: str = "",
        delegations: Sequence[Document] = (),
        events: Sequence[Event] = (),
        answer: Answer | None = None,
    ) -> bool:
        """Store a new organization. Returns False when the name is taken, by erased ones too."""
        document = {
            "_id": organization.name,
            "name": organization.name,
            "state": ACTIVE,
            "owners": list(owners),
            "managed_by": managed_by,
            "delegations": list(delegations),
            **body_fields(organization),
        }
        inserted = await self._inserter.insert(document, events, answer)
        self._forget(organization.name)
        return inserted

    async def change(self, name: str, decide: Decide) -> Document:
        """Change a document by ``changes.change`` and return the one that was decided on."""
        try:
            return await change(self.aggregates, name, decide)
        finally:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._writes += 1
        self._cache.pop(name, None)

    async def page(self, after: str, size: int, *, delegate: str = "") -> list[Organization]:
        """Return the next active ones by name; with ``delegate``, those that it acts for."""
        which = (delegate, after, size)
        page: list[Organization] = []
        if (end := self._ends.get(which)) is not None:
            page = await self._named({"$gt": after, "$lte": end}, size, delegate)
        below, width = end or after, 1
        at = bisect_right(_BORDERS, below)
        while len(page) < size and at <= len(_BORDERS):
            at += width
            found = await self._named(_between(below, at), size - len(page), delegate)
            page += found
            if at <= len(_BORDERS):
                below = _BORDERS[at - 1]
            if not found:
                width *= _WIDENING
        if len(page) == size:
            self._ends.keep(which, page[-1].name)
        return page

    async def _named(self, names: Document, size: int, delegate: str) -> list[Organization]:
        """Return the first active ones of a range of names."""
        condition: Document = {"delegates": delegate} if delegate else {}
        cursor = self.aggregates.collection.find({**condition, "name": names}).sort("name", 1)
        page: list[Organization] = []
        async for document in cursor:
            if document["state"] == ACTIVE:
                page.append(record(document))
            if len(page) == size:
                break
        return page

    async def stream_all(self) -> AsyncIterator[Organization]:
        """Yield all active organizations, in no order."""
        for at, below in enumerate(("", *_BORDERS), start=1):
            query = {"name": _between(below, at)}
            for document in await self.aggregates.collection.find(query).to_list(None):
                if document["state"] == ACTIVE:
                    yield record(document)

    async def being_erased(self) -> list[str]:
        """Return the names of those whose erasure was begun and not ended."""
        cursor = self.aggregates.collection.find({"state": ERASING}, {"_id": 1})
        return [document["_id"] async for document in cursor]
