"""Writes that take effect once, however often the connection is lost on the way.

Each document carries ``writes``, the ids of its newest writes. They tell which of the changes
that went to the store together took effect, and after a lost connection whether one of unknown
outcome did: so a repetition never applies one twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure

from services.chassis.causes import said
from services.chassis.errors import Unavailable
from services.chassis.gathered import Gathered
from services.chassis.mongo import DUPLICATE_CODE, IDS_AT_ONCE, Collection, DuplicateKey
from spareline.errors.v1 import cause_pb2, reason_pb2

T = TypeVar("T")

ATTEMPTS = 7  # with growing pauses: about 6 s in all
# Changes that wait go to the store together, which syncs them once; so many at most.
CHANGES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Change:
    """One document's compare-and-set. The update pushes ``write`` to ``writes``."""

    name: str
    revision: int
    write: str
    update: dict[str, Any]

    @property
    def query(self) -> dict[str, Any]:
        """Find the document while it is still at that revision."""
        return {"_id": self.name, "revision": self.revision}


class Writes:
    """What is written to one collection."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._changes = Gathered(self._change_many, lambda change: change.name, CHANGES_AT_ONCE)

    async def insert(self, batch: Sequence[dict[str, Any]]) -> list[bool]:
        """Insert documents; for each whether it was, or else its name (``_id``) is taken.

        ``writes`` of each holds the id of this write alone. Raises Unavailable when the store
        stays away: some may then be stored.
        """
        repeated = False

        async def attempt() -> list[bool]:
            nonlocal repeated
            again, repeated = repeated, True
            try:
                if len(batch) == 1:
                    await self._collection.insert_one(batch[0])
                else:
                    await self._collection.insert_many(batch, ordered=False)
            except DuplicateKey:
                refused = {0}
            except BulkWriteError as error:
                refused = _duplicates(error)
            else:
                return [True] * len(batch)
            # On a repetition the one that took the name may be we ourselves.
            written = await self._written([batch[i]["_id"] for i in refused]) if again else {}
            return [
                i not in refused or document["writes"][0] in written.get(document["_id"], ())
                for i, document in enumerate(batch)
            ]

        return await _persist(attempt)

    async def change(self, change: Change) -> bool:
        """Make a change; False when the document is at another revision, or not there.

        Raises Unavailable when the store stays away: the outcome is then unknown.
        """
        done = await self._changes.ask(change)
        if isinstance(done, OperationFailure):
            raise done
        return done

    async def _change_many(self, changes: Sequence[Change]) -> dict[str, bool | OperationFailure]:
        """Make changes to different documents; per document whether it took effect, or why not."""
        repeated = False

        async def attempt() -> dict[str, bool | OperationFailure]:
            nonlocal repeated
            again, repeated = repeated, True
            failed: dict[str, bool | OperationFailure] = {}
            if len(changes) == 1:
                [only] = changes
                matched = (await self._collection.update_one(only.query, only.update)).matched_count
            else:
                matched, failed = await self._change_together(changes)
            if matched == len(changes):
                return {change.name: True for change in changes}
            if not matched and not again:
                return {change.name: False for change in changes} | failed
            written = await self._written([change.name for change in changes])
            took = {change.name: change.write in written.get(change.name, ()) for change in changes}
            return took | failed

        return await _persist(attempt)

    async def _change_together(
        self, changes: Sequence[Change]
    ) -> tuple[int, dict[str, bool | OperationFailure]]:
        """Send changes in one message; how many found their document, and what was refused."""
        try:
            operations = [UpdateOne(change.query, change.update) for change in changes]
            result = await self._collection.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            details: Any = error.details
            if details.get("writeConcernErrors"):
                raise
            refused = {
                changes[each["index"]].name: _refusal(each) for each in details["writeErrors"]
            }
            return int(details["nMatched"]), dict(refused)
        return int(result.matched_count), {}

    async def _written(self, names: Sequence[str]) -> dict[str, Sequence[str]]:
        """Return by which writes the documents say that they have been written."""
        found: dict[str, Sequence[str]] = {}
        for start in range(0, len(names), IDS_AT_ONCE):
            query = {"_id": {"$in": list(names[start : start + IDS_AT_ONCE])}}
            async for document in self._collection.find(query, {"writes": 1}):
                found[document["_id"]] = document.get("writes", ())
        return found


async def _persist(attempt: Callable[[], Awaitable[T]]) -> T:
    pause = 0.1
    for remaining in range(ATTEMPTS - 1, -1, -1):
        try:
            return await attempt()
        except ConnectionFailure as error:
            if not remaining:
                raise Unavailable(
                    reason_pb2.REASON_UNAVAILABLE, said(cause_pb2.CAUSE_PART_AWAY)
                ) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)
    raise AssertionError("the last attempt returns or raises")


def _refusal(of: Mapping[str, Any]) -> OperationFailure:
    kind = DuplicateKey if of["code"] == DUPLICATE_CODE else OperationFailure
    return kind(of["errmsg"], of["code"], of)


def _duplicates(error: BulkWriteError) -> set[int]:
    details: Any = error.details
    refused = details.get("writeErrors", ())
    if any(found["code"] != DUPLICATE_CODE for found in refused) or details.get(
        "writeConcernErrors"
    ):
        raise error
    return {int(found["index"]) for found in refused}
