"""Files: what to fill in, an upload on its way into the market, and everything taken away again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from aiohttp.web_request import FileField
from aiohttp_sse import sse_response

from services.chassis.errors import DomainError, FailedPrecondition
from services.files import json_rows, workbooks
from services.files.columns import Kind
from services.files.rows import Posting
from services.files.taxonomy import Taxonomy
from services.files.wording import Unreadable, WrongCell
from services.gateway.clients import Caller
from services.gateway.files import out, reading, rows_view
from services.gateway.files.wordings import wording
from services.gateway.forms import choosing, fields
from services.gateway.keys import CHASSIS, FILE_KEY
from services.gateway.languages import LANGUAGE, gettext, translations
from services.gateway.market import capabilities, capability
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.import_pb2 import Import, ImportRow
from spareline.registry.v1 import import_service_pb2 as api
from spareline.registry.v1 import registry_service_pb2 as registry

PATH: Final = "/files"
_PAGE = 50
_EXPORT_PAGE = 1000
_SHOWN = 12
_CHUNK_ROWS, _CHUNK_BYTES = 250, 1_500_000
_TICK_SECONDS = 0.6
_AT_ONCE = asyncio.Semaphore(2)
"""Large files are read one beside another at most, as each holds the memory of its cells.

They are read in threads: while one of 10,000 rows is opened (12 s), what a page does on the event
loop takes 37 ms at the median in place of 15, and 144 at most. That needs no process of its own."""
_BUSY = frozenset({Import.STATE_RECEIVING, Import.STATE_CHECKING, Import.STATE_POSTING})
_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
}


def _name(request: web.Request) -> str:
    return f"{signed_in(request).organization}/imports/{request.match_info['import']}"


async def _known(request: web.Request) -> Taxonomy:
    return Taxonomy(await capabilities(request))


async def show(request: web.Request) -> web.Response:
    """Show where files come in and go out, and those on their way."""
    return await _page(request, fields.Form({"request_id": str(uuid.uuid4())}))


async def _page(request: web.Request, form: fields.Form, status: int = 200) -> web.Response:
    person, calls = signed_in(request), caller(request)
    imports: Sequence[Import] = []
    if person.may_trade:
        answer = await calls.call(
            calls.services.imports.ListImports,
            api.ListImportsRequest(parent=person.organization, page_size=_SHOWN),
        )
        imports = answer.imports
    known = await capabilities(request)
    chosen = request.query.get("capability", "")
    return await render(
        request,
        "files.html",
        status=status,
        form=form,
        imports=imports,
        choices=choosing.capability_choices(known, request[LANGUAGE]),
        chosen=chosen if chosen in known else "",
        side=request.query.get("kind", ""),
        most=reading.MOST_BYTES // 1024 // 1024,
    )


async def upload(request: web.Request) -> web.StreamResponse:
    """Take a file: open it, understand it, and hand its rows to the registry, which checks them."""
    person, sent = signed_in(request), await request.post()
    form = fields.Form({"request_id": str(sent.get("request_id", ""))})
    file = sent.get("file")
    if not isinstance(file, FileField):
        form.problems["file"] = gettext(request, "Choose a file first.")
        return await _page(request, form, 400)
    words = wording(request[LANGUAGE], person.organization)
    known, key = await _known(request), request.app[FILE_KEY]
    try:
        async with _AT_ONCE:
            content = await asyncio.to_thread(file.file.read)
            made = await asyncio.to_thread(reading.read, content, file.filename, known, words, key)
    except Unreadable as error:
        form.problems["file"] = " ".join(part for part in error.told(words.translate) if part)
        return await _page(request, form, 400)
    begun = await _send(request, made, file.filename, form.text("request_id"))
    raise web.HTTPSeeOther(f"{PATH}/{begun.name.rpartition('/')[2]}")


async def _send(
    request: web.Request, made: reading.Upload, file_name: str, request_id: str
) -> Import:
    """Hand an upload over. Repeated as a whole, or in part, it is still one import."""
    calls = caller(request)
    file = Import(file_name=file_name[-200:], language=request[LANGUAGE], tables=made.tables)
    begun: Import = await calls.call(
        calls.services.imports.CreateImport,
        api.CreateImportRequest(
            parent=signed_in(request).organization, file=file, request_id=_uuid(request_id)
        ),
    )
    if begun.state != Import.STATE_RECEIVING:
        return begun
    some = list(reading.chunks(made.rows, _CHUNK_ROWS, _CHUNK_BYTES))
    for index, chunk in enumerate(some):
        begun = await calls.call(
            calls.services.imports.AddImportRows,
            api.AddImportRowsRequest(name=begun.name, rows=chunk, last=index == len(some) - 1),
        )
    return begun


def _uuid(text: str) -> str:
    """Return the id that the form carried, or a new one where somebody has changed it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid4())


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
    known = await _known(request)
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
                request_id=_uuid(form.text("request_id")),
            ),
        )
    except FailedPrecondition:
        await notify(request, "Some rows are not good. Mend them, or post the good ones only.")
    raise web.HTTPSeeOther(f"{PATH}/{request.match_info['import']}")


async def delete(request: web.Request) -> web.StreamResponse:
    """Throw an import away; what it has posted stays."""
    calls = caller(request)
    await calls.call(
        calls.services.imports.DeleteImport, api.DeleteImportRequest(name=_name(request))
    )
    await notify(request, "The file is gone from here. What was posted stays.")
    raise web.HTTPSeeOther(PATH)


async def marked(request: web.Request) -> web.Response:
    """Give an upload back as it came, with a column that says what to change."""
    calls, language = caller(request), request[LANGUAGE]
    found: Import = await calls.call(
        calls.services.imports.GetImport, api.GetImportRequest(name=_name(request))
    )
    rows: list[ImportRow] = []
    asked = api.ListImportRowsRequest(parent=found.name, page_size=_EXPORT_PAGE)
    async for page in calls.pages(calls.services.imports.ListImportRows, asked):
        rows += page.rows
    known = await _known(request)
    kind = request.match_info["format"]
    stem = found.file_name.rpartition(".")[0] or found.file_name

    def content() -> bytes:
        sheets = list(out.marked(found, rows, known, language))
        return workbooks.write(sheets) if kind == "xlsx" else out.as_csv(sheets[0]).encode()

    if not found.tables:
        raise web.HTTPNotFound
    return _file(await asyncio.to_thread(content), f"{stem}-{date.today():%m%d}.{kind}", kind)


async def template(request: web.Request) -> web.Response:
    """Give a table to fill in for a capability, with an example."""
    signed_in(request)
    chosen = await capability(request, request.query.get("capability", ""))
    kind: Kind = "demands" if request.query.get("kind") == "demands" else "offers"
    known, language = await _known(request), request[LANGUAGE]
    sheet = out.template(chosen, kind, known, language, date.today())
    name = f"{chosen.code.rpartition('.')[2]}-{kind}"
    if request.query.get("format") == "csv":
        return _file(out.as_csv(sheet).encode(), f"{name}.csv", "csv")
    guide = out.guide(chosen, kind, language, date.today())
    content = await asyncio.to_thread(workbooks.write, [sheet, guide])
    return _file(content, f"{name}.xlsx", "xlsx")


async def export(request: web.Request) -> web.Response:
    """Give everything of mine as a file that can be imported again."""
    kind, form = request.query.get("format", "jsonl"), request.query.get("kind", "all")
    if kind not in _TYPES or form not in ("all", "offers", "demands"):
        raise web.HTTPNotFound
    if kind == "csv" and form == "all":
        form = "offers"
    ended = bool(request.query.get("ended"))
    postings: list[Posting] = []
    if form != "demands":
        postings += await _all(request, "offers", ended)
    if form != "offers":
        postings += await _all(request, "demands", ended)
    known, language = await _known(request), request[LANGUAGE]
    noun: Kind = "demands" if form == "demands" else "offers"

    def content() -> bytes:
        if kind == "jsonl":
            return "".join(json_rows.write(postings)).encode()
        if kind == "csv":
            return out.export_csv(postings, noun, known, language).encode()
        return out.export_xlsx(postings, known, language)

    try:
        made = await asyncio.to_thread(content)
    except WrongCell as error:
        await notify(request, "%(what)s", what=" ".join(error.told(translations(language).gettext)))
        raise web.HTTPSeeOther(PATH) from None
    return _file(made, f"spareline-{form}-{date.today().isoformat()}.{kind}", kind)


async def _all(request: web.Request, kind: Kind, ended: bool) -> list[Posting]:
    """Return all offers or demands of the organization."""
    calls, parent = caller(request), signed_in(request).organization
    service = calls.services.registry
    method: Any = service.ListOffers if kind == "offers" else service.ListDemands
    make: Any = registry.ListOffersRequest if kind == "offers" else registry.ListDemandsRequest
    open_ = ["STATE_OPEN"] if kind == "offers" else ["STATE_OPEN", "STATE_MATCHED"]
    asked = make(
        parent=parent,
        filter=registry.PostingFilter(states=[] if ended else open_),
        page_size=_EXPORT_PAGE,
    )
    found: list[Posting] = []
    async for page in calls.pages(method, asked):
        found += getattr(page, kind)
    return found


def _file(content: bytes, name: str, kind: str) -> web.Response:
    """Return a file to be saved under a name that may hold any letters (RFC 6266)."""
    plain = "".join(x if x.isascii() and (x.isalnum() or x in "-_. ") else "_" for x in name)
    quoted = quote(name, safe="")
    return web.Response(
        body=content,
        content_type=_TYPES[kind],
        charset=None if kind == "xlsx" else "utf-8",
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
        },
    )


def file_key(secret: bytes) -> bytes:
    """Return the key that goes into names of postings, made of the secret of the gateway."""
    return hashlib.sha256(b"names of imported postings\n" + secret).digest()
