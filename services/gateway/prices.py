"""What the market says of a capability: what is wanted, and what firms ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web

from services.chassis.errors import DomainError
from services.gateway.people import caller
from spareline.registry.v1 import market_data_service_pb2 as api


async def summaries(
    request: web.Request, codes: Iterable[str], region: str = ""
) -> Mapping[str, api.CapabilitySummary]:
    """Return the summaries by code; empty while they are not to be had, as pages go on without."""
    wanted = list(dict.fromkeys(codes))[:50]
    if not wanted:
        return {}
    calls = caller(request)
    try:
        answer = await calls.call(
            calls.services.market_data.BatchGetCapabilitySummaries,
            api.BatchGetCapabilitySummariesRequest(
                names=[f"capabilities/{code}/summary" for code in wanted], region=region
            ),
        )
    except DomainError:
        return {}
    return dict(zip(wanted, answer.summaries, strict=True))
