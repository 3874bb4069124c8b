"""Reading the taxonomy, as far as files need it."""

from __future__ import annotations

from cli.client import Client
from services.chassis.paging import pages
from services.files.taxonomy import Taxonomy
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import registry_service_pb2 as api


async def taxonomy(client: Client) -> Taxonomy:
    """Read the whole taxonomy."""
    found: dict[str, Capability] = {}
    request = api.ListCapabilitiesRequest()
    async for page in pages(client.registry.ListCapabilities, request):
        found |= {each.code: each for each in page.capabilities}
    return Taxonomy(found)
