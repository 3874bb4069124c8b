"""Counters: a party asks for other terms, and those whom it concerns agree or refuse.

Concerned by a counter are all parties of whose legs the terms change, and the demander, who pays.
The party that asks counts as having agreed. A party that accepted before and is not concerned
keeps its acceptance: nothing changes for it.
"""

from collections.abc import Sequence
from datetime import datetime

from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition, PermissionDenied, Violation, invalid
from services.matching.domain import proposals
from services.matching.domain.proposals import Move
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party

DEMANDER = 0  # parties[0], by contract


def counter(
    proposal: proposal_pb2.Proposal,
    organization: str,
    legs: Sequence[proposal_pb2.CounterLeg],
    text: str,
    now: datetime,
) -> Move:
    """A party asks for other terms; an open counter of which it is concerned is refused by that.

    Raises NOT_A_PARTY, ALREADY_ANSWERED, PROPOSAL_STATE, LEASE_EXPIRED, FIELD_INVALID.
    """
    index = proposals.party_index(proposal, organization)
    proposals.require_state(proposal, {Proposal.STATE_PROPOSED}, "countered")
    proposals.require_lease(proposal, now)
    if proposal.parties[index].answer != Party.ANSWER_UNSPECIFIED:
        raise FailedPrecondition(
            reason_pb2.REASON_ALREADY_ANSWERED, said(cause_pb2.CAUSE_ACCEPTED_ALREADY)
        )
    if proposal.HasField("counter"):
        _require_concern(proposal, index, or_author=True)
    _require_sound(proposal, index, legs)
    changed = proposals.copy(proposal, now)
    if proposal.HasField("counter"):
        proposals.note(changed, now, "counter_declined", index)
    changed.counter.CopyFrom(
        proposal_pb2.Counter(
            party=organization,
            party_index=index,
            legs=legs,
            note=text,
            create_time=proposals.stamp(now),
            agreed=[index],
        )
    )
    proposals.note(changed, now, "countered", index, text)
    event = events_pb2.ProposalCountered(proposal=changed, time=proposals.stamp(now))
    return Move(changed, (event,))


def concerned(proposal: proposal_pb2.Proposal) -> set[int]:
    """Return the indexes of the parties that must agree to the open counter, its author left out.

    When the author asks for nothing that touches another party but the demander (or none at
    all), the demander alone decides; a demander's counter concerns whose legs it changes.
    """
    touched = {proposal.legs[leg.leg_index].party_index for leg in proposal.counter.legs}
    return (touched | {DEMANDER}) - {proposal.counter.party_index}


def waits_for(proposal: proposal_pb2.Proposal) -> set[int]:
    """Return the indexes of the parties whose answer a live proposal waits for."""
    if proposal.state != Proposal.STATE_PROPOSED:
        return set()
    if proposal.HasField("counter"):
        return concerned(proposal) - set(proposal.counter.agreed)
    return {
        index
        for index, party in enumerate(proposal.parties)
        if party.answer == Party.ANSWER_UNSPECIFIED
    }


def agree(proposal: proposal_pb2.Proposal, organization: str, now: datetime) -> Move:
    """A party agrees to the open counter; agreeing again changes nothing.

    The terms themselves change with ``revise``, once ``is_agreed`` and the ledger holds them.
    """
    index = _open_counter(proposal, organization, now)
    if index in proposal.counter.agreed:
        return Move(proposal, changed=False)
    _require_concern(proposal, index, or_author=False)
    changed = proposals.copy(proposal, now)
    changed.counter.agreed.append(index)
    proposals.note(changed, now, "counter_accepted", index)
    event = events_pb2.ProposalCountered(proposal=changed, time=proposals.stamp(now))
    return Move(changed, (event,))


def is_agreed(proposal: proposal_pb2.Proposal) -> bool:
    """Tell whether all whom the open counter concerns have agreed to it."""
    return proposal.HasField("counter") and concerned(proposal) <= set(proposal.counter.agreed)


def revised_terms(proposal: proposal_pb2.Proposal) -> list[proposal_pb2.Leg]:
    """Return the legs as the open counter wants them."""
    legs = []
    for leg in proposal.legs:
        changed = proposal_pb2.Leg()
        changed.CopyFrom(leg)
        legs.append(changed)
    for wanted in proposal.counter.legs:
        leg = legs[wanted.leg_index]
        if wanted.HasField("unit_price"):
            leg.unit_price = wanted.unit_price
        if wanted.deliveries:
            before = sum(delivery.quantity for delivery in leg.deliveries)
            del leg.deliveries[:]
            leg.deliveries.extend(wanted.deliveries)
            leg.transport = _rescaled(leg, before)
    return legs


def _rescaled(leg: proposal_pb2.Leg, before: int) -> int:
    # Transport was priced per tick (and per shipment); in proportion, rounded half up, is the
    # nearest that can be said without the policy, which may have moved on since.
    after = sum(delivery.quantity for delivery in leg.deliveries)
    return (2 * leg.transport * after + before) // (2 * before) if before else leg.transport


def revise(proposal: proposal_pb2.Proposal, now: datetime) -> Move:
    """Take the agreed counter's terms; who agreed has accepted them."""
    changed = proposals.copy(proposal, now)
    legs = revised_terms(proposal)
    accepted = {proposal.counter.party_index, *proposal.counter.agreed}
    del changed.legs[:]
    changed.legs.extend(legs)
    changed.terms_version += 1
    changed.ClearField("counter")
    for index in accepted:
        changed.parties[index].answer = Party.ANSWER_ACCEPTED
    set_totals(changed)
    proposals.close_if_agreed(changed)
    event = events_pb2.ProposalRevised(proposal=changed, time=proposals.stamp(now))
    return Move(changed, (event,))


def unfit(proposal: proposal_pb2.Proposal, now: datetime) -> Move:
    """The agreed terms do not fit the capacity that is left: the earlier terms stand."""
    changed = proposals.copy(proposal, now)
    changed.ClearField("counter")
    proposals.note(changed, now, "counter_declined", proposals.PLATFORM)
    event = events_pb2.ProposalRestored(proposal=changed, time=proposals.stamp(now))
    return Move(changed, (event,))


def refuse(proposal: proposal_pb2.Proposal, organization: str, text: str, now: datetime) -> Move:
    """A concerned party refuses the counter, or its author takes it back; the terms stand."""
    index = _open_counter(proposal, organization, now)
    _require_concern(proposal, index, or_author=True)
    changed = proposals.copy(proposal, now)
    changed.ClearField("counter")
    proposals.note(changed, now, "counter_declined", index, text)
    event = events_pb2.ProposalRestored(proposal=changed, time=proposals.stamp(now))
    return Move(changed, (event,))


def set_totals(proposal: proposal_pb2.Proposal) -> None:
    """Recompute the totals from the legs."""
    proposal.total_price = sum(leg_price(leg) for leg in proposal.legs)
    proposal.total_transport = sum(leg.transport for leg in proposal.legs)


def leg_price(leg: proposal_pb2.Leg) -> int:
    """Return the price of a leg, set-up included, transport not."""
    return leg.setup_price + leg.unit_price * sum(d.quantity for d in leg.deliveries)


def _open_counter(proposal: proposal_pb2.Proposal, organization: str, now: datetime) -> int:
    index = proposals.party_index(proposal, organization)
    proposals.require_state(proposal, {Proposal.STATE_PROPOSED}, "answered")
    proposals.require_lease(proposal, now)
    if not proposal.HasField("counter"):
        raise FailedPrecondition(reason_pb2.REASON_PROPOSAL_STATE, said(cause_pb2.CAUSE_NO_COUNTER))
    return index


def _require_concern(proposal: proposal_pb2.Proposal, index: int, *, or_author: bool) -> None:
    if index in concerned(proposal) or (or_author and index == proposal.counter.party_index):
        return
    raise FailedPrecondition(
        reason_pb2.REASON_PROPOSAL_STATE, said(cause_pb2.CAUSE_COUNTER_OF_OTHERS)
    )


def _require_sound(
    proposal: proposal_pb2.Proposal, index: int, legs: Sequence[proposal_pb2.CounterLeg]
) -> None:
    wrong: list[Violation] = []
    seen: set[int] = set()
    for position, leg in enumerate(legs):
        path = f"legs[{position}]"
        if leg.leg_index >= len(proposal.legs) or leg.leg_index in seen:
            wrong.append(Violation(path + ".leg_index", said(cause_pb2.CAUSE_NO_SUCH_LEG)))
            continue
        seen.add(leg.leg_index)
        if index != DEMANDER and proposal.legs[leg.leg_index].party_index != index:
            raise PermissionDenied(
                reason_pb2.REASON_NOT_A_PARTY, said(cause_pb2.CAUSE_OWN_LEGS_ONLY)
            )
        periods = [delivery.period for delivery in leg.deliveries]
        if len(set(periods)) != len(periods):
            wrong.append(Violation(path + ".deliveries", said(cause_pb2.CAUSE_STANDS_TWICE)))
        if not leg.HasField("unit_price") and not leg.deliveries:
            wrong.append(Violation(path, said(cause_pb2.CAUSE_COUNTER_CHANGES_NOTHING)))
    if wrong:
        raise invalid(*wrong)
