"""DeadLetterService over gRPC."""

from google.protobuf.empty_pb2 import Empty

from services.registry.grpc_api.callers import Context
from services.registry.usecases.dead_letters import DeadLetterDesk
from spareline.registry.v1 import dead_letter_service_pb2 as api
from spareline.registry.v1.dead_letter_service_pb2_grpc import DeadLetterServiceServicer


class DeadLetterServicer(DeadLetterServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, desk: DeadLetterDesk) -> None:
        self._desk = desk

    async def ListDeadLetters(
        self, request: api.ListDeadLettersRequest, _context: Context
    ) -> api.ListDeadLettersResponse:
        """List dead letters."""
        return await self._desk.list(request)

    async def GetDeadLetter(
        self, request: api.GetDeadLetterRequest, _context: Context
    ) -> api.DeadLetter:
        """Read one."""
        return await self._desk.get(request.name)

    async def ReplayDeadLetter(
        self, request: api.ReplayDeadLetterRequest, _context: Context
    ) -> api.DeadLetter:
        """Hand the event over once more."""
        return await self._desk.replay(request.name)

    async def DeleteDeadLetter(
        self, request: api.DeleteDeadLetterRequest, _context: Context
    ) -> Empty:
        """Throw one away."""
        await self._desk.drop(request.name)
        return Empty()
