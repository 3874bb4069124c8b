"""Whether the gateway lives, and whether it is of use."""

from __future__ import annotations

from aiohttp import web

from services.gateway.keys import CHASSIS


async def live(_: web.Request) -> web.Response:
    """Answer as long as the process runs."""
    return web.json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 only while the services behind the pages answer."""
    health = request.app[CHASSIS].health
    return web.json_response(
        {"ready": health.ready, "failing": sorted(health.failing)},
        status=200 if health.ready else 503,
    )
