"""What the access option of an RPC promises, computed here a second time, from its words.

The words are those of options.proto; nothing of the chassis that enforces them is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from google.longrunning import operations_pb2
from google.protobuf.descriptor import MethodDescriptor

from spareline.matching.v1 import matching_service_pb2
from spareline.options.v1 import options_pb2
from spareline.registry.v1 import (
    calendar_service_pb2,
    dead_letter_service_pb2,
    draft_service_pb2,
    identity_service_pb2,
    import_service_pb2,
    ledger_service_pb2,
    mail_service_pb2,
    market_data_service_pb2,
    registry_service_pb2,
    taxonomy_service_pb2,
    webhook_service_pb2,
)

_FILES = (
    dead_letter_service_pb2,
    mail_service_pb2,
    identity_service_pb2,
    registry_service_pb2,
    ledger_service_pb2,
    draft_service_pb2,
    import_service_pb2,
    calendar_service_pb2,
    market_data_service_pb2,
    taxonomy_service_pb2,
    webhook_service_pb2,
    matching_service_pb2,
    operations_pb2,
)
FOREIGN = {
    "ListOperations": options_pb2.Access(),
    "GetOperation": options_pb2.Access(),
    "WaitOperation": options_pb2.Access(),
    "CancelOperation": options_pb2.Access(roles=["operator"], write=True),
}
"""The rules of google.longrunning.Operations, whose proto is not ours."""


@dataclass(frozen=True)
class Caller:
    """What a kind of caller is: its role, scopes, and how it stands to organization A."""

    role: str
    write: bool
    member_of_a: bool = False
    delegate_of_a: bool = False


KINDS = {
    "owner_a": Caller("owner", True, member_of_a=True),
    "trader_a": Caller("trader", True, member_of_a=True),
    "viewer_a": Caller("viewer", False, member_of_a=True),
    "key_a": Caller("trader", False, member_of_a=True),
    "calendar_a": Caller("calendar", False, member_of_a=True),
    "owner_b": Caller("owner", True),
    "platform_with": Caller("owner", True, delegate_of_a=True),
    "platform_without": Caller("owner", True),
    "operator": Caller("operator", True),
    "service": Caller("service", True),
}


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of every service, but those of Operations that are not served."""
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def access_of(method: MethodDescriptor) -> options_pb2.Access:
    """Return the access option of an RPC."""
    if method.containing_service.file.package == "google.longrunning":
        return FOREIGN[method.name]
    return method.GetOptions().Extensions[options_pb2.access]


def refusal(access: options_pb2.Access, caller: str, *, concerns_a: bool | None = None) -> str:
    """Return the reason why a caller is refused when it aims at A's data, "" when it is let in.

    ``concerns_a`` is for methods whose request names the organization elsewhere than in the
    organization field: their use case applies the rule of the organization.
    """
    if access.public:
        return ""
    if caller == "anonymous":
        return "UNAUTHENTICATED"
    kind = KINDS[caller]
    narrow = kind.role == "calendar"  # lets itself in only where it is named
    if (access.roles or narrow) and kind.role not in access.roles:
        return "ROLE_MISSING"
    if access.write and not kind.write:
        return "SCOPE_MISSING"
    if not (bool(access.organization_field) if concerns_a is None else concerns_a):
        return ""
    reads = kind.role == "operator" and not access.write
    delegated = kind.delegate_of_a and not access.own_only
    if kind.member_of_a or kind.role == "service" or reads or delegated:
        return ""
    return "ORGANIZATION_FORBIDDEN"
