"""The part of RegistryService that is about organizations: a mixin of its servicer."""

from google.protobuf.empty_pb2 import Empty

from services.chassis.access import current
from services.registry.grpc_api.callers import Context
from services.registry.identity_parts import Identity
from spareline.market.v1.organization_pb2 import (
    CreditAccount,
    CreditEvent,
    Delegation,
    Organization,
)
from spareline.registry.v1 import registry_service_pb2 as api


class OrganizationHandlers:
    """Each method hands its request to a use case. The servicer sets ``identity``."""

    identity: Identity

    async def CreateOrganization(
        self, request: api.CreateOrganizationRequest, _context: Context
    ) -> Organization:
        """Register an organization that a platform brings."""
        return await self.identity.organization_calls.create(current(), request)

    async def GetOrganization(
        self, request: api.GetOrganizationRequest, _context: Context
    ) -> Organization:
        """Read an organization."""
        return await self.identity.organization_calls.get(current(), request.name)

    async def ListOrganizations(
        self, request: api.ListOrganizationsRequest, _context: Context
    ) -> api.ListOrganizationsResponse:
        """List those that the caller acts for."""
        return await self.identity.organization_calls.list(current(), request)

    async def UpdateOrganization(
        self, request: api.UpdateOrganizationRequest, _context: Context
    ) -> Organization:
        """Change an organization."""
        return await self.identity.organization_calls.update(current(), request)

    async def EraseOrganization(
        self, request: api.EraseOrganizationRequest, _context: Context
    ) -> Empty:
        """Erase an organization."""
        await self.identity.erasure(current(), request)
        return Empty()

    async def CreateDelegation(
        self, request: api.CreateDelegationRequest, _context: Context
    ) -> Delegation:
        """Agree that a platform acts for an organization."""
        return await self.identity.delegations.create(current(), request)

    async def ListDelegations(
        self, request: api.ListDelegationsRequest, _context: Context
    ) -> api.ListDelegationsResponse:
        """List delegations."""
        return await self.identity.delegations.list(current(), request)

    async def DeleteDelegation(
        self, request: api.DeleteDelegationRequest, _context: Context
    ) -> Empty:
        """End a delegation."""
        await self.identity.delegations.delete(current(), request)
        return Empty()

    async def ListAuditEntries(
        self, request: api.ListAuditEntriesRequest, _context: Context
    ) -> api.ListAuditEntriesResponse:
        """List who read or changed what."""
        return await self.identity.audit_entries.list(current(), request)

    async def ListCreditEvents(
        self, request: api.ListCreditEventsRequest, _context: Context
    ) -> api.ListCreditEventsResponse:
        """List the events behind a grade."""
        return await self.identity.credit_events.list(current(), request)

    async def ContestCreditEvent(
        self, request: api.ContestCreditEventRequest, _context: Context
    ) -> CreditEvent:
        """Contest a credit event."""
        return await self.identity.credit_events.contest(current(), request)

    async def DecideCreditEvent(
        self, request: api.DecideCreditEventRequest, _context: Context
    ) -> CreditEvent:
        """Decide about a contested credit event."""
        return await self.identity.credit_events.decide(request)

    async def GetCreditAccount(
        self, request: api.GetCreditAccountRequest, _context: Context
    ) -> CreditAccount:
        """Read how a grade comes about."""
        return await self.identity.credit_events.account(current(), request)
