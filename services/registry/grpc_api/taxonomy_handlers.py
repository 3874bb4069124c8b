"""The part of RegistryService that is about the taxonomy: a mixin of its servicer."""

from services.chassis.access import current
from services.registry import convert_taxonomy
from services.registry.domain.taxonomy_search import Evidence
from services.registry.grpc_api.callers import Context
from services.registry.posting_parts import PostingParts
from services.registry.usecases import pages
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import registry_service_pb2 as api

LIST_SIZE = 1000
SEARCH_SIZE = 10


class TaxonomyHandlers:
    """Each method hands its request to a use case. The servicer sets ``postings``."""

    postings: PostingParts

    async def GetCapability(
        self, request: api.GetCapabilityRequest, _context: Context
    ) -> Capability:
        """Read a capability."""
        return await self.postings.taxonomy.get(request.name)

    async def ListCapabilities(
        self, request: api.ListCapabilitiesRequest, _context: Context
    ) -> api.ListCapabilitiesResponse:
        """List capabilities in the order of their codes."""
        found = self.postings.taxonomy.below(request.below)
        page, token = pages.cut(request, [(each.code, each) for each in found], LIST_SIZE)
        return api.ListCapabilitiesResponse(capabilities=page, next_page_token=token)

    async def SearchCapabilities(
        self, request: api.SearchCapabilitiesRequest, _context: Context
    ) -> api.SearchCapabilitiesResponse:
        """Find capabilities by words."""
        found = await self.postings.taxonomy.search(request.query, request.limit or SEARCH_SIZE)
        return api.SearchCapabilitiesResponse(
            capabilities=[convert_taxonomy.capability(hit.capability) for hit in found],
            by_meaning=[h.capability.code for h in found if h.evidence is Evidence.MEANING],
        )

    async def CreateCapability(
        self, request: api.CreateCapabilityRequest, _context: Context
    ) -> Capability:
        """Extend the taxonomy."""
        return await self.postings.taxonomy_desk.create(current(), request)
