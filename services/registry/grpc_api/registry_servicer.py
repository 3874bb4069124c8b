"""RegistryService over gRPC, put together from its parts."""

from services.registry.grpc_api.book_handlers import BookHandlers
from services.registry.grpc_api.demand_handlers import DemandHandlers
from services.registry.grpc_api.offer_handlers import OfferHandlers
from services.registry.grpc_api.organization_handlers import OrganizationHandlers
from services.registry.grpc_api.taxonomy_handlers import TaxonomyHandlers
from services.registry.identity_parts import Identity
from services.registry.posting_parts import PostingParts
from spareline.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer


class RegistryServicer(
    OrganizationHandlers,
    TaxonomyHandlers,
    OfferHandlers,
    DemandHandlers,
    BookHandlers,
    RegistryServiceServicer,
):
    """Organizations, the taxonomy, offers and demands."""

    def __init__(self, identity: Identity, postings: PostingParts) -> None:
        self.identity = identity
        self.postings = postings
