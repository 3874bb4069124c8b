"""From the market's events to news for members: whom it concerns and what kind it is."""

from datetime import UTC, datetime, timedelta

from google.protobuf.message import DecodeError

from services.chassis.aggregates import Document
from services.chassis.events import Delivery, Poison
from services.registry.domain.instants import Clock
from services.registry.store.accounts import Accounts, member
from services.registry.store.mail import Mail
from spareline.events.v1 import events_pb2
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.market.v1.organization_pb2 import Member
from spareline.matching.v1.proposal_pb2 import Party, Proposal

DURABLE = "registry-mail"
_KINDS = {
    "market.proposal.proposed.v1": MailSettings.KIND_PROPOSED,
    "market.proposal.countered.v1": MailSettings.KIND_COUNTERED,
    "market.proposal.confirmed.v1": MailSettings.KIND_CONFIRMED,
    "market.proposal.declined.v1": MailSettings.KIND_ENDED,
    "market.proposal.expired.v1": MailSettings.KIND_ENDED,
    "market.proposal.cancelled.v1": MailSettings.KIND_ENDED,
    "market.proposal.disputed.v1": MailSettings.KIND_ENDED,
    "market.proposal.delayed.v1": MailSettings.KIND_LATE,
    "market.proposal.overdue.v1": MailSettings.KIND_OVERDUE,
}
SUBJECTS = tuple(sorted(_KINDS))
# Viewers look when they like; owners and traders have to act.
_ACTING = frozenset({Member.ROLE_OWNER, Member.ROLE_TRADER})
# When mail is first configured the stream still holds a month. What was told is kept for longer
# than this (mail_sending), so that an event that comes again is never told again.
_OLD = timedelta(days=1)


class MailNews:
    """Notes news for each member who acts for a party and wants to be told."""

    def __init__(self, store: Mail, accounts: Accounts, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def follow(self, event: Delivery) -> None:
        """Take up one event; one that came before changes nothing. Raises Poison."""
        if datetime.now(UTC) - event.time > _OLD:
            return
        kind = _KINDS.get(event.subject)
        try:
            # All these messages hold the proposal in the same field.
            proposal = events_pb2.ProposalProposed.FromString(event.payload).proposal
        except DecodeError as error:
            raise Poison(f"no event of ours: {event.subject}") from error
        if kind is None:
            return
        news: list[Document] = []
        for organization in _concerned(proposal, kind):
            for account in await self._accounts.of_organization(organization):
                person = member(account)
                if person.role in _ACTING and kind not in await self._store.muted(person.name):
                    news.append(self._note(person.name, event, kind, proposal.name))
        await self._store.add(news)

    def _note(self, name: str, event: Delivery, kind: int, proposal: str) -> Document:
        return {
            "_id": f"{name}/news/{event.id or event.sequence}",
            "member": name,
            "kind": kind,
            "about": proposal,
            "create_ms": self._clock(),
        }


async def invited(store: Mail, accounts: Accounts, person: Member, now: int) -> None:
    """Note for a new member, and for the owners of the firm, that somebody was invited.

    A repeat changes nothing; of a person who was not taken up in the end nobody hears.
    """
    organization = person.name.split("/members/")[0]
    owners = [member(each) for each in await accounts.of_organization(organization)]
    told = {each.name for each in owners if each.role == Member.ROLE_OWNER}
    told -= {name for name in told if MailSettings.KIND_INVITED in await store.muted(name)}
    await store.add(
        [
            {
                "_id": f"{name}/news/{person.name.rpartition('/')[2]}",
                "member": name,
                "kind": MailSettings.KIND_INVITED,
                "about": person.name,
                "create_ms": now,
            }
            for name in sorted(told | {person.name})
        ]
    )


def _concerned(proposal: Proposal, kind: int) -> list[str]:
    found = {party.organization for party in proposal.parties} - {""}
    if kind == MailSettings.KIND_COUNTERED:  # who asks knows it
        found.discard(proposal.counter.party)
    if kind == MailSettings.KIND_LATE:  # who says that it was late is not told so
        said = [each.party_index for each in proposal.history if each.event == "late"]
        found.discard(proposal.parties[said[-1]].organization)
    if kind == MailSettings.KIND_OVERDUE:  # who has reported has nothing left to do
        accepted = Party.ANSWER_ACCEPTED
        found = {party.organization for party in proposal.parties if party.answer == accepted}
    return sorted(found)
