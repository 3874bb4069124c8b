"""The relay: publishes the events that lie in the outboxes of documents.

An event is published only after the write that carries it, and its outbox is emptied only
after the bus has acknowledged it. A crash in between publishes it again, with the same id,
and the bus drops the second: so two relays at once are harmless as well.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from services.chassis import faults, logs, metrics
from services.chassis.aggregates import Document
from services.chassis.events import Publisher
from services.chassis.mongo import IDS_AT_ONCE, Collection

IN_FLIGHT = 200
BATCH = 5000  # of one query: the embedded store reads all that is pending for each
POLL_SECONDS = 0.5
# Events of a busy time go together, a document's own ones above all: a query and a write for each
# event alone would cost the store as much as what it tells of.
BUSY = 20
LINGER_SECONDS = 0.02
BUSY_LINGER_SECONDS = 0.75
_LONGEST_PAUSE_SECONDS = 5.0


class Relay:
    """Relays the events of some collections; spawn ``run`` in the app."""

    def __init__(self, collections: Sequence[Collection], publisher: Publisher) -> None:
        self._collections = list(collections)
        self._publisher = publisher
        self._wanted = asyncio.Event()
        self._log = logs.get_logger("outbox")

    def wake(self) -> None:
        """Say that there is something to relay, so that it does not wait for the next poll."""
        self._wanted.set()

    async def run(self) -> None:
        """Relay for ever; while the bus or the store is away, try again with growing pauses."""
        pause = POLL_SECONDS
        while True:
            self._wanted.clear()
            try:
                relayed = await self.relay_once()
                pause = POLL_SECONDS
            except Exception as error:
                if not faults.is_away(error):
                    raise
                metrics.OUTBOX_FAILURES.inc()
                self._log.warning("cannot relay just now", error=type(error).__name__)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
                continue
            if not relayed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wanted.wait()
            await asyncio.sleep(BUSY_LINGER_SECONDS if relayed > BUSY else LINGER_SECONDS)

    async def relay_once(self) -> int:
        """Relay one batch of each collection and return how many documents were emptied.

        Raises what the bus or the store raised, after what was published has been noted.
        """
        emptied = 0
        for collection in self._collections:
            cursor = collection.find({"pending": True}, {"outbox": 1, "revision": 1})
            documents = await cursor.limit(BATCH).to_list(BATCH)
            if documents:
                emptied += await self._relay(collection, documents)
        return emptied

    async def _relay(self, collection: Collection, documents: list[Document]) -> int:
        """Publish chunk by chunk; while the next one is published, empty the one before."""
        emptied = 0
        emptying: asyncio.Task[int] | None = None
        try:
            for start in range(0, len(documents), IN_FLIGHT):
                published, failure = await self._publish(documents[start : start + IN_FLIGHT])
                if emptying is not None:
                    emptied += await emptying
                emptying = asyncio.ensure_future(self._empty(collection, published))
                if failure is not None:
                    raise failure
        finally:
            if emptying is not None:
                emptied += await emptying
            metrics.OUTBOX_RELAYED.labels(collection.name).inc(emptied)
        return emptied

    async def _publish(self, chunk: list[Document]) -> tuple[list[Document], BaseException | None]:
        outcomes = await asyncio.gather(
            *(self._publish_one(document) for document in chunk), return_exceptions=True
        )
        failure = next((o for o in outcomes if isinstance(o, BaseException)), None)
        published = [d for d, outcome in zip(chunk, outcomes, strict=True) if outcome is None]
        return published, failure

    async def _publish_one(self, document: Document) -> None:
        for event in document["outbox"]:  # one after the other: their order matters
            payload = bytes(event["payload"])
            await self._publisher.publish(event["subject"], payload, event["id"])

    async def _empty(self, collection: Collection, documents: Iterable[Document]) -> int:
        by_revision: dict[int, list[Document]] = defaultdict(list)
        for document in documents:
            by_revision[document["revision"]].append(document)
        emptied = 0
        for revision, same in by_revision.items():
            for start in range(0, len(same), IDS_AT_ONCE):
                group = same[start : start + IDS_AT_ONCE]
                result = await collection.update_many(
                    {"_id": {"$in": [d["_id"] for d in group]}, "revision": revision},
                    {"$set": {"pending": False, "outbox": []}},
                )
                emptied += len(group)
                if result.matched_count < len(group):
                    await self._pull(collection, revision, group)
        return emptied

    async def _pull(self, collection: Collection, revision: int, group: list[Document]) -> None:
        """Take only what was published out of documents that have changed meanwhile."""
        published = {d["_id"]: [event["id"] for event in d["outbox"]] for d in group}
        cursor = collection.find({"_id": {"$in": list(published)}}, {"revision": 1})
        async for document in cursor:
            if document["revision"] != revision:
                await collection.update_one(
                    {"_id": document["_id"]},
                    {"$pull": {"outbox": {"id": {"$in": published[document["_id"]]}}}},
                )
