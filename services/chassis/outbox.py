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
from services.chassis.mongo import Collection

IN_FLIGHT = 200
BATCH = 1000
POLL_SECONDS = 0.5
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
                while await self.relay_once():
                    pass
                pause = POLL_SECONDS
            except Exception as error:
                if not faults.is_away(error):
                    raise
                metrics.OUTBOX_FAILURES.inc()
                self._log.warning("cannot relay just now", error=type(error).__name__)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()

    async def relay_once(self) -> int:
        """Relay one batch of each collection and return how many documents were emptied.

        Raises what the bus or the store raised, after what was published has been noted.
        """
        emptied = 0
        for collection in self._collections:
            documents = await (
                collection.find({"pending": True}, {"outbox": 1, "revision": 1})
                .limit(BATCH)
                .to_list(BATCH)
            )
            if documents:
                emptied += await self._relay(collection, documents)
        return emptied

    async def _relay(self, collection: Collection, documents: list[Document]) -> int:
        gate = asyncio.Semaphore(IN_FLIGHT)
        failure: list[BaseException] = []
        published: list[Document] = []

        async def publish(document: Document) -> None:
            async with gate:
                if failure:
                    return  # the bus is away: waiting out each time limit would take hours
                try:
                    for event in document["outbox"]:  # one by one: their order matters
                        await self._publisher.publish(
                            event["subject"], bytes(event["payload"]), event["id"]
                        )
                except Exception as error:
                    failure.append(error)
                else:
                    published.append(document)

        await asyncio.gather(*(publish(document) for document in documents))
        emptied = await self._empty(collection, published)
        metrics.OUTBOX_RELAYED.labels(collection.name).inc(emptied)
        if failure:
            raise failure[0]
        return emptied

    async def _empty(self, collection: Collection, documents: Iterable[Document]) -> int:
        by_revision: dict[int, list[Document]] = defaultdict(list)
        for document in documents:
            by_revision[document["revision"]].append(document)
        emptied = 0
        for revision, group in by_revision.items():
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
