"""Rounds as long-running operations (google.longrunning): operations/{round}."""

from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, status_pb2

from services.chassis import names
from spareline.matching.v1 import round_pb2

Round = round_pb2.Round

PATTERN = "operations/{operation}"


def operation_of(round_: round_pb2.Round) -> operations_pb2.Operation:
    """Return a round as an operation: metadata, and the response once it completed, are it."""
    operation = operations_pb2.Operation(
        name=round_.name.replace("rounds/", "operations/", 1), metadata=_packed(round_)
    )
    if round_.state == Round.STATE_COMPLETED:
        operation.done = True
        operation.response.CopyFrom(_packed(round_))
    elif round_.state == Round.STATE_CANCELLED:
        _fail(operation, code_pb2.CANCELLED, "The round was cancelled")
    elif round_.state == Round.STATE_FAILED:
        _fail(operation, code_pb2.INTERNAL, round_.failure)
    return operation


def round_name(operation: str) -> str:
    """Return the round of an operation. Raises InvalidArgument for another name."""
    return f"rounds/{names.parse(PATTERN, operation)['operation']}"


def _fail(operation: operations_pb2.Operation, code: int, message: str) -> None:
    operation.done = True
    operation.error.CopyFrom(status_pb2.Status(code=code, message=message))


def _packed(round_: round_pb2.Round) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(round_)
    return packed
