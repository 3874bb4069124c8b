"""The whole open book, for matching to start from."""

from collections.abc import AsyncIterator, Callable

from services.registry import convert, convert_taxonomy
from services.registry.store.postings import Postings
from services.registry.usecases.taxonomy import LiveTaxonomy
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1.registry_service_pb2 import BookItem


class Book:
    """Streams organizations, capabilities, open offers and open demands, unredacted."""

    def __init__(
        self,
        organizations: Callable[[], AsyncIterator[Organization]],
        taxonomy: LiveTaxonomy,
        offers: Postings,
        demands: Postings,
    ) -> None:
        self._organizations = organizations
        self._taxonomy = taxonomy
        self._offers = offers
        self._demands = demands

    async def items(self) -> AsyncIterator[BookItem]:
        """Yield every item once. Each is current when it is read; the stream is no snapshot
        in time, so readers follow the events beside it and keep the greater generation.
        """
        async for organization in self._organizations():
            yield BookItem(organization=organization)
        await self._taxonomy.refresh()
        for capability in self._taxonomy.current:
            yield BookItem(capability=convert_taxonomy.capability(capability))
        async for document in self._offers.open():
            yield BookItem(offer=convert.offer(document))
        async for document in self._demands.open():
            yield BookItem(demand=convert.demand(document))
        # A policy may reopen what nobody has answered yet: a book that starts here must know it,
        # as one that has followed the events does.
        async for document in self._demands.matched_and_held():
            yield BookItem(demand=convert.demand(document))
