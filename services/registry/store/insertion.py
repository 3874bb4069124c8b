"""Inserts that come at the same time go to the store together, without waiting for more.

While one batch is on its way the next gathers. The store takes some hundred inserts a second
one by one, and some ten thousand in batches.
"""

import asyncio
from collections.abc import Sequence

from services.chassis.aggregates import Aggregates, Answer, Document, Event, New

MOST = 200


class Inserter:
    """Inserts into one collection of aggregates."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._aggregates = aggregates
        self._waiting: list[tuple[New, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def insert(
        self, document: Document, events: Sequence[Event] = (), answer: Answer | None = None
    ) -> bool:
        """Insert a document; False when its name is taken. Raises what the store raises."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((New(document, events, answer), done))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._store(batch)
        finally:
            self._task = None

    async def _store(self, batch: Sequence[tuple[New, "asyncio.Future[bool]"]]) -> None:
        try:
            results = await self._aggregates.insert_many([new for new, _ in batch])
        except Exception as error:
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        for (_, done), inserted in zip(batch, results, strict=True):
            if not done.done():  # its call was cancelled meanwhile
                done.set_result(inserted)
