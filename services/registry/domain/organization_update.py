"""Which fields of an organization an update may change, and the change itself."""

from collections.abc import Sequence

from google.protobuf.message import Message

from services.registry.domain import refusals
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

_FIXED_MENDS = {
    "kind": "The kind is fixed; register another organization",
    "name": "The name is fixed",
    "etag": "Give the etag in the organization, not in the mask",
}


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
                raise refusals.role_missing("Only operators say how far papers were checked")
        elif path not in OWN and path not in CONTACT:
            raise refusals.field_invalid(
                f"organization.{path}",
                f"{path} cannot be changed",
                _FIXED_MENDS.get(path, "Leave it out of update_mask"),
            )
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
