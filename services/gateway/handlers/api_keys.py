"""Keys with which an organization's own software acts for it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from aiohttp import web

from services.chassis.errors import InvalidArgument
from services.gateway.forms import fields
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.organization_pb2 import ApiKey
from spareline.registry.v1 import identity_service_pb2 as api

PAGE = "/organization/keys"
_PLACES = {"api_key.display_name": "name", "api_key.expire_time": "days"}
_SHOWN = 100
_LONGEST_DAYS = 3650


def _blank() -> fields.Form:
    return fields.Form({"request_id": str(uuid.uuid4()), "scope": "read", "days": "365"})


async def listing(request: web.Request) -> web.Response:
    """Show the keys, and the form for another."""
    signed_in(request)
    return await _page(request, _blank())


async def _page(
    request: web.Request,
    form: fields.Form,
    made: api.CreateApiKeyResponse | None = None,
    status: int = 200,
) -> web.Response:
    calls = caller(request)
    answer = await calls.call(
        calls.services.identity.ListApiKeys,
        api.ListApiKeysRequest(
            parent=signed_in(request).organization,
            page_size=_SHOWN,
            page_token=request.query.get("page", ""),
        ),
    )
    now = datetime.now(UTC)
    return await render(
        request,
        "api_keys.html",
        status=status,
        keys=[(key, _expired(key, now)) for key in answer.api_keys],
        next_page=answer.next_page_token,
        form=form,
        made=made,
    )


def _expired(key: ApiKey, now: datetime) -> bool:
    return key.HasField("expire_time") and key.expire_time.ToDatetime(tzinfo=UTC) <= now


async def create(request: web.Request) -> web.Response:
    """Make a key, and show its secret this once."""
    form, calls = fields.read(await request.post()), caller(request)
    parent = signed_in(request).organization
    form.require("name", gettext(request, "Say what the key is for."))
    days = form.whole(
        "days", gettext(request, "Give whole days, at most 3650, or leave it empty."), _LONGEST_DAYS
    )
    if form.problems:
        return await _page(request, form, status=400)
    wanted = ApiKey(
        display_name=form.text("name"),
        scopes=["read", "write"] if form.text("scope") == "write" else ["read"],
    )
    if days:
        wanted.expire_time.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    try:
        made = await calls.call(
            calls.services.identity.CreateApiKey,
            api.CreateApiKeyRequest(
                parent=parent, api_key=wanted, request_id=form.text("request_id")
            ),
        )
    except InvalidArgument as error:
        form.take(error, _PLACES, request[LANGUAGE])
        return await _page(request, form, status=400)
    return await _page(request, _blank(), made)


async def end(request: web.Request) -> web.StreamResponse:
    """End a key."""
    name = f"{signed_in(request).organization}/apiKeys/{request.match_info['key']}"
    calls = caller(request)
    await calls.call(calls.services.identity.DeleteApiKey, api.DeleteApiKeyRequest(name=name))
    await notify(
        request, "The key has ended. A token that it was exchanged for lives on for 15 minutes."
    )
    raise web.HTTPSeeOther(PAGE)
