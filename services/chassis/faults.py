"""What an exception that is no DomainError means to a caller, or to a retry."""

import grpc
import nats.errors
import nats.js.errors
from pymongo import errors as store_errors

from services.chassis.causes import said
from services.chassis.errors import Aborted, DomainError, Internal, Unavailable
from spareline.errors.v1 import cause_pb2, reason_pb2

_AWAY: tuple[type[BaseException], ...] = (
    Unavailable,
    store_errors.ConnectionFailure,
    store_errors.ExecutionTimeout,
    nats.errors.Error,
    ConnectionError,
    TimeoutError,
)
_AWAY_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


def is_away(error: BaseException) -> bool:
    """Tell whether something that we need does not answer, so that a retry may help."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() in _AWAY_CODES
    if isinstance(error, nats.js.errors.BadRequestError):
        return False
    return isinstance(error, _AWAY)


def as_domain_error(error: BaseException) -> DomainError:
    """Return what the caller is told: the error itself if it is one of ours, else no detail."""
    if isinstance(error, DomainError):
        return error
    if is_away(error):
        return Unavailable(reason_pb2.REASON_UNAVAILABLE, said(cause_pb2.CAUSE_PART_AWAY))
    if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.ABORTED:
        return Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))
    return Internal(reason_pb2.REASON_INTERNAL, said(cause_pb2.CAUSE_OUR_FAULT))
