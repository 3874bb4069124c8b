"""Who calls, and whether the rule that an RPC declares in its proto lets them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from services.chassis.causes import said
from services.chassis.errors import PermissionDenied, Unauthenticated, Violation, invalid
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.options.v1 import options_pb2

Kind = Literal["anonymous", "member", "apiKey", "service"]
Role = Literal["", "owner", "trader", "viewer", "operator", "service", "calendar"]
ROLES = frozenset({"owner", "trader", "viewer", "operator", "service", "calendar"})
# A calendar feed's secret lies in many a program's settings, so it opens only what names it.
_ONLY_WHERE_NAMED = frozenset({"calendar"})

# Asked as (platform, organization): has the organization delegated to the platform?
Delegations = Callable[[str, str], Awaitable[bool]]

_ORGANIZATIONS = "organizations/"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: ``organization`` is a resource name, or empty for a service."""

    subject: str
    kind: Kind
    organization: str
    role: Role
    scopes: frozenset[str]


ANONYMOUS = Principal("", "anonymous", "", "", frozenset())

_current: ContextVar[Principal] = ContextVar("principal", default=ANONYMOUS)


def current() -> Principal:
    """Return the caller of the RPC being answered; ``ANONYMOUS`` outside of one."""
    return _current.get()


def become(principal: Principal) -> None:
    """Make the principal the caller for the rest of the present task."""
    _current.set(principal)


@dataclass(frozen=True, slots=True)
class Rule:
    """The access rule of one RPC, as its proto declares it."""

    public: bool
    roles: frozenset[str]
    organization_field: str
    write: bool
    own_only: bool = False
    recorded: bool = False
    """Whether the audit keeps who called it."""


class Access:
    """The rules of all RPCs of some services, found by the path of the RPC."""

    def __init__(
        self, services: Iterable[ServiceDescriptor], extra: Mapping[str, Rule] | None = None
    ) -> None:
        """Read the rules. Raises ValueError naming each RPC whose rule is missing or wrong.

        ``extra`` holds, by path, the rules of services whose protos are not ours and declare
        none (google.longrunning.Operations); their methods that it does not name are not served.
        """
        self._rules: dict[str, Rule] = dict(extra or {})
        foreign = {path.split("/")[1] for path in self._rules}
        wrong: list[str] = []
        for service in services:
            if service.full_name in foreign:
                continue
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                try:
                    self._rules[path] = _declared(method)
                except ValueError as error:
                    wrong.append(f"{path}: {error}")
        if wrong:
            raise ValueError("access rules: " + "; ".join(wrong))

    @property
    def rules(self) -> Mapping[str, Rule]:
        """All rules by the path of their RPC (``/package.Service/Method``)."""
        return self._rules

    def rule(self, path: str) -> Rule | None:
        """Return the rule of an RPC, or None when no such RPC is served."""
        return self._rules.get(path)


def _declared(method: MethodDescriptor) -> Rule:
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.access):
        raise ValueError("declares no (spareline.options.v1.access)")
    access = options.Extensions[options_pb2.access]
    roles = frozenset(access.roles)
    if unknown := roles - ROLES:
        raise ValueError(f"names unknown roles {sorted(unknown)}")
    if access.public and (roles or access.organization_field):
        raise ValueError("is public and yet names roles or an organization")
    _check_path(method, access.organization_field)
    if access.own_only and not access.organization_field:
        raise ValueError("is for the organization itself, and yet names no organization")
    changes = access.write or "request_id" in method.input_type.fields_by_name
    return Rule(
        access.public,
        roles,
        access.organization_field,
        access.write,
        access.own_only,
        changes and not access.unrecorded,
    )


def _check_path(method: MethodDescriptor, dotted: str) -> None:
    message: Descriptor | None = method.input_type
    for part in dotted.split(".") if dotted else ():
        field = message.fields_by_name.get(part) if message is not None else None
        if field is None:
            raise ValueError(f"names the field {dotted}, which the request does not have")
        message = field.message_type


def require_role(principal: Principal, rule: Rule) -> None:
    """Check the caller against a rule, but for the organization.

    Raises Unauthenticated without a token, PermissionDenied (ROLE_MISSING, SCOPE_MISSING).
    """
    if rule.public:
        return
    if principal.kind == "anonymous":
        raise Unauthenticated(
            reason_pb2.REASON_UNAUTHENTICATED, said(cause_pb2.CAUSE_NOT_SIGNED_IN)
        )
    narrow = principal.role in _ONLY_WHERE_NAMED
    if (rule.roles or narrow) and principal.role not in rule.roles:
        raise PermissionDenied(
            reason_pb2.REASON_ROLE_MISSING,
            said(cause_pb2.CAUSE_NEEDS_ROLE, roles=", ".join(sorted(rule.roles))),
            metadata={"role": principal.role},
        )
    if rule.write and "write" not in principal.scopes:
        raise PermissionDenied(
            reason_pb2.REASON_SCOPE_MISSING, said(cause_pb2.CAUSE_NEEDS_WRITE_SCOPE)
        )


async def require_organization(
    principal: Principal, organization: str, *, write: bool, delegations: Delegations
) -> None:
    """Check that the caller may act for (or, with ``write`` false, read) an organization.

    Its own members and keys may, a platform that it has delegated to, a service, and an
    operator to read. Raises PermissionDenied (ORGANIZATION_FORBIDDEN).
    """
    if principal.role == "service":
        return
    if principal.organization:
        if principal.organization == organization:
            return
        if principal.role == "operator" and not write:
            return
        if await delegations(principal.organization, organization):
            return
    raise PermissionDenied(
        reason_pb2.REASON_ORGANIZATION_FORBIDDEN,
        said(cause_pb2.CAUSE_OTHERS_ORGANIZATION),
    )


async def require_request(
    principal: Principal, rule: Rule, request: Message, delegations: Delegations
) -> None:
    """Check the organization that a request names in the field which its rule points to.

    Raises PermissionDenied (ORGANIZATION_FORBIDDEN), InvalidArgument (FIELD_INVALID) when
    the field names no organization.
    """
    if not rule.organization_field:
        return
    for value in dict.fromkeys(values_at(request, rule.organization_field.split("."))):
        await _require_value(principal, rule, value, delegations)


async def _require_value(
    principal: Principal, rule: Rule, value: str, delegations: Delegations
) -> None:
    if not value and principal.role == "operator" and not rule.write:
        return  # an operator reads across organizations; a field that must be set has its rule
    organization = organization_of(value)
    if organization:
        reach = _no_delegation if rule.own_only else delegations
        await require_organization(principal, organization, write=rule.write, delegations=reach)
        return
    raise invalid(Violation(rule.organization_field, said(cause_pb2.CAUSE_NO_ORGANIZATION)))


async def _no_delegation(_platform: str, _organization: str) -> bool:
    return False


def organization_of(name: str) -> str:
    """Return the organization that a resource name begins with, or the empty string."""
    if not name.startswith(_ORGANIZATIONS):
        return ""
    identity = name[len(_ORGANIZATIONS) :].split("/", 1)[0]
    return _ORGANIZATIONS + identity if identity else ""


def values_at(value: Any, path: Sequence[str]) -> list[str]:
    """Return the texts at the end of a path; where it goes through a repeated field, of each."""
    if not path:
        return [value if isinstance(value, str) else ""]
    inner = getattr(value, path[0])
    elements = [inner] if isinstance(inner, str | Message) else inner
    return [text for element in elements for text in values_at(element, path[1:])]
