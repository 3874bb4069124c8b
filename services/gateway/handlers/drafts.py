"""Going on with a draft, and throwing one away."""

from __future__ import annotations

from aiohttp import web

from services.gateway.forms import drafts
from services.gateway.handlers import demands, offers
from services.gateway.render import notify
from spareline.market.v1.draft_pb2 import Draft


async def show(request: web.Request) -> web.Response:
    """Show the form as it was left."""
    kind, form = await drafts.load(request, request.match_info["draft"])
    if kind == Draft.KIND_OFFER:
        return await offers.resume(request, form)
    return await demands.resume(request, form)


async def drop(request: web.Request) -> web.StreamResponse:
    """Throw a draft away."""
    await drafts.drop(request, request.match_info["draft"])
    await notify(request, "The draft is gone.")
    raise web.HTTPSeeOther("/")
