"""Deliveries that nobody reports: who is reminded, when, and that it is once."""

from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.errors import FailedPrecondition
from services.matching.domain import overdue, proposals
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import proposal_pb2
from tests.unit.matching_service.samples import BUYER, MILL, MOULD, NOW, proposal

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party
GOOD = proposals.Report(Party.ANSWER_FULFILLED)
# The last week is 2026-W49, which ends with 6 December.
DUE = datetime(2026, 12, 7, tzinfo=UTC) + overdue.GRACE


def confirmed() -> Proposal:
    found = proposal(Proposal.STATE_CONFIRMED)
    for party in found.parties:
        party.answer = Party.ANSWER_ACCEPTED
    return found


def test_the_grace_begins_when_the_last_week_of_all_legs_ends() -> None:
    found = confirmed()
    assert overdue.reminder_time(found) == DUE
    found.legs[1].deliveries.add(period="2026-W53", quantity=1)
    assert overdue.reminder_time(found) == datetime(2027, 1, 4, tzinfo=UTC) + overdue.GRACE


def test_a_reminder_is_told_once() -> None:
    move = overdue.remind(confirmed(), DUE)
    assert [type(event) for event in move.events] == [events_pb2.ProposalOverdue]
    assert (move.proposal.history[-1].event, move.proposal.history[-1].party_index) == (
        "overdue",
        -1,
    )
    assert overdue.reminder_time(move.proposal) is None
    assert not overdue.remind(move.proposal, DUE).changed


def test_who_has_reported_is_not_waited_for() -> None:
    found = confirmed()
    for organization in (BUYER, MILL):
        found = proposals.report(found, organization, GOOD, NOW).proposal
        assert overdue.reminder_time(found) == DUE
    assert [found.parties[i].organization for i in overdue.silent(found)] == [MOULD]
    done = proposals.report(found, MOULD, GOOD, NOW).proposal
    assert overdue.reminder_time(done) is None


@pytest.mark.parametrize(
    "state", [Proposal.STATE_PROPOSED, Proposal.STATE_DISPUTED, Proposal.STATE_CANCELLED]
)
def test_only_what_is_agreed_and_not_disputed_is_reminded_of(
    state: Proposal.State.ValueType,
) -> None:
    found = confirmed()
    found.state = state
    assert overdue.reminder_time(found) is None
    with pytest.raises(FailedPrecondition):
        overdue.remind(found, NOW + timedelta(days=90))
