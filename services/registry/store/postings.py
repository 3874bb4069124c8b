"""What the stores of offers and of demands share: indexes, pages, and who is due.

Every query is an equality and a bounded range on one index; what else is asked is compared
by the store on the documents of that range.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Collection
from services.registry.store.sequence import Sequence as Numbers

NEVER_MS = 2**53
"""The instant of what never runs out."""

_NARROW_WINDOW = 32_768  # one organization has few among many
_FILTERED_WINDOW = 1024  # a filter lets only some through
_WIDENING = 4
_READ_AT_ONCE = 250  # nobody else is answered while the store reads a range


@dataclass(frozen=True, slots=True)
class Selection:
    """What to list: of one organization or of all, with the keys and by further conditions.

    Only the organization and the number are indexed. An index over keys (an array, so many
    entries a document) was measured to slow every insert fivefold and every ledger move
    threefold on the embedded store; a filter costs a reading of the range instead.
    """

    organization: str = ""
    keys: Sequence[str] = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)
    any_key: Sequence[str] = ()
    """Keys of which one is enough."""

    def query(self, bottom: int, top: int) -> Document:
        """Return the query for the numbers from ``bottom`` to below ``top``."""
        # In the order of the index: the embedded store scans for a query that begins otherwise.
        query: Document = {"organization": self.organization} if self.organization else {}
        query["posted"] = {"$gte": bottom, "$lt": top}
        query.update(self.conditions)
        wanted: Document = {}
        if self.keys:
            wanted["$all"] = list(self.keys)
        if self.any_key:
            wanted["$in"] = list(self.any_key)
        if wanted:
            query["keys"] = wanted
        return query

    def first_window(self, size: int) -> int:
        """Return how many numbers to look at first for a page of that size."""
        if self.organization:
            return max(_NARROW_WINDOW, 2 * size)
        if self.keys or self.any_key or self.conditions:
            return max(_FILTERED_WINDOW, 2 * size)
        return 2 * size


class Postings(Aggregates):
    """The documents of one kind of posting."""

    def __init__(self, collection: Collection, numbers: Numbers, notify: Any) -> None:
        """``notify`` is called after each write that carries events."""
        super().__init__(collection, notify)
        self.numbers = numbers
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, name: str) -> asyncio.Lock:
        """Return the lock by which writers of this process take turns at one document.

        Nothing is right because of it: compare-and-set sees to that. It only spares the lost
        races when many proposals want the same offer at once.
        """
        lock = self._turns.get(name)
        if lock is None:
            lock = self._turns[name] = asyncio.Lock()
        return lock

    async def ensure_indexes(self) -> None:
        """Create the indexes; each one costs every insert something, so there are few."""
        await super().ensure_indexes()
        await self.collection.create_index([("organization", 1), ("posted", 1)])
        await self.collection.create_index("posted")
        await self.collection.create_index("due_ms")
        await self.collection.create_index(
            [("claimed", 1), ("posted", 1)], partialFilterExpression={"claimed": True}
        )

    async def by_alias(self, alias: str) -> Document | None:
        """Return the document that is shown under an alias."""
        number = alias.partition("-")[0]
        if not number.isdecimal() or len(number) > 18:
            return None
        return await self.collection.find_one({"posted": int(number), "alias": alias})

    async def page(self, selection: Selection, before: int, size: int) -> list[Document]:
        """Return up to ``size`` documents numbered below ``before`` (0: all), newest first."""
        top = before or await self.numbers.last() + 1
        window = selection.first_window(size)
        found: list[Document] = []
        while top > 1 and len(found) < size:
            bottom = max(top - window, 1)
            cursor = self.collection.find(selection.query(bottom, top))
            left = size - len(found)
            found += await cursor.sort("posted", -1).limit(left).to_list(left)
            top, window = bottom, window * _WIDENING
        return found

    async def with_claims_due(self, now_ms: int, limit: int) -> list[Document]:
        """Return documents on which a held claim has run out."""
        return await self.collection.find({"due_ms": {"$lte": now_ms}}).limit(limit).to_list(limit)

    async def over(self, before_period: int, limit: int) -> list[Document]:
        """Return open postings whose last period is before the given one (an ordinal).

        This may read all; it is asked once an hour.
        """
        found: list[Document] = []
        async for document in self.each({"open_until": {"$lt": before_period}}):
            found.append(document)
            if len(found) == limit:
                break
        return found

    async def each(
        self, query: Mapping[str, Any], fields: Sequence[str] = ()
    ) -> AsyncIterator[Document]:
        """Yield all documents of the market that answer a query; this may read every one.

        It reads them some at a time, in the order in which they were posted, so that others are
        answered in between. What changes meanwhile is read as it was before or after.
        """
        shown = dict.fromkeys(fields, 1) if fields else None
        last = await self.numbers.last()
        for bottom in range(1, last + 2, _READ_AT_ONCE):
            numbers = {"$gte": bottom}
            if bottom + _READ_AT_ONCE <= last:
                numbers["$lt"] = bottom + _READ_AT_ONCE
            cursor = self.collection.find({"posted": numbers, **query}, shown)
            for document in await cursor.to_list(None):
                yield document
            if "$lt" not in numbers:
                return

    async def open(self) -> AsyncIterator[Document]:
        """Yield the postings that take part in rounds."""
        async for document in self.each({"state": "STATE_OPEN"}):
            yield document

    async def matched_and_held(self) -> AsyncIterator[Document]:
        """Yield the demands of which nothing is open, but not all is committed yet."""
        async for document in self.each({"claimed": True}):
            if document["state"] == "STATE_MATCHED" and document["due_ms"] < NEVER_MS:
                yield document

    async def of_organization(
        self,
        organization: str,
        conditions: Mapping[str, Any] | None = None,
        fields: Sequence[str] = (),
    ) -> list[Document]:
        """Return all postings of an organization, or those that answer further conditions."""
        shown = dict.fromkeys(fields, 1) if fields else None
        query = {"organization": organization, **(conditions or {})}
        return await self.collection.find(query, shown).to_list(None)

    async def relocate(self, organization: str, places: Sequence[str]) -> None:
        """Note where an organization is now, for the filter by region.

        Without a change of revision: it is no part of the posting, and ledger moves need not
        start again because of it.
        """
        await self.collection.update_many(
            {"organization": organization, "places": {"$ne": list(places)}},
            {"$set": {"places": list(places)}},
        )

    async def erase(self, names: Sequence[str]) -> None:
        """Delete postings for good."""
        await self.collection.delete_many({"_id": {"$in": list(names)}})


def next_due(claims: Mapping[str, Mapping[str, Any]]) -> int:
    """Return when the first held claim of a document runs out, in milliseconds."""
    return min((c["expire_ms"] for c in claims.values() if c["expire_ms"]), default=NEVER_MS)
