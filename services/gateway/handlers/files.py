"""Files: what to fill in, what is sent in, and everything taken away again."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from aiohttp import web
from aiohttp.web_request import FileField

from services.files import json_rows, workbooks
from services.files.columns import Kind
from services.files.rows import Posting
from services.files.taxonomy import Taxonomy
from services.files.wording import Unreadable, WrongCell
from services.gateway.files import out, reading, saving
from services.gateway.files.wordings import wording
from services.gateway.forms import choosing, fields
from services.gateway.keys import FILE_KEY
from services.gateway.languages import LANGUAGE, gettext, translations
from services.gateway.market import capabilities, capability
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.import_pb2 import Import
from spareline.registry.v1 import import_service_pb2 as api
from spareline.registry.v1 import registry_service_pb2 as registry

PATH: Final = "/files"
_PAGE_SIZE = 1000
_SHOWN = 12
_CHUNK_ROWS, _CHUNK_BYTES = 250, 1_500_000
_AT_ONCE = asyncio.Semaphore(2)
"""Large files are read one beside another at most, as each holds the memory of its cells.

They are read in threads: while one of 10,000 rows is opened (12 s), what a page does on the event
loop takes 37 ms at the median in place of 15, and 144 at most. That needs no process of its own."""


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
    known, key = Taxonomy(await capabilities(request)), request.app[FILE_KEY]
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
            parent=signed_in(request).organization,
            file=file,
            request_id=fields.request_id(request_id),
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


async def template(request: web.Request) -> web.Response:
    """Give a table to fill in for a capability, with an example."""
    signed_in(request)
    chosen = await capability(request, request.query.get("capability", ""))
    kind: Kind = "demands" if request.query.get("kind") == "demands" else "offers"
    known, language = Taxonomy(await capabilities(request)), request[LANGUAGE]
    sheet = out.template(chosen, kind, known, language, date.today())
    name = f"{chosen.code.rpartition('.')[2]}-{kind}"
    if request.query.get("format") == "csv":
        return saving.response(out.as_csv(sheet).encode(), f"{name}.csv", "csv")
    guide = out.guide(chosen, kind, language, date.today())
    content = await asyncio.to_thread(workbooks.write, [sheet, guide])
    return saving.response(content, f"{name}.xlsx", "xlsx")


async def export(request: web.Request) -> web.Response:
    """Give everything of mine as a file that can be imported again."""
    kind, form = request.query.get("format", "jsonl"), request.query.get("kind", "all")
    if kind not in saving.TYPES or form not in ("all", "offers", "demands"):
        raise web.HTTPNotFound
    if kind == "csv" and form == "all":
        form = "offers"
    ended = bool(request.query.get("ended"))
    postings: list[Posting] = []
    if form != "demands":
        postings += await _all(request, "offers", ended)
    if form != "offers":
        postings += await _all(request, "demands", ended)
    known, language = Taxonomy(await capabilities(request)), request[LANGUAGE]
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
    return saving.response(made, f"spareline-{form}-{date.today().isoformat()}.{kind}", kind)


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
        page_size=_PAGE_SIZE,
    )
    found: list[Posting] = []
    async for page in calls.pages(method, asked):
        found += getattr(page, kind)
    return found


def file_key(secret: bytes) -> bytes:
    """Return the key that goes into names of postings, made of the secret of the gateway."""
    return hashlib.sha256(b"names of imported postings\n" + secret).digest()
