"""Who may do what belongs to an organization's owners. The interceptor has checked the rest.

A platform with a delegation acts as a trader, never as an owner; only an organization that
it registered itself, and that has no members of its own, it also manages.
"""

from services.chassis.access import Principal
from services.chassis.causes import said
from services.registry.domain import refusals
from services.registry.store.organizations import ACTIVE, Organizations
from spareline.errors.v1 import cause_pb2


async def require_owner_of(
    organizations: Organizations,
    principal: Principal,
    organization: str,
    *,
    managed: bool = False,
    operator: bool = False,
) -> None:
    """Check that the caller acts as an owner would.

    ``managed``: the platform that registered an organization may, too. ``operator``: an
    operator may (to read). Raises PermissionDenied (ORGANIZATION_FORBIDDEN), NotFound.
    """
    if principal.organization == organization and organization:
        return
    if operator and principal.role == "operator":
        return
    document = await organizations.document(organization)
    if document is None or document["state"] != ACTIVE:
        raise refusals.not_found(organization)
    if managed and document["managed_by"] == principal.organization != "":
        return
    raise refusals.forbidden(said(cause_pb2.CAUSE_OWNERS_ONLY))
