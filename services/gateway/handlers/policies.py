"""The policy in force: published, so that everybody can see how matches are made."""

from __future__ import annotations

from aiohttp import web

from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.matching.v1 import matching_service_pb2 as matching


async def show(request: web.Request) -> web.Response:
    """Show the active policy in plain words and figures."""
    signed_in(request)
    calls = caller(request)
    policy = await calls.call(calls.services.matching.GetPolicy, matching.GetPolicyRequest())
    return await render(request, "policy.html", policy=policy)
