"""Which fields an update changes, and the change itself (AIP-134, AIP-161)."""

from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from services.chassis.causes import said
from services.registry.domain.faults import Fault, refusal
from spareline.errors.v1 import cause_pb2

M = TypeVar("M", bound=Message)


def merged(present: M, given: M, mask: FieldMask, changeable: Sequence[str], root: str) -> M:
    """Return the present message with the masked fields as given; all when the mask is empty.

    A field that the mask names and the given message does not set is cleared. ``root`` is the
    name of the message in the request. Raises InvalidArgument naming each path that is
    unknown or cannot be changed.
    """
    paths = list(mask.paths)
    if not paths or paths == ["*"]:
        paths = list(changeable)
    wrong = [fault for path in paths if (fault := _fault(present, path, changeable, root))]
    if wrong:
        raise refusal(wrong)
    result = type(present)()
    result.CopyFrom(present)
    FieldMask(paths=paths).MergeMessage(given, result, True, True)
    return result


def _fault(message: Message, path: str, changeable: Sequence[str], root: str) -> Fault | None:
    descriptor: Any = message.DESCRIPTOR  # two stubs disagree on its type
    known = FieldMask(paths=[path]).IsValidForDescriptor(descriptor)
    if known and path.split(".", 1)[0] in changeable:
        return None
    cause = cause_pb2.CAUSE_FIELD_FIXED if known else cause_pb2.CAUSE_FIELD_UNKNOWN
    return Fault("update_mask", said(cause, root=root, path=path, changeable=", ".join(changeable)))
