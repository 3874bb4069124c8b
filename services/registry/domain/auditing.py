"""Audit entries: what is kept of a change, and in whose log it stands."""

from services.chassis.mutations import OK, Mutation
from services.registry.domain.instants import timestamp
from services.registry.domain.organizations import OPERATOR
from spareline.market.v1.organization_pb2 import AuditEntry

_ERASE = "RegistryService.EraseOrganization"


def logs_of(entry: AuditEntry, organization: str) -> list[str]:
    """Return the organizations that read of a change, the one concerned first.

    What was refused stands in the log of who tried alone: else a firm that hides its name would
    be known to everyone at whose door it knocks. That one was erased stands with the operators,
    since it has no log any more.
    """
    actor_organization = entry.actor_organization
    if entry.outcome not in ("", OK):
        organization = actor_organization or organization
    elif entry.method == _ERASE:
        return [OPERATOR]
    return list(dict.fromkeys(each for each in (organization, actor_organization) if each))


def entry(mutation: Mutation, instant_ms: int) -> AuditEntry:
    """Return what is kept of a change; its name is made when it is stored."""
    return AuditEntry(
        time=timestamp(instant_ms),
        actor=mutation.actor,
        actor_organization=mutation.actor_organization,
        action=mutation.verb,
        resource=mutation.resource,
        fields=mutation.fields,
        method=mutation.method,
        outcome=mutation.outcome,
        request_id=mutation.request_id,
    )
