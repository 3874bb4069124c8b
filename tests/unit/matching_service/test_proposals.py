"""The state machine of a proposal, move by move."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from services.chassis.errors import DomainError
from services.matching.domain import proposals
from spareline.errors.v1 import reason_pb2
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import proposal_pb2
from tests.unit.matching_service.samples import BUYER, LEASE, MILL, MOULD, NOW, proposal

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party
OTHER = proposal_pb2.DECLINE_REASON_OTHER
GOOD = proposals.Report(Party.ANSWER_FULFILLED)
LATE = proposals.Report(Party.ANSWER_LATE, 3, "two weeks")
BAD = proposals.Report(Party.ANSWER_FAILED)


def refused(move: Callable[[], object]) -> int:
    with pytest.raises(DomainError) as caught:
        move()
    return caught.value.reason


def accepted(*organizations: str) -> Proposal:
    found = proposal()
    for organization in organizations:
        found = proposals.accept(found, organization, 0, NOW).proposal
    return found


def test_the_last_acceptance_begins_the_confirmation() -> None:
    before = accepted(BUYER, MILL)
    assert before.state == Proposal.STATE_PROPOSED
    move = proposals.accept(before, MOULD, 1, NOW)
    assert move.proposal.state == Proposal.STATE_CONFIRMING
    assert before.state == Proposal.STATE_PROPOSED, "moves must not change what they are given"
    assert [type(event) for event in move.events] == [events_pb2.ProposalAccepted]
    confirmed = proposals.confirm(move.proposal, NOW).proposal
    assert confirmed.state == Proposal.STATE_CONFIRMED
    assert confirmed.generation == proposal().generation + 4
    assert [entry.event for entry in confirmed.history] == ["accepted"] * 3 + ["confirmed"]


def test_the_same_answer_again_changes_nothing() -> None:
    found = accepted(MILL)
    again = proposals.accept(found, MILL, 1, NOW + 2 * LEASE)
    assert (again.changed, again.proposal, again.events) == (False, found, ())


def test_another_answer_is_refused() -> None:
    found = accepted(MILL)
    declines = lambda: proposals.decline(found, MILL, OTHER, "", NOW)  # noqa: E731
    assert refused(declines) == reason_pb2.REASON_ALREADY_ANSWERED
    over = proposals.decline(proposal(), MILL, OTHER, "", NOW).proposal
    assert not proposals.decline(over, MILL, OTHER, "", NOW).changed
    assert refused(lambda: proposals.accept(over, MILL, 0, NOW)) == (
        reason_pb2.REASON_ALREADY_ANSWERED
    )
    assert (
        refused(lambda: proposals.accept(over, BUYER, 0, NOW)) == reason_pb2.REASON_PROPOSAL_STATE
    )


@pytest.mark.parametrize("after", [LEASE, LEASE + timedelta(seconds=1)])
def test_a_lease_ends_by_the_clock(after: timedelta) -> None:
    late = NOW + after
    assert refused(lambda: proposals.accept(proposal(), MILL, 0, late)) == (
        reason_pb2.REASON_LEASE_EXPIRED
    )
    early = late - timedelta(seconds=2)
    assert proposals.accept(proposal(), MILL, 0, early).changed


def test_terms_that_changed_and_strangers_are_refused() -> None:
    assert refused(lambda: proposals.accept(proposal(), MILL, 2, NOW)) == (
        reason_pb2.REASON_TERMS_CHANGED
    )
    stranger = "organizations/stranger"
    assert refused(lambda: proposals.accept(proposal(), stranger, 0, NOW)) == (
        reason_pb2.REASON_NOT_A_PARTY
    )


def test_what_is_over_stays_over() -> None:
    expired = proposals.expire(proposal(), NOW).proposal
    assert refused(lambda: proposals.accept(expired, MILL, 0, NOW)) == (
        reason_pb2.REASON_LEASE_EXPIRED
    )
    for state in (Proposal.STATE_FAILED, Proposal.STATE_CANCELLED, Proposal.STATE_SUPERSEDED):
        over = proposal(state)
        assert refused(partial(proposals.expire, over, NOW)) == (reason_pb2.REASON_PROPOSAL_STATE)


def test_only_what_nobody_answered_is_superseded() -> None:
    assert proposals.supersede(proposal(), NOW, "rounds/next").proposal.state == (
        Proposal.STATE_SUPERSEDED
    )
    found = accepted(MILL)
    assert refused(lambda: proposals.supersede(found, NOW, "rounds/next")) == (
        reason_pb2.REASON_ALREADY_ANSWERED
    )


def confirmed() -> Proposal:
    return proposals.confirm(accepted(BUYER, MILL, MOULD), NOW).proposal


def test_reports_of_all_fulfil() -> None:
    found = confirmed()
    for organization in (BUYER, MOULD):
        found = proposals.report(found, organization, GOOD, NOW).proposal
    assert found.state == Proposal.STATE_CONFIRMED
    move = proposals.report(found, MILL, GOOD, NOW)
    assert move.proposal.state == Proposal.STATE_FULFILLED
    assert [type(event) for event in move.events] == [
        events_pb2.ProposalReported,
        events_pb2.ProposalFulfilled,
    ]


def test_a_late_delivery_is_told_and_fulfils() -> None:
    move = proposals.report(confirmed(), BUYER, LATE, NOW)
    assert [type(event) for event in move.events] == [
        events_pb2.ProposalReported,
        events_pb2.ProposalDelayed,
    ]
    found = move.proposal
    assert (found.parties[0].rating, found.history[-1].event) == (3, "late")
    assert not proposals.report(found, BUYER, LATE, NOW).changed
    assert refused(lambda: proposals.report(found, BUYER, GOOD, NOW)) == (
        reason_pb2.REASON_ALREADY_ANSWERED
    )
    for organization in (MILL, MOULD):
        found = proposals.report(found, organization, GOOD, NOW).proposal
    assert found.state == Proposal.STATE_FULFILLED


def test_a_decline_keeps_its_reason_beside_the_word() -> None:
    declined = proposals.decline(proposal(), MILL, OTHER, "the mill burnt down", NOW).proposal
    last = declined.history[-1]
    assert (last.reason, last.note) == (OTHER, "the mill burnt down")


@pytest.mark.parametrize(
    ("fulfilled", "state"),
    [(True, Proposal.STATE_FULFILLED), (False, Proposal.STATE_CANCELLED)],
)
def test_a_dispute_is_resolved(fulfilled: bool, state: int) -> None:
    disputed = proposals.report(confirmed(), BUYER, BAD, NOW)
    assert disputed.proposal.state == Proposal.STATE_DISPUTED
    assert events_pb2.ProposalDisputed in {type(event) for event in disputed.events}
    assert refused(lambda: proposals.report(disputed.proposal, BUYER, GOOD, NOW)) == (
        reason_pb2.REASON_ALREADY_ANSWERED
    )
    assert proposals.report(disputed.proposal, MILL, GOOD, NOW).changed
    resolved = proposals.resolve(disputed.proposal, fulfilled, "heard both", NOW)
    assert resolved.proposal.state == state
    assert not proposals.resolve(resolved.proposal, fulfilled, "again", NOW).changed
    assert refused(lambda: proposals.resolve(confirmed(), fulfilled, "", NOW)) == (
        reason_pb2.REASON_PROPOSAL_STATE
    )
