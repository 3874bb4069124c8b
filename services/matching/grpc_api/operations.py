"""google.longrunning.Operations over the rounds; its rules stand here, as its proto has none."""

from collections.abc import Mapping
from typing import Any

from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.empty_pb2 import Empty

from services.chassis.access import Rule, current
from services.matching.usecases.operations import operation_of, round_name
from services.matching.usecases.rounds import RoundDesk
from spareline.matching.v1 import matching_service_pb2 as pb

_PATH = "/google.longrunning.Operations/"
_ANYONE = Rule(public=False, roles=frozenset(), organization_field="", write=False)
_OPERATOR = Rule(
    public=False,
    roles=frozenset({"operator"}),
    organization_field="",
    write=True,
    recorded=True,
)
_DEFAULT_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 3600.0

# DeleteOperation is left out on purpose: a round stays on record (AIP-151 allows that).
RULES: Mapping[str, Rule] = {
    f"{_PATH}ListOperations": _ANYONE,
    f"{_PATH}GetOperation": _ANYONE,
    f"{_PATH}WaitOperation": _ANYONE,
    f"{_PATH}CancelOperation": _OPERATOR,
}
_Base: Any = operations_pb2_grpc.OperationsServicer


class OperationsServicer(_Base):  # type: ignore[misc]
    """Rounds as operations."""

    def __init__(self, desk: RoundDesk) -> None:
        self._desk = desk

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, _context: Any
    ) -> operations_pb2.ListOperationsResponse:
        """List rounds, newest first; what-if rounds only to operators."""
        wanted = pb.ListRoundsRequest(
            include_what_if=True,
            page_size=min(max(request.page_size, 0), 1000),
            page_token=request.page_token,
        )
        found = await self._desk.list(wanted, current())
        return operations_pb2.ListOperationsResponse(
            operations=[operation_of(each) for each in found.rounds],
            next_page_token=found.next_page_token,
        )

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, _context: Any
    ) -> operations_pb2.Operation:
        """Return a round as it stands."""
        return operation_of(await self._desk.get(round_name(request.name), current()))

    async def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, _context: Any
    ) -> operations_pb2.Operation:
        """Return a round once it has ended, or as it stands when the time is over."""
        seconds = _DEFAULT_WAIT_SECONDS
        if request.HasField("timeout"):
            seconds = request.timeout.ToTimedelta().total_seconds()
        seconds = min(seconds, _LONGEST_WAIT_SECONDS)
        return operation_of(await self._desk.wait(round_name(request.name), current(), seconds))

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, _context: Any
    ) -> Empty:
        """Stop a round."""
        wanted = pb.CancelRoundRequest(name=round_name(request.name))
        await self._desk.cancel(wanted, current())
        return Empty()
