"""The audit: who did what when, for an organization about itself, for an operator about all."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from aiohttp import web

from services.chassis.errors import DomainError
from services.gateway import audit_words
from services.gateway.audit_words import CHANGES, OUTCOMES, READING
from services.gateway.formats import ZONE
from services.gateway.forms import fields
from services.gateway.keys import DOWNLOADS
from services.gateway.languages import LANGUAGE, gettext, translations
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.market.v1.organization_pb2 import AuditEntry
from spareline.registry.v1 import identity_service_pb2 as identity
from spareline.registry.v1 import registry_service_pb2 as api

_Request = api.ListAuditEntriesRequest
_KINDS = {"changes": _Request.KIND_CHANGE, "readings": _Request.KIND_READING}
_SHOWN = 50
_AT_ONCE = 300
_REST = 0.5
_MOST_ROWS = 20_000
_COLUMNS = (
    "time",
    "actor",
    "actor_organization",
    "action",
    "method",
    "resource",
    "fields",
    "outcome",
    "request_id",
)


async def own(request: web.Request) -> web.Response:
    """Show the log of the reader's organization."""
    return await _page(request, "audit.html", signed_in(request).organization)


async def everything(request: web.Request) -> web.Response:
    """Show an operator the log of the whole market."""
    signed_in(request)
    return await _page(request, "operator_audit.html", "organizations/-")


async def _page(request: web.Request, template: str, parent: str) -> web.Response:
    form = fields.Form(dict(request.query))
    wanted = _wanted(request, form, parent)
    wanted.page_size, wanted.page_token = _SHOWN, form.text("page")
    calls = caller(request)
    answer, people = await asyncio.gather(
        calls.call(calls.services.registry.ListAuditEntries, wanted), _people(request)
    )
    filters = {k: v for k, v in request.query.items() if k != "page" and v}
    words = translations(request[LANGUAGE]).gettext
    return await render(
        request,
        template,
        status=400 if form.problems else 200,
        entries=answer.audit_entries,
        next_page=answer.next_page_token,
        form=form,
        people=people,
        query=urlencode(filters),
        actions={name: words(text) for name, text in CHANGES.items()},
        reading=words(READING),
        thing=lambda name: audit_words.thing(name, signed_in(request).organization, words),
        fields=lambda paths: audit_words.fields(paths, words),
        outcomes={name: words(text) for name, text in OUTCOMES.items()},
        methods=sorted(((name, words(text)) for name, text in CHANGES.items()), key=lambda c: c[1]),
    )


def _wanted(request: web.Request, form: fields.Form, parent: str) -> _Request:
    """Return the request that the filters of the page make; what is wrong is noted in the form."""
    wanted = _Request(
        parent=parent,
        kind=_KINDS.get(form.text("kind"), _Request.KIND_UNSPECIFIED),
        actor=form.text("actor")[:200],
        method=form.text("method")[:100],
        refused_only=form.checked("refused"),
    )
    if parent == "organizations/-" and (firm := form.text("firm").removeprefix("organizations/")):
        wanted.parent = f"organizations/{firm}"
    for name, field, days in (("from", "since", 0), ("to", "until", 1)):
        if not (text := form.text(name)):
            continue
        try:
            day = date.fromisoformat(text) + timedelta(days=days)
            midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE)
            getattr(wanted, field).FromDatetime(midnight.astimezone(UTC))
        except (ValueError, OverflowError):
            form.problems[name] = gettext(request, "Give a day such as 2026-11-22.")
    return wanted


async def _people(request: web.Request) -> Mapping[str, str]:
    """Return the names of those who work here, by subject; pages go on without."""
    calls, parent = caller(request), signed_in(request).organization
    try:
        answer = await calls.call(
            calls.services.identity.ListMembers,
            identity.ListMembersRequest(parent=parent, page_size=200),
        )
    except DomainError:
        return {}
    return {each.name: each.display_name or each.email for each in answer.members}


async def own_csv(request: web.Request) -> web.StreamResponse:
    """Send the log of the reader's organization as a table."""
    return await _csv(request, signed_in(request).organization)


async def everything_csv(request: web.Request) -> web.StreamResponse:
    """Send an operator the log of the whole market as a table."""
    signed_in(request)
    return await _csv(request, "organizations/-")


async def _csv(request: web.Request, parent: str) -> web.StreamResponse:
    wanted = _wanted(request, fields.Form(dict(request.query)), parent)
    wanted.page_size = _AT_ONCE
    pages = _pages(request, wanted)
    first = await anext(pages)  # a refusal still becomes a page
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="audit.csv"',
        }
    )
    await response.prepare(request)
    # With the mark of its encoding, or spreadsheets read Chinese as something else.
    await response.write(b"\xef\xbb\xbf" + _rows([_COLUMNS]) + _rows(map(_row, first)))
    async for entries in pages:
        await response.write(_rows(map(_row, entries)))
    return response


async def _pages(request: web.Request, wanted: _Request) -> AsyncIterator[list[AuditEntry]]:
    """Yield the log a part at a time.

    The first part comes at once. For the others all downloads take turns, with a rest between them
    that grows with their cost: who waits for a page comes before who waits for a whole log.
    """
    calls, rows, spent = caller(request), 0, 0.0
    while True:
        async with request.app[DOWNLOADS] if rows else nullcontext():
            await asyncio.sleep(spent * _REST)
            started = time.monotonic()
            answer = await calls.call(calls.services.registry.ListAuditEntries, wanted)
            spent = time.monotonic() - started
        yield list(answer.audit_entries)
        rows += len(answer.audit_entries)
        wanted.page_token = answer.next_page_token
        if not wanted.page_token or rows >= _MOST_ROWS:
            return


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        entry.time.ToDatetime(tzinfo=UTC).isoformat(timespec="milliseconds"),
        entry.actor,
        entry.actor_organization,
        entry.action,
        entry.method,
        entry.resource,
        " ".join(entry.fields),
        entry.outcome,
        entry.request_id,
    )


def _rows(rows: object) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()
