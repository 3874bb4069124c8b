"""What a reader sees of a posting, and the note of it in the audit log of its owner."""

from typing import Protocol

from services.chassis.access import Delegations, Principal, organization_of
from services.chassis.aggregates import Document
from services.registry import convert, posting_documents
from services.registry.domain import disclosure
from services.registry.domain.disclosure import Standing
from services.registry.domain.ledger import ClaimState
from services.registry.usecases.kinds import Kind, M


class Audit(Protocol):
    """Where readings are noted; ``store.audit.AuditLog``, or a list in a test of rules."""

    def record(
        self,
        organization: str,
        actor: str,
        actor_organization: str,
        action: str,
        resource: str,
        fields: list[str],
    ) -> None:
        """Note a reading; it is stored later."""


class Viewer:
    """One reader during one call; it remembers for whom it acts."""

    def __init__(self, principal: Principal, delegations: Delegations, audit: Audit) -> None:
        self.principal = principal
        self._delegations = delegations
        self._audit = audit
        self._acting: dict[str, bool] = {}

    @property
    def privileged(self) -> bool:
        """Whether the reader is a service, who reads all, or an operator, who sees all postings."""
        return self.principal.role in ("service", "operator")

    async def acts_for(self, organization: str) -> bool:
        """Tell whether the reader belongs to an organization or is its delegate."""
        own = self.principal.organization
        if not own or own == organization:
            return bool(own)
        if organization not in self._acting:
            self._acting[organization] = await self._delegations(own, organization)
        return self._acting[organization]

    async def standing(self, document: Document) -> Standing:
        """Return how close the reader is to a posting, by its owner and by the claims on it."""
        if self.principal.role == "service" or await self.acts_for(document["organization"]):
            return Standing.OWN
        if self.principal.role == "operator":
            return Standing.OPERATOR  # all but what nobody reads, such as a limit price
        closest = Standing.STRANGER
        for party, committed in _parties(document).items():
            if await self.acts_for(party):
                closest = max(closest, Standing.CONFIRMED if committed else Standing.PROPOSED)
        return closest

    async def see(self, kind: Kind[M], document: Document) -> M:
        """Return what the reader may read of a posting, and note what others may not."""
        posting = kind.read(document, None)
        standing = await self.standing(document)
        decided = disclosure.view(posting, standing)
        owner = document["organization"]
        # Services read all for the solver; an organization's own reading is nobody's business.
        noted = self.principal.role != "service" and self.principal.organization != owner
        if decided.disclosed and noted:
            self._audit.record(
                owner,
                self.principal.subject,
                self.principal.organization,
                "read",
                document["_id"],
                list(decided.disclosed),
            )
        if standing is Standing.OWN:
            return posting
        alias = posting_documents.alias_name(document, kind.noun)
        return disclosure.redacted(posting, decided, alias)

    async def may_know_owner(self, kind: Kind[M], document: Document) -> bool:
        """Tell whether the reader may know whose a posting is."""
        if "identity" in document["public"]:
            return True
        content = kind.content(document)
        decided = disclosure.view(content, await self.standing(document))
        return not decided.identity_hidden


def _parties(document: Document) -> dict[str, bool]:
    """Return the other organizations with claims on a posting: whether one is committed."""
    owner = document["organization"]
    parties: dict[str, bool] = {}
    for stored in document["claims"].values():
        each = convert.claim(stored)
        involved = [each.demand, *(leg.offer for leg in each.terms.legs)]
        for party in {organization_of(name) for name in involved} - {owner, ""}:
            committed = each.state is ClaimState.COMMITTED
            parties[party] = parties.get(party, False) or committed
    return parties
