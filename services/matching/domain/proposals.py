"""The life of a proposal: a pure state machine over the contract's own message.

Every move takes a proposal and returns a changed copy with the events to publish; nothing here
reads a clock, a store or the ledger. A refused move raises a DomainError with its reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition, PermissionDenied
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party

PLATFORM = -1
DEMAND_SIDE = "demand"

# Nobody but operators sees a proposal in these: it was never in an inbox.
UNSEEN = frozenset({Proposal.STATE_HOLDING, Proposal.STATE_FAILED})
# Its parties have agreed, so they know each other and how to reach each other.
AGREED = frozenset({Proposal.STATE_CONFIRMED, Proposal.STATE_FULFILLED, Proposal.STATE_DISPUTED})
# How a party has reported that all was delivered.
DELIVERED = frozenset({Party.ANSWER_FULFILLED, Party.ANSWER_LATE})
LIVE = frozenset(
    {
        Proposal.STATE_HOLDING,
        Proposal.STATE_PROPOSED,
        Proposal.STATE_CONFIRMING,
        *AGREED,
    }
)


@dataclass(frozen=True)
class Move:
    """A changed proposal and what is to be told about it. ``changed`` is False for a repeat."""

    proposal: proposal_pb2.Proposal
    events: tuple[Message, ...] = ()
    changed: bool = True


def stamp(moment: datetime) -> Timestamp:
    """Return a moment as a protobuf timestamp."""
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def copy(proposal: proposal_pb2.Proposal, now: datetime) -> proposal_pb2.Proposal:
    """Return a copy that has changed now, one generation on."""
    changed = proposal_pb2.Proposal()
    changed.CopyFrom(proposal)
    changed.generation += 1
    changed.update_time.CopyFrom(stamp(now))
    return changed


def note(
    proposal: proposal_pb2.Proposal, now: datetime, event: str, party: int, text: str = ""
) -> None:
    """Add an entry to the history."""
    proposal.history.add(time=stamp(now), event=event, party_index=party, note=text)


def party_index(proposal: proposal_pb2.Proposal, organization: str) -> int:
    """Return the index of a party. Raises PermissionDenied (NOT_A_PARTY)."""
    for index, party in enumerate(proposal.parties):
        if party.organization == organization:
            return index
    raise PermissionDenied(reason_pb2.REASON_NOT_A_PARTY, said(cause_pb2.CAUSE_NOT_A_PARTY))


def require_state(proposal: proposal_pb2.Proposal, states: Iterable[int], what: str) -> None:
    """Raise FailedPrecondition (LEASE_EXPIRED, PROPOSAL_STATE) unless the state is one of these."""
    if proposal.state in states:
        return
    state = Proposal.State.Name(proposal.state)
    if proposal.state == Proposal.STATE_EXPIRED:
        raise FailedPrecondition(
            reason_pb2.REASON_LEASE_EXPIRED, said(cause_pb2.CAUSE_TIME_IS_UP), metadata=_at(state)
        )
    raise FailedPrecondition(
        reason_pb2.REASON_PROPOSAL_STATE,
        said(cause_pb2.CAUSE_STATE_FORBIDS, act=what, state=state),
        metadata=_at(state),
    )


def require_lease(proposal: proposal_pb2.Proposal, now: datetime) -> None:
    """Raise FailedPrecondition (LEASE_EXPIRED) when the lease has run out by the clock."""
    if stamp(now).ToNanoseconds() >= proposal.lease_expire_time.ToNanoseconds():
        raise FailedPrecondition(reason_pb2.REASON_LEASE_EXPIRED, said(cause_pb2.CAUSE_TIME_IS_UP))


def propose(proposal: proposal_pb2.Proposal, now: datetime) -> Move:
    """Its capacity is held: put it into the inboxes."""
    require_state(proposal, {Proposal.STATE_HOLDING}, "proposed")
    changed = copy(proposal, now)
    changed.state = Proposal.STATE_PROPOSED
    note(changed, now, "proposed", PLATFORM)
    return Move(changed, (events_pb2.ProposalProposed(proposal=changed, time=stamp(now)),))


def fail(proposal: proposal_pb2.Proposal, now: datetime, why: str) -> Move:
    """Its hold did not fit: nobody ever sees it."""
    require_state(proposal, {Proposal.STATE_HOLDING}, "failed")
    changed = copy(proposal, now)
    changed.state = Proposal.STATE_FAILED
    note(changed, now, "failed", PLATFORM, why)
    return Move(changed)


def accept(
    proposal: proposal_pb2.Proposal, organization: str, terms_version: int, now: datetime
) -> Move:
    """A party accepts the current terms; with the last one the proposal is being confirmed.

    The same answer again changes nothing. Raises NOT_A_PARTY, ALREADY_ANSWERED, PROPOSAL_STATE,
    LEASE_EXPIRED, TERMS_CHANGED.
    """
    index = party_index(proposal, organization)
    answer = proposal.parties[index].answer
    if answer == Party.ANSWER_ACCEPTED and terms_version in (0, proposal.terms_version):
        return Move(proposal, changed=False)
    if answer == Party.ANSWER_DECLINED:
        raise _already()
    require_state(proposal, {Proposal.STATE_PROPOSED}, "accepted")
    require_lease(proposal, now)
    if terms_version not in (0, proposal.terms_version):
        raise FailedPrecondition(
            reason_pb2.REASON_TERMS_CHANGED,
            said(cause_pb2.CAUSE_TERMS_CHANGED),
            metadata={"terms_version": str(proposal.terms_version)},
        )
    if proposal.HasField("counter"):
        raise FailedPrecondition(
            reason_pb2.REASON_PROPOSAL_STATE,
            said(cause_pb2.CAUSE_COUNTER_FIRST),
        )
    changed = copy(proposal, now)
    changed.parties[index].answer = Party.ANSWER_ACCEPTED
    note(changed, now, "accepted", index)
    close_if_agreed(changed)
    return Move(changed, (events_pb2.ProposalAccepted(proposal=changed, time=stamp(now)),))


def close_if_agreed(proposal: proposal_pb2.Proposal) -> None:
    """Move a proposal that all parties have accepted on to being confirmed."""
    if all(party.answer == Party.ANSWER_ACCEPTED for party in proposal.parties):
        proposal.state = Proposal.STATE_CONFIRMING


def decline(
    proposal: proposal_pb2.Proposal,
    organization: str,
    reason: proposal_pb2.DeclineReason.ValueType,
    text: str,
    now: datetime,
) -> Move:
    """A party declines, which ends the proposal.

    The same answer again changes nothing. Raises as ``accept`` does.
    """
    index = party_index(proposal, organization)
    answer = proposal.parties[index].answer
    if answer == Party.ANSWER_DECLINED:
        return Move(proposal, changed=False)
    if answer != Party.ANSWER_UNSPECIFIED:
        raise _already()
    require_state(proposal, {Proposal.STATE_PROPOSED}, "declined")
    require_lease(proposal, now)
    changed = copy(proposal, now)
    changed.parties[index].answer = Party.ANSWER_DECLINED
    changed.state = Proposal.STATE_DECLINED
    changed.ClearField("counter")
    note(changed, now, "declined", index, text)
    changed.history[-1].reason = reason
    return Move(changed, (events_pb2.ProposalDeclined(proposal=changed, time=stamp(now)),))


def expire(proposal: proposal_pb2.Proposal, now: datetime, why: str = "") -> Move:
    """The lease ran out, or what it held is gone."""
    require_state(proposal, {Proposal.STATE_PROPOSED, Proposal.STATE_CONFIRMING}, "expired")
    changed = copy(proposal, now)
    changed.state = Proposal.STATE_EXPIRED
    changed.ClearField("counter")
    note(changed, now, "expired", PLATFORM, why)
    return Move(changed, (events_pb2.ProposalExpired(proposal=changed, time=stamp(now)),))


def supersede(proposal: proposal_pb2.Proposal, now: datetime, by_round: str) -> Move:
    """A later round puts another in its place; only while nobody has answered."""
    require_state(proposal, {Proposal.STATE_PROPOSED}, "superseded")
    if not unanswered(proposal):
        raise _already()
    changed = copy(proposal, now)
    changed.state = Proposal.STATE_SUPERSEDED
    note(changed, now, "superseded", PLATFORM, by_round)
    return Move(changed, (events_pb2.ProposalSuperseded(proposal=changed, time=stamp(now)),))


def unanswered(proposal: proposal_pb2.Proposal) -> bool:
    """Tell whether no party has answered or countered yet."""
    return not proposal.HasField("counter") and all(
        party.answer == Party.ANSWER_UNSPECIFIED for party in proposal.parties
    )


def confirm(proposal: proposal_pb2.Proposal, now: datetime) -> Move:
    """Its hold has become a commitment."""
    require_state(proposal, {Proposal.STATE_CONFIRMING}, "confirmed")
    changed = copy(proposal, now)
    changed.state = Proposal.STATE_CONFIRMED
    note(changed, now, "confirmed", PLATFORM)
    return Move(changed, (events_pb2.ProposalConfirmed(proposal=changed, time=stamp(now)),))


@dataclass(frozen=True)
class Report:
    """How it went, by one party: ``answer`` is one of FULFILLED, LATE and FAILED.

    ``rating`` tells how content the party is with the other side, 1 to 5; 0 leaves it unsaid.
    """

    answer: proposal_pb2.Party.Answer.ValueType
    rating: int = 0
    text: str = ""


_REPORTED: dict[int, str] = {
    Party.ANSWER_FULFILLED: "fulfilled",
    Party.ANSWER_LATE: "late",
    Party.ANSWER_FAILED: "failed",
}


def report(proposal: proposal_pb2.Proposal, organization: str, said: Report, now: datetime) -> Move:
    """A party reports how it went: all delivered is fulfilled, one failure is a dispute.

    A party may turn its good report into a worse one while the proposal is not fulfilled yet, and
    report while others dispute. Raises NOT_A_PARTY, ALREADY_ANSWERED, PROPOSAL_STATE.
    """
    index = party_index(proposal, organization)
    answer, wanted = proposal.parties[index].answer, said.answer
    if answer == wanted:
        return Move(proposal, changed=False)
    failed = answer == Party.ANSWER_FAILED
    if failed or (answer == Party.ANSWER_LATE and wanted == Party.ANSWER_FULFILLED):
        raise _already()
    require_state(proposal, {Proposal.STATE_CONFIRMED, Proposal.STATE_DISPUTED}, "reported on")
    changed = copy(proposal, now)
    changed.parties[index].answer = wanted
    changed.parties[index].rating = said.rating or changed.parties[index].rating
    note(changed, now, _REPORTED[wanted], index, said.text)
    events: list[Message] = []
    broken = wanted == Party.ANSWER_FAILED
    disputed_now = broken and proposal.state == Proposal.STATE_CONFIRMED
    if disputed_now:
        changed.state = Proposal.STATE_DISPUTED
        note(changed, now, "disputed", PLATFORM)
    elif all(party.answer in DELIVERED for party in changed.parties):
        changed.state = Proposal.STATE_FULFILLED
    events.append(events_pb2.ProposalReported(proposal=changed, time=stamp(now)))
    if wanted == Party.ANSWER_LATE:
        events.append(events_pb2.ProposalDelayed(proposal=changed, time=stamp(now)))
    if disputed_now:
        events.append(events_pb2.ProposalDisputed(proposal=changed, time=stamp(now)))
    if changed.state == Proposal.STATE_FULFILLED:
        events.append(events_pb2.ProposalFulfilled(proposal=changed, time=stamp(now)))
    return Move(changed, tuple(events))


def resolve(proposal: proposal_pb2.Proposal, fulfilled: bool, text: str, now: datetime) -> Move:
    """An operator ends a dispute: fulfilled after all, or cancelled. Raises PROPOSAL_STATE."""
    target = Proposal.STATE_FULFILLED if fulfilled else Proposal.STATE_CANCELLED
    if proposal.state == target:
        return Move(proposal, changed=False)
    require_state(proposal, {Proposal.STATE_DISPUTED}, "resolved")
    changed = copy(proposal, now)
    changed.state = target
    note(changed, now, "fulfilled" if fulfilled else "cancelled", PLATFORM, text)
    if fulfilled:
        return Move(changed, (events_pb2.ProposalFulfilled(proposal=changed, time=stamp(now)),))
    return Move(changed, (events_pb2.ProposalCancelled(proposal=changed, time=stamp(now)),))


def _already() -> FailedPrecondition:
    return FailedPrecondition(
        reason_pb2.REASON_ALREADY_ANSWERED, said(cause_pb2.CAUSE_ANSWERED_ALREADY)
    )


def _at(state: str) -> dict[str, str]:
    return {"state": state}
