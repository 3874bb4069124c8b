"""DraftService over gRPC."""

from google.protobuf.empty_pb2 import Empty

from services.chassis.access import current
from services.registry.grpc_api.callers import Context
from services.registry.usecases.drafts import Drafts
from spareline.market.v1.draft_pb2 import Draft
from spareline.registry.v1 import draft_service_pb2 as api
from spareline.registry.v1.draft_service_pb2_grpc import DraftServiceServicer


class DraftServicer(DraftServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts

    async def UpdateDraft(self, request: api.UpdateDraftRequest, _context: Context) -> Draft:
        """Store a draft."""
        return await self._drafts.update(current(), request)

    async def GetDraft(self, request: api.GetDraftRequest, _context: Context) -> Draft:
        """Read a draft."""
        return await self._drafts.get(current(), request.name)

    async def ListDrafts(
        self, request: api.ListDraftsRequest, _context: Context
    ) -> api.ListDraftsResponse:
        """List the caller's drafts."""
        return await self._drafts.list(current(), request)

    async def DeleteDraft(self, request: api.DeleteDraftRequest, _context: Context) -> Empty:
        """Throw a draft away."""
        await self._drafts.delete(current(), request.name)
        return Empty()
