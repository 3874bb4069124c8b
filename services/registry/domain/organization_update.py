"""Which fields of an organization an update may change, and the change itself."""

from collections.abc import Sequence

from google.protobuf.message import Message

from services.chassis.causes import said
from services.registry.domain import refusals
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.organization_pb2 import Contact, Organization

OWN = (
    "display_name",
    "region",
    "location",
    "languages",
    "standards",
    "contact",
    "identity_disclosure",
    "description",
)
BY_OPERATORS = ("verification",)
CONTACT = tuple(f"contact.{field.name}" for field in Contact.DESCRIPTOR.fields)


def paths_to_change(given: Organization, mask: Sequence[str], *, operator: bool) -> list[str]:
    """Return the paths of an update; without a mask, those that are set and can be changed.

    Raises InvalidArgument naming a path that is unknown or output only, PermissionDenied
    (ROLE_MISSING) when one is for operators only.
    """
    if not mask:
        possible = (*OWN, *(BY_OPERATORS if operator else ()))
        set_now = {field.name for field, _ in given.ListFields()}
        return [path for path in possible if path in set_now]
    for path in mask:
        if path in BY_OPERATORS:
            if not operator:
                raise refusals.role_missing(said(cause_pb2.CAUSE_OPERATORS_CHECK_PAPERS))
        elif path not in OWN and path not in CONTACT:
            changeable = ", ".join((*OWN, *CONTACT))
            words = said(cause_pb2.CAUSE_FIELD_FIXED, path=path, changeable=changeable)
            raise refusals.field_invalid(f"organization.{path}", words)
    return list(mask)


def apply(target: Organization, given: Organization, paths: Sequence[str]) -> None:
    """Set the paths of the target to what is given; what is not set is cleared."""
    for path in paths:
        parent, _, leaf = path.rpartition(".")
        if parent:
            setattr(target.contact, leaf, getattr(given.contact, leaf))
            continue
        _clear(target, path)
        only = Organization()
        only.CopyFrom(given)
        for field, _ in given.ListFields():
            if field.name != path:
                _clear(only, field.name)
        target.MergeFrom(only)


def _clear(message: Message, field: str) -> None:
    message.ClearField(field)
