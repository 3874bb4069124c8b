"""The audit log, as an organization's owners read it."""

from services.chassis import paging
from services.chassis.access import Principal
from services.registry.domain import refusals
from services.registry.domain.instants import milliseconds
from services.registry.store.audit import AuditLog
from services.registry.store.organizations import Organizations
from services.registry.usecases import pages
from services.registry.usecases.authority import require_owner_of
from spareline.registry.v1 import registry_service_pb2 as api


class AuditEntries:
    """Lists entries, newest first."""

    def __init__(self, organizations: Organizations, audit: AuditLog) -> None:
        self._organizations = organizations
        self._audit = audit

    async def list(
        self, principal: Principal, request: api.ListAuditEntriesRequest
    ) -> api.ListAuditEntriesResponse:
        """Return a page. Raises PermissionDenied, NotFound, InvalidArgument."""
        parent = request.parent
        await require_owner_of(self._organizations, principal, parent, managed=True, operator=True)
        organization = await self._organizations.get(parent)
        if organization is None:
            raise refusals.not_found(parent)
        bound = paging.bound_to(request)
        before = int(paging.decode(request.page_token, bound).get("before", "0"))
        size = pages.size_of(request)
        # An organization's creation is noted after its create_time was set.
        since = milliseconds(organization.create_time)
        found = await self._audit.page(parent, before, since, size + 1)
        token = (
            paging.encode({"before": str(found[size - 1][0])}, bound) if len(found) > size else ""
        )
        entries = [entry for _, entry in found[:size]]
        return api.ListAuditEntriesResponse(audit_entries=entries, next_page_token=token)
