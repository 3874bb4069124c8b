"""The audit log: written in batches, never changed, read by organization or whole, newest first.

An entry that concerns two organizations stands in both logs; the second one is marked as a copy,
so that it counts once where all are read. Readings are stored behind the calls; a change is
stored before its call is answered.

The embedded store reads and sorts all that a range holds, and answers nobody else meanwhile. So by
chance one entry in 32 carries a mark, and one in 2048 another: a page goes down to a mark that has
about as many entries above it as are wanted, be the log as dense as it may. Where there is none it
looks back in growing windows.
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
from spareline.market.v1.organization_pb2 import AuditEntry

FLUSH_SECONDS = 0.2
BATCH = 1000
RANDOM_BITS = 20
_MARKED, _MARKED_TWICE = 32, 2048
_MARK_INDEXES = {"log_marks": "organization", "market_marks": "copy"}
_FIRST_WINDOW, _WIDENING = 1000 << RANDOM_BITS, 8
_LOOKED_THROUGH = 300  # entries at a time, where a filter may let hardly anything through
_LOOKING_SECONDS = 2.0
_PATIENCE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 5.0
_DUPLICATE_CODE = 11000


class AuditLog:
    """Who read or changed what. Use as a context manager: what is pending is flushed at the end."""

    def __init__(self, database: Database, clock: Clock = now_ms) -> None:
        self._collection = database["audit"]
        self._clock = clock
        self._pending: list[Document] = []
        self._wanted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("audit")

    async def ensure_indexes(self) -> None:
        """Create the indexes that pages are read by."""
        await self._collection.create_index([("organization", 1), ("order", 1)])
        await self._collection.create_index([("copy", 1), ("order", 1)])
        for name, log in _MARK_INDEXES.items():
            await self._collection.create_index(
                [(log, 1), ("mark", 1), ("order", 1)],
                name=name,
                partialFilterExpression={"mark": {"$gt": 0}},
            )

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
            mark = (order % _MARKED == 0) + (order % _MARKED_TWICE == 0)
            self._pending.append(
                ({"mark": mark} if mark else {})
                | {
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

        ``organization`` empty: of all, each entry once. Also returns the order that it came down
        to when it left off because that takes too long (else 0): a filter may let hardly anything
        through.
        """
        await self.flush()
        newest = before or (self._clock() + 1) << RANDOM_BITS
        oldest = since_ms << RANDOM_BITS
        log: Document = {"organization": organization} if organization else {"copy": False}
        found: list[tuple[int, AuditEntry]] = []
        until = time.monotonic() + _LOOKING_SECONDS
        window, marked = _FIRST_WINDOW, True
        while len(found) < size and newest > oldest:
            if conditions and time.monotonic() > until:
                return found, newest
            missing = size - len(found)
            floor = 0
            if marked:
                entries = _LOOKED_THROUGH if conditions else missing
                floor = await self._marked(log, newest, oldest, entries)
                marked = floor > 0
            floor = floor or max(oldest, newest - window)
            query = {**log, "order": {"$gte": floor, "$lt": newest}, **(conditions or {})}
            cursor = self._collection.find(query).sort("order", -1).limit(missing)
            documents = await cursor.to_list(missing)
            found += [(each["order"], AuditEntry.FromString(each["body"])) for each in documents]
            newest = floor
            if not marked and not documents:
                window *= _WIDENING
        return found, 0

    async def _marked(self, log: Document, newest: int, oldest: int, entries: int) -> int:
        """Return a mark above which there are about so many entries of a log, or the last one.

        There is none (0) where there are few entries, or some of before there were marks.
        """
        last = 0
        for mark, count in ((2, 1), (1, entries // _MARKED + 2)):
            query = {**log, "mark": mark, "order": {"$gte": last or oldest, "$lt": newest}}
            cursor = self._collection.find(query, {"order": 1}).sort("order", -1).limit(count)
            marks = await cursor.to_list(count)
            if len(marks) == count or (marks and not last):
                last = int(marks[-1]["order"])
        return last

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
