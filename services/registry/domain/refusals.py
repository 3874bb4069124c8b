"""The refusals that many use cases share, worded once."""

from services.chassis.causes import Said, said
from services.chassis.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Violation,
    invalid,
)
from spareline.errors.v1 import cause_pb2, reason_pb2


def field_invalid(field: str, what: Said) -> InvalidArgument:
    """One field is wrong: its path, what is wrong, and what to change."""
    return invalid(Violation(field, what))


def not_found(name: str) -> NotFound:
    """There is no such resource, or the caller may not know of it."""
    return NotFound(reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_THING, name=name))


def forbidden(message: Said) -> PermissionDenied:
    """The caller does not act for this organization in this way."""
    return PermissionDenied(reason_pb2.REASON_ORGANIZATION_FORBIDDEN, message)


def role_missing(message: Said) -> PermissionDenied:
    """The caller's role does not allow this."""
    return PermissionDenied(reason_pb2.REASON_ROLE_MISSING, message)


def credentials_wrong() -> Unauthenticated:
    """What was shown does not prove who the caller is. Never says which part is wrong."""
    return Unauthenticated(
        reason_pb2.REASON_CREDENTIALS_WRONG, said(cause_pb2.CAUSE_CREDENTIALS_WRONG)
    )


def conflict() -> Aborted:
    """Somebody else changes the same thing again and again."""
    return Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_CHANGED_MEANWHILE))


def etag_mismatch() -> Aborted:
    """The caller wants to change a state that is not the present one."""
    return Aborted(reason_pb2.REASON_ETAG_MISMATCH, said(cause_pb2.CAUSE_CHANGED_MEANWHILE))


def last_owner() -> FailedPrecondition:
    """The organization would be left without anyone who may run it."""
    return FailedPrecondition(
        reason_pb2.REASON_LAST_OWNER,
        said(cause_pb2.CAUSE_LAST_OWNER),
    )
