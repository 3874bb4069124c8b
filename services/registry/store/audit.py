"""The audit log: written in batches, never changed, read by organization or whole, newest first.

An entry that concerns two organizations stands in both logs; the second one is marked as a copy,
so that it counts once where all are read. Readings are stored behind the calls; a change is
stored before its call is answered.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from pymongo.errors import BulkWriteError

from services.chassis import faults, logs
from services.chassis.aggregates import Document
from services.chassis.mongo import Database
from services.chassis.mutations import OK, Mutation
from services.registry.domain import auditing
from services.registry.domain.instants import Clock, now_ms, timestamp
from services.registry.store.page_ends import PageEnds
from spareline.market.v1.organization_pb2 import AuditEntry

FLUSH_SECONDS = 0.2
BATCH = 1000
RANDOM_BITS = 20
_FIRST_WINDOW = 1000 << RANDOM_BITS
_LONG_WINDOW = 3_600_000 << RANDOM_BITS  # from here on a reading may take long
_WIDENING = 8
_SURPLUS = 1.3
_LOOKING_SECONDS = 1.0
_SLOW_SECONDS = 0.1
_PATIENCE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 5.0
_DUPLICATE_CODE = 11000


class AuditLog:
    """Who read or changed what. Use as a context manager: what is pending is flushed at the end."""

    def __init__(self, database: Database, clock: Clock = now_ms) -> None:
        self._collection = database["audit"]
        self._clock = clock
        self._pending: list[Document] = []
        self._ends: PageEnds[int] = PageEnds()
        self._wanted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("audit")

    async def ensure_indexes(self) -> None:
        """Create the indexes that pages are read by."""
        await self._collection.create_index([("organization", 1), ("order", 1)])
        await self._collection.create_index([("copy", 1), ("order", 1)])

    def record(
        self,
        organization: str,
        actor: str,
        actor_organization: str,
        action: str,
        resource: str,
        fields: Sequence[str] = (),
    ) -> None:
        """Note that ``actor`` read something of ``organization``.

        It is stored a moment later, so a crash of the process can lose the last entries.
        """
        instant = self._clock()
        entry = AuditEntry(
            time=timestamp(instant),
            actor=actor,
            actor_organization=actor_organization,
            action=action,
            resource=resource,
            fields=fields,
        )
        self.add(entry, [organization], instant << RANDOM_BITS | secrets.randbits(RANDOM_BITS))

    async def changed(self, mutations: Sequence[Mutation]) -> None:
        """Store what a call has changed. While the store is away it stays pending."""
        instant = self._clock()
        for each in mutations:
            entry = auditing.entry(each, instant)
            order = instant << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
            self.add(entry, auditing.logs_of(entry, each.organization), order)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await asyncio.shield(self.flush())
        except Exception as error:
            if not faults.is_away(error):
                raise
            self._log.warning("cannot store just now", error=type(error).__name__)

    def add(self, entry: AuditEntry, organizations: Sequence[str], order: int) -> None:
        """Put an entry into the logs of some organizations; the first is the one concerned.

        ``order`` sorts the log and names the entry: milliseconds, then RANDOM_BITS that tell
        entries of the same instant apart.
        """
        for index, organization in enumerate(organizations):
            entry.name = f"{organization}/auditEntries/{order:016x}"
            self._pending.append(
                {
                    "_id": entry.name,
                    "organization": organization,
                    "order": order,
                    "copy": index > 0,
                    "rpc": entry.method.rpartition(".")[2],
                    "refused": entry.outcome not in ("", OK),
                    "actor": entry.actor,
                    "actor_organization": entry.actor_organization,
                    "body": entry.SerializeToString(),
                }
            )
        self._wanted.set()

    async def flush(self) -> None:
        """Store what is pending. Raises what the store raised; it is then still pending."""
        async with self._writing:
            while self._pending:
                batch = self._pending[:BATCH]
                try:
                    await self._collection.insert_many(batch, ordered=False)
                except BulkWriteError as error:
                    # After a lost connection an earlier attempt may have stored some.
                    codes = {found["code"] for found in (error.details or {})["writeErrors"]}
                    if codes != {_DUPLICATE_CODE}:
                        raise
                del self._pending[: len(batch)]

    async def page(
        self,
        organization: str,
        before: int,
        since_ms: int,
        size: int,
        conditions: Mapping[str, Any] | None = None,
    ) -> tuple[list[tuple[int, AuditEntry]], int]:
        """Return the entries below an order (0: the newest), newest first, with their orders.

        ``organization`` empty: of all, each entry once. Looks back in growing windows, down to
        ``since_ms``: a page of a long log must not cost as much as the whole. The first window
        goes down to where this page ended when it was read before. Also returns the
        order that it came down to when it left off because that takes too long (else 0): a
        filter may let hardly anything through.
        """
        await self.flush()
        newest = before or (self._clock() + 1) << RANDOM_BITS
        oldest = since_ms << RANDOM_BITS
        window, begin = _FIRST_WINDOW, newest
        which = (organization, before, since_ms, size, repr(conditions))
        end = self._ends.get(which) or newest
        within = {"organization": organization} if organization else {"copy": False}
        found: list[tuple[int, AuditEntry]] = []
        begun = time.monotonic()
        while len(found) < size and newest > oldest:
            started = time.monotonic()
            if window > _LONG_WINDOW and started - begun > _LOOKING_SECONDS:
                return found, newest
            floor = max(oldest, min(end, newest - window))
            query = {**within, "order": {"$gte": floor, "$lt": newest}, **(conditions or {})}
            cursor = self._collection.find(query).sort("order", -1).limit(size - len(found))
            async for document in cursor:
                found.append((document["order"], AuditEntry.FromString(document["body"])))
            newest, end = floor, floor
            slow = time.monotonic() - started > _SLOW_SECONDS
            if not slow or window < _LONG_WINDOW:
                window *= _WIDENING
            if found:  # as dense as it was so far
                missing = (size - len(found)) / len(found)
                window = min(window, int((begin - floor) * missing * _SURPLUS) + _FIRST_WINDOW)
        if len(found) >= size:
            self._ends.keep(which, found[-1][0])
        return found, 0

    async def delete_all(self, organization: str) -> None:
        """Delete an organization's log."""
        await self.flush()
        await self._collection.delete_many({"organization": organization})

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="audit")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _run(self) -> None:
        pause = FLUSH_SECONDS
        while True:
            await self._wanted.wait()
            await asyncio.sleep(pause)  # so that one write serves many calls
            self._wanted.clear()
            try:
                # Shielded: cut off in the middle, a batch would be written again at the end.
                await asyncio.shield(self.flush())
                pause = FLUSH_SECONDS
            except Exception as error:
                if not faults.is_away(error):
                    raise
                self._log.warning("cannot store just now", error=type(error).__name__)
                self._wanted.set()
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
