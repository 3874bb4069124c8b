"""What others need that an offer of mine could serve: public demands, newest first."""

from __future__ import annotations

from aiohttp import web

from services.gateway.market import capabilities, capability
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.registry.v1 import registry_service_pb2 as registry

_SIZE = 30


async def listing(request: web.Request) -> web.Response:
    """Show the open demands that an offer of a capability can serve, in a region or everywhere."""
    person = signed_in(request)
    if not request.query.get("capability"):
        raise web.HTTPSeeOther("/market")
    wanted = await capability(request, request.query["capability"])
    region = request.query.get("region", "")[:12]
    calls = caller(request)
    page = await calls.call(
        calls.services.registry.ListDemands,
        registry.ListDemandsRequest(
            parent="organizations/-",
            filter=registry.PostingFilter(
                served_by=wanted.code, region=region, states=["STATE_OPEN"]
            ),
            page_size=_SIZE,
            page_token=request.query.get("page", ""),
        ),
    )
    return await render(
        request,
        "wanted.html",
        capability=wanted,
        capabilities=await capabilities(request),
        region=region,
        demands=[d for d in page.demands if not d.name.startswith(f"{person.organization}/")],
        next_page=page.next_page_token,
    )
