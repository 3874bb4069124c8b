"""A file on its way into the market: looked at, followed, posted, thrown away."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import date

from aiohttp import web
from aiohttp_sse import sse_response

from services.chassis.errors import DomainError, FailedPrecondition
from services.files import workbooks
from services.files.taxonomy import Taxonomy
from services.gateway.clients import Caller
from services.gateway.files import out, rows_view, saving
from services.gateway.forms import fields
from services.gateway.handlers import files
from services.gateway.keys import CHASSIS
from services.gateway.languages import LANGUAGE
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.import_pb2 import Import, ImportRow
from spareline.registry.v1 import import_service_pb2 as api

_PAGE = 50
_ROWS_AT_ONCE = 1000
_TICK_SECONDS = 0.6
_BUSY = frozenset({Import.STATE_RECEIVING, Import.STATE_CHECKING, Import.STATE_POSTING})


def _name(request: web.Request) -> str:
    return f"{signed_in(request).organization}/imports/{request.match_info['import']}"


async def one(request: web.Request) -> web.Response:
    """Show an import: how far it is, what is wrong, what would be posted, or what was."""
    calls = caller(request)
    found: Import = await calls.call(
        calls.services.imports.GetImport, api.GetImportRequest(name=_name(request))
    )
    only_bad = request.query.get("show", "bad" if found.bad else "all") == "bad"
    busy = found.state in _BUSY
    rows: Sequence[ImportRow] = []
    following = ""
    if not busy:
        page = await calls.call(
            calls.services.imports.ListImportRows,
            api.ListImportRowsRequest(
                parent=found.name,
                only_bad=only_bad,
                page_size=_PAGE,
                page_token=request.query.get("page", ""),
            ),
        )
        rows, following = page.rows, page.next_page_token
    known = Taxonomy(await capabilities(request))
    return await render(
        request,
        "import.html",
        found=found,
        busy=busy,
        only_bad=only_bad,
        ignored=rows_view.ignored(found.tables),
        rows=[rows_view.of(row, found.tables, known, request[LANGUAGE]) for row in rows],
        next_page=following,
        share=_share(found),
        request_id=str(uuid.uuid4()),
    )


def _share(found: Import) -> int:
    """Return how far a busy import is, in per cent."""
    gone = found.done if found.state == Import.STATE_POSTING else found.checked
    return 100 * gone // found.rows if found.rows else 0


async def follow(request: web.Request) -> web.StreamResponse:
    """Send how far an import is, until it has nothing more to do by itself."""
    calls, name = caller(request), _name(request)
    # What is not there is told before the stream begins, which a browser would else open for ever.
    await calls.call(calls.services.imports.GetImport, api.GetImportRequest(name=name))
    async with sse_response(request) as events:
        with suppress(DomainError):
            async for found in _states(request, calls, name):
                busy = found.state in _BUSY
                told = {
                    "done": found.done if found.state == Import.STATE_POSTING else found.checked,
                    "rows": found.rows,
                    "share": _share(found),
                    "ended": not busy,
                }
                await events.send(json.dumps(told), event="import")
                if not busy or not events.is_connected():
                    break
    return events


async def _states(request: web.Request, calls: Caller, name: str) -> AsyncIterator[Import]:
    """Yield an import again and again until the gateway drains."""
    stopped = asyncio.ensure_future(request.app[CHASSIS].wait_stopped())
    try:
        while not stopped.done():
            yield await calls.call(
                calls.services.imports.GetImport, api.GetImportRequest(name=name)
            )
            await asyncio.wait([stopped], timeout=_TICK_SECONDS)
    finally:
        stopped.cancel()


async def confirm(request: web.Request) -> web.StreamResponse:
    """Have the good rows posted."""
    form, calls = fields.read(await request.post()), caller(request)
    name = _name(request)
    try:
        await calls.call(
            calls.services.imports.ConfirmImport,
            api.ConfirmImportRequest(
                name=name,
                good_only=form.checked("good_only"),
                request_id=fields.request_id(form.text("request_id")),
            ),
        )
    except FailedPrecondition:
        await notify(request, "Some rows are not good. Mend them, or post the good ones only.")
    raise web.HTTPSeeOther(f"{files.PATH}/{request.match_info['import']}")


async def delete(request: web.Request) -> web.StreamResponse:
    """Throw an import away; what it has posted stays."""
    calls = caller(request)
    await calls.call(
        calls.services.imports.DeleteImport, api.DeleteImportRequest(name=_name(request))
    )
    await notify(request, "The file is gone from here. What was posted stays.")
    raise web.HTTPSeeOther(files.PATH)


async def marked(request: web.Request) -> web.Response:
    """Give an upload back as it came, with a column that says what to change."""
    calls, language = caller(request), request[LANGUAGE]
    found: Import = await calls.call(
        calls.services.imports.GetImport, api.GetImportRequest(name=_name(request))
    )
    rows: list[ImportRow] = []
    asked = api.ListImportRowsRequest(parent=found.name, page_size=_ROWS_AT_ONCE)
    async for page in calls.pages(calls.services.imports.ListImportRows, asked):
        rows += page.rows
    known = Taxonomy(await capabilities(request))
    kind = request.match_info["format"]
    stem = found.file_name.rpartition(".")[0] or found.file_name

    def content() -> bytes:
        sheets = list(out.marked(found, rows, known, language))
        return workbooks.write(sheets) if kind == "xlsx" else out.as_csv(sheets[0]).encode()

    if not found.tables:
        raise web.HTTPNotFound
    return saving.response(
        await asyncio.to_thread(content), f"{stem}-{date.today():%m%d}.{kind}", kind
    )
