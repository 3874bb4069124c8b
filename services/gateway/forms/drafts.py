"""Forms that are put aside: kept by the registry for the person who writes, until posted."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence

from aiohttp import web

from services.chassis.errors import DomainError
from services.gateway.forms.fields import Form
from services.gateway.people import PERSON, caller, signed_in
from spareline.market.v1.draft_pb2 import Draft, DraftTexts
from spareline.registry.v1 import draft_service_pb2 as api

FIELD = "draft"
_ID = re.compile(r"[0-9a-f]{32}")
_NOT_KEPT = frozenset({"csrf_token", "action", "request_id", "etag", FIELD})
_LONGEST, _MOST_FIELDS, _MOST_TEXTS, _LONGEST_NAME = 5000, 600, 80, 80


def new_id() -> str:
    """Return the id of a draft that is not stored yet."""
    return uuid.uuid4().hex


def _name(request: web.Request, draft: str) -> str:
    return f"{signed_in(request).subject}/drafts/{draft}"


async def save(request: web.Request, kind: Draft.Kind.ValueType, form: Form) -> None:
    """Keep a form as it stands. Raises DomainError."""
    if not _ID.fullmatch(form.text(FIELD)):
        form.values[FIELD] = new_id()
    draft = Draft(name=_name(request, form.text(FIELD)), kind=kind, title=form.text("title")[:160])
    for name in list(form.values)[:_MOST_FIELDS]:
        texts = [text[:_LONGEST] for text in form.texts(name)][:_MOST_TEXTS]
        if texts and name not in _NOT_KEPT and 0 < len(name) <= _LONGEST_NAME:
            draft.fields[name].CopyFrom(DraftTexts(texts=texts))
    calls = caller(request)
    await calls.call(
        calls.services.drafts.UpdateDraft, api.UpdateDraftRequest(draft=draft, allow_missing=True)
    )


async def load(request: web.Request, draft: str) -> tuple[Draft.Kind.ValueType, Form]:
    """Return what becomes of a draft, and its form. Raises NotFound."""
    calls = caller(request)
    found: Draft = await calls.call(
        calls.services.drafts.GetDraft, api.GetDraftRequest(name=_name(request, draft))
    )
    values: dict[str, object] = {
        name: list(kept.texts) if len(kept.texts) > 1 else "".join(kept.texts)
        for name, kept in found.fields.items()
    }
    return found.kind, Form(values | {FIELD: draft, "request_id": str(uuid.uuid4())})


async def drop(request: web.Request, draft: str) -> None:
    """Throw a draft away; one that is not there is no error."""
    if not _ID.fullmatch(draft):
        return
    calls = caller(request)
    await calls.call(
        calls.services.drafts.DeleteDraft, api.DeleteDraftRequest(name=_name(request, draft))
    )


async def drop_posted(request: web.Request, form: Form) -> None:
    """Throw away the draft of a form that was posted; the posting stands even if that fails."""
    try:
        await drop(request, form.text(FIELD))
    except DomainError:
        return


async def listing(
    request: web.Request, kind: Draft.Kind.ValueType | None = None
) -> Sequence[Draft]:
    """Return the reader's drafts, the latest first; none for whoever may not write any."""
    person = request.get(PERSON)
    if person is None or not person.may_trade:
        return []
    calls = caller(request)
    page = await calls.call(
        calls.services.drafts.ListDrafts, api.ListDraftsRequest(parent=person.subject)
    )
    return [draft for draft in page.drafts if kind is None or draft.kind == kind]
