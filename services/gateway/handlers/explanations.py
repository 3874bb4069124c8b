"""Why was I not matched? In plain words, with the smallest changes that would have helped."""

from __future__ import annotations

from aiohttp import web

from services.chassis.errors import NotFound
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.market.v1.capability_pb2 import Unit
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import registry_service_pb2 as registry


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
        kind=kind,
        posting=posting,
        explanation=found,
        units=await _units(request, f"{person.organization}/{kind}/{posting}", kind),
    )


async def _units(request: web.Request, name: str, kind: str) -> dict[str, Unit]:
    """Return the unit of each line, by its id; of an offer under the empty id."""
    calls, known = caller(request), await capabilities(request)
    stubs = calls.services.registry
    if kind == "offers":
        offer = await calls.call(stubs.GetOffer, registry.GetOfferRequest(name=name))
        return {"": known[offer.capability].unit}
    demand = await calls.call(stubs.GetDemand, registry.GetDemandRequest(name=name))
    return {line.id: known[line.capability].unit for line in demand.lines}
