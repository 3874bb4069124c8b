"""Credit: what a grade is made of, contesting an event, and an operator's decision."""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web

from services.chassis.errors import FailedPrecondition
from services.gateway.forms import fields
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.organization_pb2 import CreditEvent
from spareline.registry.v1 import registry_service_pb2 as api

PAGE = "/organization/credit"
DECISIONS = "/operator/credit"
_SHOWN = 50
_VERDICTS = {"uphold": CreditEvent.VERDICT_UPHELD, "strike": CreditEvent.VERDICT_STRUCK}


async def show(request: web.Request) -> web.Response:
    """Show the grade, how it comes about, and every event behind it."""
    calls, own = caller(request), signed_in(request).organization
    account, found = await asyncio.gather(
        calls.call(
            calls.services.registry.GetCreditAccount,
            api.GetCreditAccountRequest(name=f"{own}/creditAccount"),
        ),
        calls.call(
            calls.services.registry.ListCreditEvents,
            api.ListCreditEventsRequest(
                parent=own, page_size=_SHOWN, page_token=request.query.get("page", "")
            ),
        ),
    )
    return await render(
        request,
        "credit.html",
        account=account,
        events=found.credit_events,
        next_page=found.next_page_token,
        request_id=str(uuid.uuid4()),
    )


async def contest(request: web.Request) -> web.StreamResponse:
    """Contest an event; an operator decides."""
    own = signed_in(request).organization
    form, calls = fields.read(await request.post()), caller(request)
    name = f"{own}/creditEvents/{request.match_info['event']}"
    if form.text("note"):
        await calls.call(
            calls.services.registry.ContestCreditEvent,
            api.ContestCreditEventRequest(
                name=name, note=form.text("note")[:1000], request_id=form.text("request_id")
            ),
        )
        await notify(request, "Contested. It counts half until an operator has decided.")
    else:
        await notify(request, "Not contested yet: say what is not right about it.")
    raise web.HTTPSeeOther(PAGE)


async def contested(request: web.Request) -> web.Response:
    """Show an operator all events that wait for a decision."""
    signed_in(request)
    calls = caller(request)
    found = await calls.call(
        calls.services.registry.ListCreditEvents,
        api.ListCreditEventsRequest(
            parent="organizations/-",
            contested_only=True,
            page_size=_SHOWN,
            page_token=request.query.get("page", ""),
        ),
    )
    return await render(
        request,
        "contested.html",
        events=found.credit_events,
        next_page=found.next_page_token,
        request_id=str(uuid.uuid4()),
    )


async def decide(request: web.Request) -> web.StreamResponse:
    """Uphold a contested event, or strike it out."""
    signed_in(request)
    form, calls = fields.read(await request.post()), caller(request)
    ids = request.match_info
    try:
        await calls.call(
            calls.services.registry.DecideCreditEvent,
            api.DecideCreditEventRequest(
                name=f"organizations/{ids['organization']}/creditEvents/{ids['event']}",
                verdict=_VERDICTS.get(form.text("verdict"), CreditEvent.VERDICT_UNSPECIFIED),
                reason=form.text("reason")[:1000],
                request_id=form.text("request_id"),
            ),
        )
    except FailedPrecondition:
        await notify(request, "Somebody has decided about it already.")
    else:
        await notify(request, "Decided. The firm reads your reason beside the event.")
    raise web.HTTPSeeOther(DECISIONS)
