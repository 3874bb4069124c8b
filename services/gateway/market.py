"""The taxonomy as the pages need it: fetched once, again after a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from services.chassis.errors import NotFound
from services.gateway.clients import Caller
from services.gateway.people import SERVICES
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import registry_service_pb2 as registry

_FRESH_SECONDS = 60.0


@dataclass
class Taxonomy:
    """The capabilities by code, and when they were fetched."""

    by_code: Mapping[str, Capability] = field(default_factory=dict)
    fetched: float = float("-inf")


TAXONOMY: web.AppKey[Taxonomy] = web.AppKey("taxonomy", Taxonomy)


async def capabilities(request: web.Request) -> Mapping[str, Capability]:
    """Return all capabilities by code, at most a minute old."""
    kept = request.app[TAXONOMY]
    if time.monotonic() - kept.fetched < _FRESH_SECONDS:
        return kept.by_code
    calls = Caller(request.app[SERVICES], "")
    found: dict[str, Capability] = {}
    asked = registry.ListCapabilitiesRequest(page_size=1000)
    async for page in calls.pages(calls.services.registry.ListCapabilities, asked):
        found.update({capability.code: capability for capability in page.capabilities})
    kept.by_code, kept.fetched = found, time.monotonic()
    return found


def forget(request: web.Request) -> None:
    """Fetch the capabilities anew for the next page: they have just changed."""
    request.app[TAXONOMY].fetched = float("-inf")


async def capability(request: web.Request, code: str) -> Capability:
    """Return one capability. Raises NotFound."""
    found = (await capabilities(request)).get(code)
    if found is None:
        raise NotFound(reason_pb2.REASON_CAPABILITY_UNKNOWN, f"There is no capability {code}")
    return found
