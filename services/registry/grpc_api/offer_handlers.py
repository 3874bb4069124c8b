"""The part of RegistryService that is about offers: a mixin of its servicer."""

from collections.abc import AsyncIterator, Sequence

from services.registry.grpc_api.callers import Context
from services.registry.posting_parts import PostingParts
from services.registry.usecases.replay import Replay
from spareline.market.v1.offer_pb2 import Offer
from spareline.registry.v1 import registry_service_pb2 as api


class OfferHandlers:
    """Each method hands its request to a use case. The servicer sets ``postings``."""

    postings: PostingParts

    async def CreateOffer(self, request: api.CreateOfferRequest, _context: Context) -> Offer:
        """Post an offer."""
        return await self.postings.offers.create(
            request.parent,
            request.offer,
            request.offer_id,
            request.validate_only,
            Replay.of(request),
        )

    async def GetOffer(self, request: api.GetOfferRequest, _context: Context) -> Offer:
        """Read an offer as far as the caller may."""
        return await self.postings.offer_listing.get(request.name, self.postings.viewer())

    async def ListOffers(
        self, request: api.ListOffersRequest, _context: Context
    ) -> api.ListOffersResponse:
        """List offers, newest first."""
        page = await self.postings.offer_listing.page(request, self.postings.viewer())
        return api.ListOffersResponse(offers=page.postings, next_page_token=page.next_page_token)

    async def UpdateOffer(self, request: api.UpdateOfferRequest, _context: Context) -> Offer:
        """Change an offer."""
        return await self.postings.offers.update(
            request.offer, request.update_mask, request.validate_only, Replay.of(request)
        )

    async def WithdrawOffer(self, request: api.WithdrawOfferRequest, _context: Context) -> Offer:
        """Withdraw an offer."""
        return await self.postings.offers.withdraw(request.name, request.etag, Replay.of(request))

    async def ImportOffers(
        self, requests: AsyncIterator[api.ImportOffersRequest], _context: Context
    ) -> api.ImportResponse:
        """Post many offers."""

        async def batches() -> AsyncIterator[tuple[Sequence[Offer], bool, str]]:
            async for request in requests:
                yield request.offers, request.validate_only, request.request_id

        return await self.postings.new_import(self.postings.offers).run(batches())
