"""Imports of files: begun, filled, read, confirmed and thrown away. Who may, the guard has checked.

What an import does by itself is in ``import_work``.
"""

from collections.abc import Callable, Sequence

from services.chassis import names, paging
from services.chassis.access import Principal, organization_of
from services.chassis.aggregates import Document, New
from services.chassis.causes import Said, said
from services.chassis.errors import DomainError, FailedPrecondition
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.store.changes import ATTEMPTS
from services.registry.store.import_files import NEVER_MS, ImportFiles
from services.registry.usecases import pages
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.import_pb2 import Import, ImportRow
from spareline.registry.v1 import import_service_pb2 as api

PATTERN = "organizations/{organization}/imports/{import_}"
MOST = 30
"""Imports that an organization has at most; the oldest that are done make way."""
MOST_ROWS = 50_000
_COUNTS = ("rows", "checked", "bad", "unchanged", "done", "taken")
_RECEIVING, _CHECKING, _READY, _POSTING, _DONE = (
    f"STATE_{each}" for each in ("RECEIVING", "CHECKING", "READY", "POSTING", "DONE")
)


class Imports:
    """Keeps imports for their organizations."""

    def __init__(self, store: ImportFiles, clock: Clock, wake: Callable[[], None]) -> None:
        """``wake`` is called when an import has something to do."""
        self._store = store
        self._clock = clock
        self._wake = wake

    async def create(self, principal: Principal, request: api.CreateImportRequest) -> Import:
        """Begin an import. Raises FailedPrecondition when there are too many."""
        _require_own(principal, request.parent)
        replay = Replay.of(request)
        parent = organization_of(request.parent)
        name = f"{parent}/imports/{names.derived_id(f'{parent}/imports', request.request_id)}"
        stored = replay.stored(await self._store.aggregates.get(name), Import)
        if stored is not None:
            return stored
        await self._make_room(parent)
        now = self._clock()
        given = request.file
        kept = Import(name=name, file_name=given.file_name, language=given.language)
        kept.tables.extend(given.tables)
        document: Document = {
            "_id": name,
            "organization": parent,
            "state": _RECEIVING,
            "create_ms": now,
            "update_ms": now,
            "due_ms": NEVER_MS,
            "body": kept.SerializeToString(deterministic=True),
            "firsts": [],
            **dict.fromkeys(_COUNTS, 0),
        }
        answer = read(document)
        new = New(document, answer=replay.answer(answer))
        [done] = await self._store.aggregates.insert_many([new])
        if done:
            return answer
        stored = replay.stored(await self._store.aggregates.get(name), Import)
        if stored is None:
            raise refusals.conflict()
        return stored

    async def add(self, principal: Principal, request: api.AddImportRowsRequest) -> Import:
        """Add rows. Raises NotFound, InvalidArgument, FailedPrecondition when it is complete."""
        for _ in range(ATTEMPTS):
            document = await self._own(principal, request.name)
            if document["state"] != _RECEIVING:
                if _has(document, request):
                    return read(document)
                raise _wrong_state(said(cause_pb2.CAUSE_IMPORT_COMPLETE))
            first = document["rows"]
            rows = [row for row in request.rows if row.index >= first]
            _require_sequence(first, rows)
            firsts = list(document["firsts"])
            bad = [row.index for row in rows if row.problems or not row.WhichOneof("posting")]
            if rows:
                content = [row.SerializeToString(deterministic=True) for row in rows]
                await self._store.add(request.name, first, content, bad)
                firsts.append(first)
            total = first + len(rows)
            fields: Document = {
                "rows": total,
                "firsts": firsts,
                "bad": document["bad"] + len(bad),
                "update_ms": self._clock(),
            }
            if request.last:
                # Without a row there is nothing to check.
                fields |= {"state": _CHECKING, "due_ms": 0} if total else {"state": _READY}
            if await self._set(document, fields):
                if request.last:
                    self._wake()
                return read(document | fields)
        raise refusals.conflict()

    async def get(self, principal: Principal, name: str) -> Import:
        """Return an import. Raises NotFound."""
        return read(await self._own(principal, name))

    async def list(
        self, principal: Principal, request: api.ListImportsRequest
    ) -> api.ListImportsResponse:
        """Return a page of an organization's imports, the latest first, without their tables."""
        _require_own(principal, request.parent)
        items = []
        for document in await self._store.of_organization(organization_of(request.parent)):
            found = read(document)
            found.ClearField("tables")
            items.append((found.name, found))
        page, following = pages.cut(request, items)
        return api.ListImportsResponse(imports=page, next_page_token=following)

    async def rows(
        self, principal: Principal, request: api.ListImportRowsRequest
    ) -> api.ListImportRowsResponse:
        """Return a page of an import's rows in the order of the file. Raises NotFound."""
        document = await self._own(principal, request.parent)
        page = paging.Page.of(request)
        start = int(page.start.get("index", 0))
        found: list[ImportRow] = []
        async for chunk in self._store.chunks(request.parent, document["firsts"], start):
            wanted = set(chunk["bad"]) if request.only_bad else None
            for index, body in enumerate(chunk["rows"], start=chunk["first"]):
                if index < start or (wanted is not None and index not in wanted):
                    continue
                if len(found) == page.size:
                    token = page.following(index=index)
                    return api.ListImportRowsResponse(rows=found, next_page_token=token)
                found.append(ImportRow.FromString(body))
        return api.ListImportRowsResponse(rows=found)

    async def confirm(self, principal: Principal, request: api.ConfirmImportRequest) -> Import:
        """Have the good rows posted.

        Raises NotFound, FailedPrecondition before it is checked, or for a bad row unless only
        the good ones are wanted.
        """
        replay = Replay.of(request)
        for _ in range(ATTEMPTS):
            document = await self._own(principal, request.name)
            if (stored := replay.stored(document, Import)) is not None:
                return stored
            if document["state"] in (_POSTING, _DONE):
                return read(document)  # whoever pressed twice meant once
            if document["state"] != _READY:
                raise _wrong_state(said(cause_pb2.CAUSE_IMPORT_NOT_CHECKED))
            if document["bad"] and not request.good_only:
                raise _wrong_state(said(cause_pb2.CAUSE_IMPORT_HAS_BAD_ROWS, count=document["bad"]))
            fields = {"state": _POSTING, "due_ms": 0, "update_ms": self._clock()}
            answer = read(document | fields)
            if await self._set(document, fields, replay.answer(answer)):
                self._wake()
                return answer
        raise refusals.conflict()

    async def delete(self, principal: Principal, name: str) -> None:
        """Throw an import away. Raises FailedPrecondition while it is being posted."""
        names.parse(PATTERN, name)
        _require_own(principal, name)
        document = await self._store.aggregates.get(name)
        if document is None:
            return
        if document["state"] == _POSTING:
            raise _wrong_state(said(cause_pb2.CAUSE_IMPORT_BEING_POSTED))
        await self._store.delete(name)

    async def _own(self, principal: Principal, name: str) -> Document:
        names.parse(PATTERN, name)
        _require_own(principal, name)
        document = await self._store.aggregates.get(name)
        if document is None:
            raise refusals.not_found(name)
        return document

    async def _set(self, document: Document, fields: Document, *answers: object) -> bool:
        return await self._store.aggregates.compare_and_set(
            document["_id"],
            document["revision"],
            fields,
            (),
            answers,  # type: ignore[arg-type]
        )

    async def _make_room(self, parent: str) -> None:
        present = await self._store.of_organization(parent)
        for document in reversed(present):
            if len(present) < MOST:
                return
            if document["state"] != _POSTING:
                await self._store.delete(document["_id"])
                present.remove(document)
        if len(present) >= MOST:
            raise _wrong_state(said(cause_pb2.CAUSE_TOO_MANY_IMPORTS, most=MOST))


def read(document: Document) -> Import:
    """Return the import of a document."""
    found = Import.FromString(document["body"])
    found.state = Import.State.Value(document["state"])
    for count in _COUNTS:
        setattr(found, count, document[count])
    found.create_time.CopyFrom(timestamp(document["create_ms"]))
    found.update_time.CopyFrom(timestamp(document["update_ms"]))
    return found


def _require_own(principal: Principal, name: str) -> None:
    """Keep operators, who may read what is anybody's, from the files of others."""
    if principal.role == "operator" and principal.organization != organization_of(name):
        raise refusals.forbidden(said(cause_pb2.CAUSE_OWN_ORGANIZATION_ONLY))


def _require_sequence(first: int, rows: Sequence[ImportRow]) -> None:
    if [row.index for row in rows] != list(range(first, first + len(rows))):
        raise refusals.field_invalid("rows", said(cause_pb2.CAUSE_ROWS_OUT_OF_ORDER, first=first))
    if first + len(rows) > MOST_ROWS:
        raise refusals.field_invalid("rows", said(cause_pb2.CAUSE_TOO_MANY_ROWS, most=MOST_ROWS))


def _has(document: Document, request: api.AddImportRowsRequest) -> bool:
    """Tell whether all these rows were added before: the call is a repeat."""
    return request.last and all(row.index < document["rows"] for row in request.rows)


def _wrong_state(message: Said) -> DomainError:
    return FailedPrecondition(reason_pb2.REASON_FIELD_INVALID, message)
