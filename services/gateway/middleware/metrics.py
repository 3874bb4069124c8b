"""How long pages take, by route and status, for the metrics endpoint."""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Histogram

PAGE_SECONDS = Histogram(
    "spareline_page_seconds", "Time from request to answer, streams left out", ["route", "status"]
)


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Time the request. The route is its pattern, so that no name of anybody is kept."""
    start = time.perf_counter()
    status, streamed = 500, False
    try:
        response = await handler(request)
        status = response.status
        streamed = response.prepared  # an event stream: its length says nothing about speed
    except web.HTTPException as raised:
        status = raised.status
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        if not streamed and (not route.endswith("/live") or status >= 400):
            PAGE_SECONDS.labels(route, str(status)).observe(time.perf_counter() - start)
    return response
