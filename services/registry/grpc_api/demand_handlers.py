"""The part of RegistryService that is about demands: a mixin of its servicer."""

from collections.abc import AsyncIterator, Sequence

from services.registry.grpc_api.callers import Context
from services.registry.posting_parts import PostingParts
from services.registry.usecases.replay import Replay
from spareline.market.v1.demand_pb2 import Demand
from spareline.registry.v1 import registry_service_pb2 as api


class DemandHandlers:
    """Each method hands its request to a use case. The servicer sets ``postings``."""

    postings: PostingParts

    async def CreateDemand(self, request: api.CreateDemandRequest, _context: Context) -> Demand:
        """Post a demand."""
        return await self.postings.demands.create(
            request.parent,
            request.demand,
            request.demand_id,
            request.validate_only,
            Replay.of(request),
        )

    async def GetDemand(self, request: api.GetDemandRequest, _context: Context) -> Demand:
        """Read a demand as far as the caller may."""
        return await self.postings.demand_listing.get(request.name, self.postings.viewer())

    async def ListDemands(
        self, request: api.ListDemandsRequest, _context: Context
    ) -> api.ListDemandsResponse:
        """List demands, newest first."""
        page = await self.postings.demand_listing.page(request, self.postings.viewer())
        return api.ListDemandsResponse(demands=page.postings, next_page_token=page.next_page_token)

    async def UpdateDemand(self, request: api.UpdateDemandRequest, _context: Context) -> Demand:
        """Change a demand."""
        return await self.postings.demands.update(
            request.demand, request.update_mask, request.validate_only, Replay.of(request)
        )

    async def WithdrawDemand(self, request: api.WithdrawDemandRequest, _context: Context) -> Demand:
        """Withdraw a demand."""
        return await self.postings.demands.withdraw(request.name, request.etag, Replay.of(request))

    async def ImportDemands(
        self, requests: AsyncIterator[api.ImportDemandsRequest], _context: Context
    ) -> api.ImportResponse:
        """Post many demands."""

        async def batches() -> AsyncIterator[tuple[Sequence[Demand], bool, str]]:
            async for request in requests:
                yield request.demands, request.validate_only, request.request_id

        return await self.postings.new_import(self.postings.demands).run(batches())
