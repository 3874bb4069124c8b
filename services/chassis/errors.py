"""The one taxonomy of errors that services raise; it knows no transport.

A kind (the class) says what sort of refusal it is, a reason (a value of
``spareline.errors.v1.Reason``) says which one, for ever. ``grpc_errors`` turns both into a
gRPC status and back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.chassis.causes import Said
from spareline.errors.v1 import reason_pb2


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong: its path, what is wrong with it, and what to change."""

    field: str
    said: Said

    @property
    def description(self) -> str:
        """What is wrong, in English."""
        return self.said.what

    @property
    def mend(self) -> str:
        """What to change, in English."""
        return self.said.mend

    def sentence(self) -> str:
        """Return the description and the mend as one line for a reader."""
        return str(self.said)


class DomainError(Exception):
    """A refusal that the caller may see: a permanent reason, a message and what to change.

    The message of a service has a cause, so that a page can tell it in its reader's language.
    ``metadata`` holds short facts for machines (never anything private).
    """

    def __init__(
        self,
        reason: int,
        message: str | Said,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.said = message if isinstance(message, Said) else Said(message)
        self.message = str(message)
        super().__init__(self.message)
        self.reason = int(reason)
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})


class InvalidArgument(DomainError):  # noqa: N818  (kinds are named as gRPC names them)
    """The request is wrong whatever the state of the system."""


class NotFound(DomainError):  # noqa: N818
    """What was asked for does not exist, or the caller may not know that it does."""


class AlreadyExists(DomainError):  # noqa: N818
    """What was to be created exists already."""


class FailedPrecondition(DomainError):  # noqa: N818
    """The state of the system does not allow it; a retry alone will not help."""


class Aborted(DomainError):  # noqa: N818
    """Somebody else was faster; read again and retry."""


class PermissionDenied(DomainError):  # noqa: N818
    """The caller is known and may not do this."""


class Unauthenticated(DomainError):  # noqa: N818
    """The caller has shown no valid token."""


class ResourceExhausted(DomainError):  # noqa: N818
    """A limit of the caller is used up; try again later."""


class Unavailable(DomainError):  # noqa: N818
    """Something that is needed does not answer just now; a retry may help."""


class Internal(DomainError):  # noqa: N818
    """A fault of ours; its detail stays in the log."""


def invalid(
    *violations: Violation, reason: int = reason_pb2.REASON_FIELD_INVALID
) -> InvalidArgument:
    """Return the refusal of a request whose fields are wrong; its message is about the first."""
    first = violations[0]
    more = "" if len(violations) == 1 else f" (and {len(violations) - 1} more)"
    about = f"{first.field}: " if first.field else ""
    message = f"{about}{first.sentence()}{more}"
    return InvalidArgument(reason, message, violations=violations)
