"""Between the error taxonomy and gRPC: to a status with details, and back from one."""

from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from services.chassis import causes
from services.chassis.causes import Said
from services.chassis.errors import (
    Aborted,
    AlreadyExists,
    DomainError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Violation,
)
from spareline.errors.v1 import cause_pb2, reason_pb2

DOMAIN = "spareline"
DETAILS_KEY = "grpc-status-details-bin"

_CODES: dict[type[DomainError], grpc.StatusCode] = {
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Aborted: grpc.StatusCode.ABORTED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    Internal: grpc.StatusCode.INTERNAL,
}
_KINDS: dict[grpc.StatusCode, type[DomainError]] = {
    **{code: kind for kind, code in _CODES.items()},
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
}


@dataclass(frozen=True, slots=True)
class RpcStatus:
    """What goes over the wire for one error."""

    code: grpc.StatusCode
    message: str
    details: bytes  # google.rpc.Status, serialised

    @property
    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The metadata in which gRPC libraries look for the details."""
        return ((DETAILS_KEY, self.details),)


def reason_name(reason: int) -> str:
    """Return the name of a reason in ``reason.proto``."""
    found = reason_pb2.Reason.DESCRIPTOR.values_by_number.get(reason)
    return str(found.name) if found is not None else "REASON_UNSPECIFIED"


def reason_number(name: str) -> int:
    """Return the reason of that name; 0 (unspecified) for one that we do not know."""
    found = reason_pb2.Reason.DESCRIPTOR.values_by_name.get(name)
    return int(found.number) if found is not None else 0


def status_code(error: DomainError) -> grpc.StatusCode:
    """Return the gRPC code of an error's kind."""
    for kind in type(error).__mro__:
        if kind in _CODES:
            return _CODES[kind]
    return grpc.StatusCode.INTERNAL


def to_status(error: DomainError) -> RpcStatus:
    """Return the status of an error: an ErrorInfo, a BadRequest when fields are wrong, Causes."""
    code = status_code(error)
    status = status_pb2.Status(code=code.value[0], message=error.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason=reason_name(error.reason), domain=DOMAIN, metadata=error.metadata
        )
    )
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(
                field=violation.field,
                description=violation.sentence(),
                reason=causes.name(violation.said.cause),
            )
        status.details.add().Pack(bad)
    told = [violation.said for violation in error.violations] or [error.said]
    if any(said.cause for said in told):
        messages = [causes.message(said) for said in told]
        status.details.add().Pack(cause_pb2.Causes(causes=messages))
    return RpcStatus(code, error.message, status.SerializeToString())


def from_rpc_error(error: grpc.aio.AioRpcError) -> DomainError:
    """Return the domain error that a failed call stands for.

    Without our details (the service never saw the call, say) the kind comes from the code.
    """
    kind = _KINDS.get(error.code(), Internal)
    reason, metadata = 0, {}
    bad, told = error_details_pb2.BadRequest(), cause_pb2.Causes()
    for detail in _details(error):
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            reason, metadata = reason_number(info.reason), dict(info.metadata)
        elif detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
        elif detail.Is(told.DESCRIPTOR):
            detail.Unpack(told)
    if not reason and issubclass(kind, Unavailable):
        reason = reason_pb2.REASON_UNAVAILABLE
    elif not reason and issubclass(kind, Internal):
        reason = reason_pb2.REASON_INTERNAL
    message = error.details() or error.code().name
    if not bad.field_violations:
        return kind(reason, _whole(message, told), metadata=metadata)
    # A service of another version may send words alone.
    each = [*told.causes, *(cause_pb2.LocalizableMessage() for _ in bad.field_violations)]
    violations = [
        Violation(found.field, causes.from_message(cause, found.description))
        for found, cause in zip(bad.field_violations, each, strict=False)
    ]
    return kind(reason, message, violations=violations, metadata=metadata)


def _whole(message: str, told: cause_pb2.Causes) -> Said:
    return causes.from_message(told.causes[0], message) if told.causes else Said(message)


def _details(error: grpc.aio.AioRpcError) -> list[status_pb2.Status]:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            status = status_pb2.Status()
            try:
                status.ParseFromString(value)
            except DecodeError:
                return []  # written by some proxy; the code still says enough
            return list(status.details)
    return []
