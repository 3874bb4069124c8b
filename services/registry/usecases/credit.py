"""Credit: events become experiences, experiences a grade, and a changed grade a new record.

The account is written before the organization's record. When a crash comes in between, the
event is delivered again, is found in the account, and the grade is brought up to date.
"""

from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError

from services.chassis.aggregates import Document, Event
from services.chassis.errors import NotFound
from services.chassis.events import Delivery, Poison
from services.registry.domain import credit
from services.registry.domain import organizations as records
from services.registry.domain.instants import Clock, milliseconds
from services.registry.store.changes import Change
from services.registry.store.credit import CreditAccounts, experiences, fields
from services.registry.store.organizations import ACTIVE, Organizations, body_fields, record
from spareline.events.v1 import events_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1.proposal_pb2 import Proposal

DURABLE = "registry-credit"

_Concluded = (
    events_pb2.ProposalFulfilled
    | events_pb2.ProposalDelayed
    | events_pb2.ProposalDisputed
    | events_pb2.ProposalCancelled
    | events_pb2.ProposalDeclined
)
_PROPOSALS: dict[
    str, tuple[type[_Concluded], Callable[[Proposal, int], list[credit.Experience]]]
] = {
    "market.proposal.fulfilled.v1": (events_pb2.ProposalFulfilled, credit.of_fulfilled),
    "market.proposal.delayed.v1": (events_pb2.ProposalDelayed, credit.of_delayed),
    "market.proposal.disputed.v1": (events_pb2.ProposalDisputed, credit.of_disputed),
    "market.proposal.cancelled.v1": (events_pb2.ProposalCancelled, credit.of_cancelled),
    "market.proposal.declined.v1": (events_pb2.ProposalDeclined, credit.of_declined),
}
# Verification is followed from our own stream: a crash after the operator's write loses nothing.
_VERIFICATION = "market.organization.updated.v1"
SUBJECTS = (*_PROPOSALS, _VERIFICATION)


class Credit:
    """Follows the market's events."""

    def __init__(
        self,
        organizations: Organizations,
        accounts: CreditAccounts,
        clock: Clock,
    ) -> None:
        self._organizations = organizations
        self._accounts = accounts
        self._clock = clock

    async def follow(self, delivery: Delivery) -> None:
        """Handle one event of the stream. Raises Poison when it cannot be read."""
        try:
            if delivery.subject == _VERIFICATION:
                changed = events_pb2.OrganizationUpdated.FromString(delivery.payload)
                await self._verified(changed.organization, milliseconds(changed.time))
                return
            message, experiences_of = _PROPOSALS[delivery.subject]
            event = message.FromString(delivery.payload)
        except (DecodeError, KeyError) as error:
            raise Poison(f"not an event of {delivery.subject}") from error
        for each in experiences_of(event.proposal, milliseconds(event.time)):
            await self._add(each.organization, [each])

    async def _verified(self, organization: Organization, time_ms: int) -> None:
        account = await self._accounts.get(organization.name)
        before = account["verification"] if account else 0
        if organization.verification == before:
            return
        if await self._organizations.get(organization.name) is None:
            return  # erased meanwhile

        def decide(document: Document) -> Change | None:
            known, after = document["verification"], int(organization.verification)
            if organization.generation <= document.get("generation", 0):
                return None
            new = credit.of_verification(
                organization.name, known, after, organization.generation, time_ms
            )
            following = credit.with_new(experiences(document), new)
            stored = fields(following) if following is not None else {}
            place = {"verification": after, "generation": organization.generation}
            return Change({**stored, **place})

        await self._accounts.change(organization.name, decide)
        await self.regrade(organization.name)

    async def _add(self, organization: str, new: Sequence[credit.Experience]) -> None:
        if await self._organizations.get(organization) is None:
            return  # erased meanwhile: nothing more is kept about it

        def decide(document: Document) -> Change | None:
            following = credit.with_new(experiences(document), new)
            return None if following is None else Change(fields(following))

        await self._accounts.change(organization, decide)
        await self.regrade(organization)

    async def regrade(self, name: str) -> None:
        """Bring an organization's grade up to date with its account."""
        known = experiences(await self._accounts.get(name))
        grade = credit.estimate(known, self._clock()).grade

        def decide(document: Document) -> Change | None:
            present = record(document)
            if document["state"] != ACTIVE or present.credit_grade == grade:
                return None
            following = records.changed(present, self._clock())
            following.credit_grade, following.etag = grade, ""
            return Change(body_fields(following), [Event.of(records.updated(following))])

        try:
            await self._organizations.change(name, decide)
        except NotFound:
            return  # named in an event, but none of this market
