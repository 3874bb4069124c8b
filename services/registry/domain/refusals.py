"""The refusals that many use cases share, worded once."""

from services.chassis.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Violation,
)
from spareline.errors.v1 import reason_pb2


def field_invalid(field: str, description: str, mend: str) -> InvalidArgument:
    """One field is wrong: its path, what is wrong, and what to change."""
    return InvalidArgument(
        reason_pb2.REASON_FIELD_INVALID,
        f"{description}. {mend}",
        violations=[Violation(field, description, mend)],
    )


def not_found(name: str) -> NotFound:
    """There is no such resource, or the caller may not know of it."""
    return NotFound(reason_pb2.REASON_NOT_FOUND, f"There is no {name}")


def forbidden(message: str) -> PermissionDenied:
    """The caller does not act for this organization in this way."""
    return PermissionDenied(reason_pb2.REASON_ORGANIZATION_FORBIDDEN, message)


def role_missing(message: str) -> PermissionDenied:
    """The caller's role does not allow this."""
    return PermissionDenied(reason_pb2.REASON_ROLE_MISSING, message)


def credentials_wrong() -> Unauthenticated:
    """What was shown does not prove who the caller is. Never says which part is wrong."""
    return Unauthenticated(
        reason_pb2.REASON_CREDENTIALS_WRONG, "These credentials do not fit together"
    )


def conflict() -> Aborted:
    """Somebody else changes the same thing again and again."""
    return Aborted(reason_pb2.REASON_CONFLICT, "This was changed meanwhile; read it again")


def etag_mismatch() -> Aborted:
    """The caller wants to change a state that is not the present one."""
    return Aborted(
        reason_pb2.REASON_ETAG_MISMATCH, "This was changed meanwhile; read it and repeat"
    )


def last_owner() -> FailedPrecondition:
    """The organization would be left without anyone who may run it."""
    return FailedPrecondition(
        reason_pb2.REASON_LAST_OWNER,
        "An organization keeps at least one owner; make somebody else an owner first",
    )
