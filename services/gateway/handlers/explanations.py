"""Why was I not matched? In plain words, with the smallest changes that would have helped."""

from __future__ import annotations

from aiohttp import web

from services.chassis.errors import NotFound
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.matching.v1 import matching_service_pb2 as matching


async def show(request: web.Request) -> web.Response:
    """Show the explanation of a posting of mine, from its latest round or a given one."""
    person = signed_in(request)
    kind, posting = request.match_info["kind"], request.match_info["posting"]
    chosen = request.query.get("round", "")
    calls = caller(request)
    try:
        found = await calls.call(
            calls.services.matching.GetExplanation,
            matching.GetExplanationRequest(
                subject=f"{person.organization}/{kind}/{posting}",
                round=f"rounds/{chosen}" if chosen else "",
            ),
        )
    except NotFound:
        found = None
    return await render(
        request,
        "why.html",
        status=200,
        kind=kind,
        posting=posting,
        explanation=found,
        capabilities=await capabilities(request),
    )
