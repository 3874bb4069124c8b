"""The part of RegistryService from which matching reads the book: a mixin of its servicer."""

from collections.abc import AsyncIterator

from services.registry.grpc_api.callers import Context
from services.registry.posting_parts import PostingParts
from spareline.registry.v1 import registry_service_pb2 as api


class BookHandlers:
    """The servicer sets ``postings``."""

    postings: PostingParts

    async def StreamBook(
        self, _request: api.StreamBookRequest, _context: Context
    ) -> AsyncIterator[api.BookItem]:
        """Stream the whole open book."""
        async for item in self.postings.book.items():
            yield item
