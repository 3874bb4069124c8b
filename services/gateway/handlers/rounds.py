"""Rounds: when the market was cleared, what came of it, and how near to the best possible."""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web

from services.chassis.causes import said
from services.chassis.errors import NotFound, PermissionDenied
from services.gateway.clients import Caller
from services.gateway.forms import fields
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.pictures import flow
from services.gateway.render import notify, render
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.round_analysis_pb2 import Flow, RoundFlows
from spareline.matching.v1.round_pb2 import Round

_SHOWN = 25


def _name(request: web.Request) -> str:
    return f"rounds/{request.match_info['round']}"


async def listing(request: web.Request) -> web.Response:
    """Show all rounds, newest first."""
    person = signed_in(request)
    calls = caller(request)
    page, book = await asyncio.gather(
        calls.call(
            calls.services.matching.ListRounds,
            matching.ListRoundsRequest(
                include_what_if=person.is_operator,
                page_size=30,
                page_token=request.query.get("page", ""),
            ),
        ),
        calls.call(calls.services.matching.GetBook, matching.GetBookRequest()),
    )
    return await render(
        request,
        "rounds.html",
        rounds=page.rounds,
        next_page=page.next_page_token,
        book=book,
        request_id=str(uuid.uuid4()),
    )


async def first(request: web.Request) -> web.StreamResponse:
    """Lead an operator who types the address to the first of the operator's pages."""
    if not signed_in(request).is_operator:
        raise PermissionDenied(
            reason_pb2.REASON_ROLE_MISSING, said(cause_pb2.CAUSE_NEEDS_ROLE, roles="operator")
        )
    raise web.HTTPSeeOther("/rounds")


async def show(request: web.Request) -> web.Response:
    """Show one round: the whole market's result, my matches in it, and why the rest was not."""
    person = signed_in(request)
    calls = caller(request)
    found = await calls.call(
        calls.services.matching.GetRound, matching.GetRoundRequest(name=_name(request))
    )
    # Operators see the whole market; everybody else what is their own.
    party = "" if person.is_operator else person.organization
    proposals, explanations, flows = await asyncio.gather(
        calls.call(
            calls.services.matching.ListProposals,
            matching.ListProposalsRequest(
                parent=found.name,
                party=party,
                page_size=_SHOWN,
                page_token=request.query.get("proposals", ""),
            ),
        ),
        calls.call(
            calls.services.matching.ListExplanations,
            matching.ListExplanationsRequest(
                parent=found.name,
                organization=party,
                page_size=_SHOWN,
                page_token=request.query.get("explanations", ""),
            ),
        ),
        _flows(calls, found, shown=person.is_operator),
    )
    return await render(
        request,
        "round.html",
        round=found,
        running=found.state in {Round.STATE_PENDING, Round.STATE_RUNNING},
        proposals=proposals.proposals,
        next_proposals=proposals.next_page_token,
        explanations=explanations.explanations,
        next_explanations=explanations.next_page_token,
        flows=flows,
        picture=flow.lay_out(flows),
        capabilities=await capabilities(request),
        request_id=str(uuid.uuid4()),
    )


async def _flows(calls: Caller, found: Round, *, shown: bool) -> list[Flow]:
    """Return where a completed round flows; nothing for others than operators."""
    if not shown or found.state != Round.STATE_COMPLETED:
        return []
    try:
        answer: RoundFlows = await calls.call(
            calls.services.matching.GetRoundFlows, matching.GetRoundFlowsRequest(name=found.name)
        )
    except NotFound:  # a round of before this was kept
        return []
    return list(answer.flows)


async def run(request: web.Request) -> web.StreamResponse:
    """Clear the market now, or try out what would come of it."""
    form = fields.read(await request.post())
    calls = caller(request)
    operation = await calls.call(
        calls.services.matching.RunRound,
        matching.RunRoundRequest(
            what_if=form.checked("what_if"), request_id=form.text("request_id")
        ),
    )
    raise web.HTTPSeeOther(f"/rounds/{operation.name.rsplit('/', 1)[-1]}")


async def cancel(request: web.Request) -> web.StreamResponse:
    """Stop a running round."""
    form = fields.read(await request.post())
    calls = caller(request)
    await calls.call(
        calls.services.matching.CancelRound,
        matching.CancelRoundRequest(name=_name(request), request_id=form.text("request_id")),
    )
    await notify(request, "Stopped. Nothing was proposed.")
    raise web.HTTPSeeOther(f"/{_name(request)}")
