"""A private address from which a member's own calendar reads what is agreed."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date, timedelta

from aiohttp import web

from services.chassis.errors import PermissionDenied, Unauthenticated
from services.gateway import calendars
from services.gateway.agreement import AGREED
from services.gateway.clients import Caller
from services.gateway.forms import fields, quantities
from services.gateway.languages import LANGUAGE, LANGUAGES
from services.gateway.market import capabilities
from services.gateway.people import SERVICES, caller, signed_in
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.registry.v1 import calendar_service_pb2 as api
from spareline.registry.v1 import identity_service_pb2 as identity

_MOST = 1000
_WEEKS_BACK = 8


def _name(request: web.Request) -> str:
    person = signed_in(request)
    if "/members/" not in person.subject:
        raise PermissionDenied(reason_pb2.REASON_ROLE_MISSING, "Only people have a calendar")
    return f"{person.subject}/calendarFeed"


async def show(request: web.Request) -> web.Response:
    """Tell whether there is an address, and how to get one."""
    return await _page(request, "")


async def _page(request: web.Request, address: str) -> web.Response:
    calls = caller(request)
    feed = await calls.call(
        calls.services.calendars.GetCalendarFeed, api.GetCalendarFeedRequest(name=_name(request))
    )
    return await render(
        request, "calendar.html", feed=feed, address=address, request_id=str(uuid.uuid4())
    )


async def rotate(request: web.Request) -> web.StreamResponse:
    """Make an address, which ends the one before, and show it this once."""
    form, calls = fields.read(await request.post()), caller(request)
    made = await calls.call(
        calls.services.calendars.RotateCalendarFeed,
        api.RotateCalendarFeedRequest(name=_name(request), request_id=form.text("request_id")),
    )
    if not made.secret:  # the form was sent twice; the address was in the first answer
        raise web.HTTPSeeOther("/account/calendar")
    return await _page(request, f"{request.url.origin()}/calendar/{made.secret}.ics")


async def delete(request: web.Request) -> web.StreamResponse:
    """End the address."""
    calls = caller(request)
    await calls.call(
        calls.services.calendars.DeleteCalendarFeed,
        api.DeleteCalendarFeedRequest(name=_name(request)),
    )
    await notify(request, "The address is switched off.")
    raise web.HTTPSeeOther("/account/calendar")


async def feed(request: web.Request) -> web.Response:
    """Send the calendar to whoever knows the address; as if it were not there to all others."""
    services = request.app[SERVICES]
    anonymous = Caller(services, "", address=request.remote or "")
    try:
        grant = identity.IssueTokenRequest(calendar_feed=request.match_info["secret"])
        issued = await anonymous.call(services.identity.IssueToken, grant)
    except Unauthenticated:
        raise web.HTTPNotFound from None
    calls = Caller(services, issued.access_token)
    wanted = matching.ListProposalsRequest(
        parent="rounds/-",
        party=issued.principal.organization,
        states=[Proposal.State.Name(state) for state in sorted(AGREED)],
        page_size=_MOST,
    )
    page, known = await asyncio.gather(
        calls.call(services.matching.ListProposals, wanted), capabilities(request)
    )
    chosen = issued.principal.language
    made = calendars.calendar(
        page.proposals,
        known,
        chosen if chosen in LANGUAGES else request[LANGUAGE],
        str(request.url.origin()),
        since=quantities.period(date.today() - timedelta(weeks=_WEEKS_BACK)),
    )
    return web.Response(body=made, content_type=calendars.TYPE, charset="utf-8")
