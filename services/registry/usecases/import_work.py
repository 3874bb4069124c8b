"""What imports do by themselves: their rows are checked, and posted once they are confirmed.

Any copy of the registry may go on with any import: chunk by chunk, each under a lease. A chunk
that a crash cut off is gone through again; rows that it had posted are known by their names and
by the mark of their import, so that none is taken twice and none is counted twice.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from services.chassis import faults, logs
from services.chassis.access import organization_of
from services.chassis.aggregates import Document
from services.registry.domain.instants import Clock
from services.registry.store.import_files import NEVER_MS, ImportFiles
from services.registry.usecases.bulk import Bulk, only
from services.registry.usecases.postings import Postings
from spareline.market.v1.import_pb2 import ImportProblem, ImportRow
from spareline.registry.v1 import registry_service_pb2 as api

SECONDS = 2.0
"""How often another copy's leftovers are looked for."""
LEASE_MS = 30_000
KEPT_MS = 14 * 86_400_000

_log = logs.get_logger("imports")


class ImportWorker:
    """Checks and posts the rows of imports."""

    def __init__(
        self, store: ImportFiles, offers: Postings[Any], demands: Postings[Any], clock: Clock
    ) -> None:
        self._store = store
        self._offers = offers
        self._demands = demands
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for work at once."""
        self._woken.set()

    async def run(self) -> None:
        """Work, for ever."""
        while True:
            self._woken.clear()
            try:
                while await self.work():
                    pass
                for name in await self._store.untouched_since(self._clock() - KEPT_MS):
                    await self._store.delete(name)
            except Exception as error:
                if not faults.is_away(error):
                    raise
                _log.warning("imports wait", error=type(error).__name__)
            try:
                async with asyncio.timeout(SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def work(self) -> int:
        """Go through all imports that are due; return how many there were."""
        due = await self._store.due(self._clock())
        await asyncio.gather(*(self._through(document) for document in due))
        return len(due)

    async def _through(self, document: Document) -> None:
        """Go on with an import until it has nothing to do, or somebody else has it."""
        found: Document | None = await self._moved(document, {"due_ms": self._due()})
        try:
            while found is not None and found["due_ms"] != NEVER_MS:
                found = await self._chunk(found)
        except Exception as error:  # one odd file must not stop what others wait for
            if faults.is_away(error):
                raise
            _log.error("an import is stuck", name=document["_id"], exc_info=error)

    async def _chunk(self, document: Document) -> Document | None:
        """Go through the next chunk. Returns the import after it, None when it is another's."""
        checking = document["state"] == "STATE_CHECKING"
        gone = "checked" if checking else "done"
        first = document[gone]
        chunk = await self._store.chunk(document["_id"], first)
        if chunk is None:
            after = "STATE_READY" if checking else "STATE_DONE"
            return await self._moved(document, {"state": after, "due_ms": NEVER_MS})
        rows = [ImportRow.FromString(body) for body in chunk["rows"]]
        taken, unchanged = await self._post(document["_id"], rows, validate_only=checking)
        bad = [row.index for row in rows if _is_bad(row)]
        # Told apart, as a chunk may be gone through twice and its bad rows count once.
        known = chunk["received_bad"] if checking else chunk.get("checked_bad", len(chunk["bad"]))
        if bad != chunk["bad"]:
            content = [row.SerializeToString(deterministic=True) for row in rows]
            await self._store.replace(chunk, content, bad, checked=checking)
        fields: Document = {
            gone: first + len(rows),
            "bad": document["bad"] + len(bad) - known,
            "due_ms": self._due(),
        }
        if checking:
            fields["unchanged"] = document["unchanged"] + unchanged
        else:
            fields["taken"] = document["taken"] + taken
        return await self._moved(document, fields)

    async def _post(
        self, name: str, rows: Sequence[ImportRow], *, validate_only: bool
    ) -> tuple[int, int]:
        """Check or post the good rows, and note on the others what is wrong."""
        taken = unchanged = 0
        for kind, postings in (("offer", self._offers), ("demand", self._demands)):
            good = [row for row in rows if not row.problems and row.WhichOneof("posting") == kind]
            if not good:
                continue
            bulk = Bulk(postings, only(organization_of(name)), validate_only, name)
            await bulk.take([getattr(row, kind) for row in good])
            answer = await bulk.finished()
            taken += answer.taken
            unchanged += answer.unchanged
            for error in answer.errors:
                good[error.index].problems.extend(_told(error))
        return taken, unchanged

    async def _moved(self, document: Document, fields: Document) -> Document | None:
        fields = {**fields, "update_ms": self._clock()}
        done = await self._store.aggregates.compare_and_set(
            document["_id"], document["revision"], fields
        )
        return document | fields | {"revision": document["revision"] + 1} if done else None

    def _due(self) -> int:
        return self._clock() + LEASE_MS


def _is_bad(row: ImportRow) -> bool:
    return bool(row.problems) or row.WhichOneof("posting") is None


def _told(error: api.ImportError) -> list[ImportProblem]:
    return [
        ImportProblem(
            field=each.field, description=each.description, mend=each.mend, words=each.words
        )
        for each in error.problems
    ] or [ImportProblem(description=error.reason)]
