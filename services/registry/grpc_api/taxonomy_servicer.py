"""TaxonomyService over gRPC."""

from services.chassis.access import current
from services.registry.grpc_api.callers import Context
from services.registry.usecases.taxonomy_editing import TaxonomyDesk
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import taxonomy_service_pb2 as api
from spareline.registry.v1.taxonomy_service_pb2_grpc import TaxonomyServiceServicer


class TaxonomyServicer(TaxonomyServiceServicer):
    """Hands each request to the desk."""

    def __init__(self, desk: TaxonomyDesk) -> None:
        self._desk = desk

    async def GetCapabilityDefinition(
        self, request: api.GetCapabilityDefinitionRequest, _context: Context
    ) -> Capability:
        """Read a capability's own part."""
        return await self._desk.definition(request.name)

    async def GetTaxonomyDraft(
        self, _request: api.GetTaxonomyDraftRequest, _context: Context
    ) -> api.TaxonomyDraft:
        """Read the draft."""
        return await self._desk.draft()

    async def UpdateTaxonomyDraft(
        self, request: api.UpdateTaxonomyDraftRequest, _context: Context
    ) -> api.TaxonomyDraft:
        """Store the edits of the draft."""
        return await self._desk.update(current(), request)

    async def AdoptTaxonomyDraft(
        self, request: api.AdoptTaxonomyDraftRequest, _context: Context
    ) -> api.TaxonomyVersion:
        """Adopt the draft."""
        return await self._desk.adopt(current(), request)

    async def ListTaxonomyVersions(
        self, request: api.ListTaxonomyVersionsRequest, _context: Context
    ) -> api.ListTaxonomyVersionsResponse:
        """List what was adopted."""
        return await self._desk.versions(request)
