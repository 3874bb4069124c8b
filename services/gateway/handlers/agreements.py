"""What two firms take away from an agreement: a sheet to print, a PDF, a calendar file."""

from __future__ import annotations

import asyncio

from aiohttp import web

from services.chassis.errors import NotFound
from services.gateway import agreement, agreement_pdf, calendars
from services.gateway.agreement import AGREED, Sheet
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.registry.v1 import registry_service_pb2 as registry


async def _agreed(request: web.Request) -> Proposal:
    """Return the proposal. Raises NotFound while there is no agreement."""
    calls = caller(request)
    info = request.match_info
    found: Proposal = await calls.call(
        calls.services.matching.GetProposal,
        matching.GetProposalRequest(
            name=f"rounds/{info['round']}/proposals/{info['proposal']}",
            party=signed_in(request).organization,
        ),
    )
    if found.state not in AGREED:
        raise NotFound(
            reason_pb2.REASON_NOT_FOUND,
            gettext(request, "There is no agreement yet: all parties have to accept first."),
        )
    return found


async def _sheet(request: web.Request) -> Sheet:
    calls, organization = caller(request), signed_in(request).organization

    async def own() -> Organization:
        found: Organization = await calls.call(
            calls.services.registry.GetOrganization,
            registry.GetOrganizationRequest(name=organization),
        )
        return found

    proposal, known, mine = await asyncio.gather(_agreed(request), capabilities(request), own())
    return agreement.sheet(proposal, mine.contact, known, request[LANGUAGE])


async def show(request: web.Request) -> web.Response:
    """Show the sheet, ready to be printed."""
    info = request.match_info
    return await render(
        request,
        "agreement.html",
        sheet=await _sheet(request),
        address=f"/proposals/{info['round']}/{info['proposal']}",
    )


async def pdf(request: web.Request) -> web.Response:
    """Send the sheet as a PDF."""
    sheet = await _sheet(request)
    made = await asyncio.to_thread(agreement_pdf.pdf, sheet)
    name = f"spareline-{request.match_info['proposal']}.pdf"
    return web.Response(
        body=made,
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def calendar(request: web.Request) -> web.Response:
    """Send the deliveries of one agreement as a calendar file."""
    proposal, known = await asyncio.gather(_agreed(request), capabilities(request))
    made = calendars.calendar([proposal], known, request[LANGUAGE], str(request.url.origin()))
    name = f"spareline-{request.match_info['proposal']}.ics"
    return web.Response(
        body=made,
        content_type=calendars.TYPE,
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
