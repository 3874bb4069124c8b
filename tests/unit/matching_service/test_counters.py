"""Counters: whom they concern, what they change, and when they are refused."""

import pytest

from services.chassis.errors import DomainError
from services.matching.domain import counters, proposals
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import proposal_pb2
from tests.unit.matching_service.samples import (
    BUYER,
    LEASE,
    MILL,
    MOULD,
    NOW,
    counter_leg,
    proposal,
)

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party


def countered(by: str, *legs: proposal_pb2.CounterLeg, of: Proposal | None = None) -> Proposal:
    return counters.counter(of or proposal(), by, legs, "please", NOW).proposal


def test_an_offerers_counter_concerns_the_demander_alone() -> None:
    found = countered(MILL, counter_leg(0, price=110))
    assert counters.concerned(found) == {0}
    assert counters.waits_for(found) == {0}
    agreed = counters.agree(found, BUYER, NOW).proposal
    assert counters.is_agreed(agreed)
    revised = counters.revise(agreed, NOW).proposal
    assert revised.legs[0].unit_price == 110
    assert revised.terms_version == 2
    assert revised.total_price == proposal().total_price + 4 * 10
    assert [party.answer for party in revised.parties] == [
        Party.ANSWER_ACCEPTED,
        Party.ANSWER_ACCEPTED,
        Party.ANSWER_UNSPECIFIED,
    ]
    done = proposals.accept(revised, MOULD, 2, NOW).proposal
    assert done.state == Proposal.STATE_CONFIRMING


def test_a_demanders_counter_concerns_whose_legs_it_changes() -> None:
    accepted = proposals.accept(proposal(), MOULD, 0, NOW).proposal
    found = countered(BUYER, counter_leg(0, price=90), counter_leg(1, quantity=3), of=accepted)
    assert counters.concerned(found) == {1, 2}
    half = counters.agree(found, MILL, NOW).proposal
    assert not counters.is_agreed(half)
    assert counters.waits_for(half) == {2}, "who accepted other terms of its own is asked again"
    whole = counters.agree(half, MOULD, NOW).proposal
    revised = counters.revise(whole, NOW).proposal
    assert revised.state == Proposal.STATE_CONFIRMING
    assert [d.period for d in revised.legs[1].deliveries] == ["2026-W50"]
    assert revised.legs[1].transport == 6, "3 of 4 ticks travel"


def test_who_accepted_before_and_is_not_concerned_stays_accepted() -> None:
    accepted = proposals.accept(proposal(), MOULD, 0, NOW).proposal
    found = counters.agree(countered(MILL, counter_leg(2, price=1), of=accepted), BUYER, NOW)
    assert counters.revise(found.proposal, NOW).proposal.state == Proposal.STATE_CONFIRMING


def test_a_refused_counter_leaves_the_terms() -> None:
    found = countered(MILL, counter_leg(0, price=110))
    for refuser in (BUYER, MILL):  # its author may take it back
        restored = counters.refuse(found, refuser, "no", NOW).proposal
        assert not restored.HasField("counter")
        assert list(restored.legs) == list(proposal().legs)
        assert restored.terms_version == 1
        assert proposals.accept(restored, BUYER, 1, NOW).changed


def test_an_open_counter_comes_before_an_acceptance() -> None:
    found = countered(MILL, counter_leg(0, price=110))
    with pytest.raises(DomainError) as refused:
        proposals.accept(found, BUYER, 0, NOW)
    assert refused.value.reason == reason_pb2.REASON_PROPOSAL_STATE


def test_a_concerned_party_may_counter_the_counter() -> None:
    found = countered(MILL, counter_leg(0, price=110))
    back = countered(BUYER, counter_leg(0, price=104), of=found)
    assert back.counter.party == BUYER
    assert counters.concerned(back) == {1}
    assert [entry.event for entry in back.history] == ["countered", "counter_declined", "countered"]
    with pytest.raises(DomainError) as refused:
        countered(MOULD, counter_leg(1, price=1), of=found)
    assert refused.value.reason == reason_pb2.REASON_PROPOSAL_STATE


@pytest.mark.parametrize(
    ("by", "legs", "reason"),
    [
        (MILL, [counter_leg(1, price=1)], reason_pb2.REASON_NOT_A_PARTY),
        (BUYER, [counter_leg(3, price=1)], reason_pb2.REASON_FIELD_INVALID),
        (
            BUYER,
            [counter_leg(0, price=1), counter_leg(0, price=2)],
            reason_pb2.REASON_FIELD_INVALID,
        ),
        (BUYER, [counter_leg(0)], reason_pb2.REASON_FIELD_INVALID),
    ],
)
def test_unsound_counters_are_refused(
    by: str, legs: list[proposal_pb2.CounterLeg], reason: int
) -> None:
    with pytest.raises(DomainError) as refused:
        countered(by, *legs)
    assert refused.value.reason == reason


def test_a_counter_ends_with_the_lease() -> None:
    found = countered(MILL, counter_leg(0, price=110))
    with pytest.raises(DomainError) as refused:
        counters.agree(found, BUYER, NOW + LEASE)
    assert refused.value.reason == reason_pb2.REASON_LEASE_EXPIRED
