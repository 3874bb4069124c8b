"""What is wrong with a posting: each fault names its field, what is wrong, and the mend."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.causes import Said
from services.chassis.errors import InvalidArgument, Violation, invalid
from spareline.errors.v1 import reason_pb2


@dataclass(frozen=True, slots=True)
class Fault:
    """One field that is wrong. ``reason`` is a value of ``spareline.errors.v1.Reason``."""

    field: str
    said: Said
    reason: int = reason_pb2.REASON_FIELD_INVALID

    def violation(self) -> Violation:
        """Return what the caller is told."""
        return Violation(self.field, self.said)


def under(root: str, field: str) -> str:
    """Return the path of a field of a message that itself stands at ``root``."""
    return f"{root}.{field}" if root else field


def refusal(faults: Sequence[Fault]) -> InvalidArgument:
    """Return the error that tells all faults; its reason is that of the first."""
    return invalid(*(fault.violation() for fault in faults), reason=faults[0].reason)
