"""Who sees what of a proposal."""

import pytest

from services.matching import redact
from services.matching.domain import counters
from spareline.market.v1 import disclosure_pb2, organization_pb2
from spareline.matching.v1 import proposal_pb2
from tests.unit.matching_service.samples import BUYER, MILL, MOULD, NOW, counter_leg, proposal

Proposal = proposal_pb2.Proposal
HIDES = disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION


def organizations(hidden: str = "") -> redact.Organizations:
    def known(name: str) -> organization_pb2.Organization:
        found = organization_pb2.Organization(name=name, pseudonym=f"Firm {name[-2:]}")
        found.contact.email = "today@firm.example"
        if name == hidden:
            found.identity_disclosure = HIDES
        return found

    return known


def test_the_demander_sees_all_legs_and_no_contacts() -> None:
    seen = redact.for_party(proposal(), BUYER, frozenset(), organizations())
    assert len(seen.legs) == 3
    assert [party.own for party in seen.parties] == [True, False, False]
    assert not any(party.HasField("contact") for party in seen.parties)


def test_an_offerer_sees_its_own_legs_and_their_price() -> None:
    seen = redact.for_party(proposal(), MILL, frozenset(), organizations())
    assert [leg.line for leg in seen.legs] == ["a", "c"]
    assert seen.total_price == 4 * 130 + 10
    assert "two" not in str(seen), "nothing of another offerer's leg is left"


@pytest.mark.parametrize("how", ["by the organization", "by the posting"])
def test_a_hidden_party_is_a_pseudonym_until_confirmation(how: str) -> None:
    hidden = frozenset({2}) if how == "by the posting" else frozenset()
    book = organizations(MOULD if how == "by the organization" else "")
    seen = redact.for_party(proposal(), BUYER, hidden, book)
    assert (seen.parties[2].organization, seen.parties[2].display_name) == ("", "Firm ld")
    assert seen.parties[2].region == "CN-ZJ"
    assert [leg.offer for leg in seen.legs][1] == ""
    assert MOULD not in str(seen)
    own = redact.for_party(proposal(), MOULD, hidden, book)
    assert own.parties[2].organization == MOULD
    after = redact.for_party(proposal(Proposal.STATE_CONFIRMED), BUYER, hidden, book)
    assert after.parties[2].organization == MOULD
    assert after.parties[2].contact.email == "today@firm.example"


def test_a_hidden_demander_has_an_alias() -> None:
    seen = redact.for_party(proposal(), MILL, frozenset({0}), organizations())
    assert (seen.demand, seen.demand_alias) == ("", "Firm er")
    assert BUYER not in str(seen)


@pytest.mark.parametrize(
    "state",
    [
        Proposal.STATE_PROPOSED,
        Proposal.STATE_DECLINED,
        Proposal.STATE_EXPIRED,
        Proposal.STATE_CONFIRMING,
        Proposal.STATE_CANCELLED,
    ],
)
def test_contacts_are_for_those_who_agreed(state: proposal_pb2.Proposal.State.ValueType) -> None:
    for reader in (BUYER, MILL):
        seen = redact.for_party(proposal(state), reader, frozenset(), organizations())
        assert "@" not in str(seen)


def test_an_operator_sees_all_but_contacts() -> None:
    seen = redact.for_operator(proposal(Proposal.STATE_CONFIRMED))
    assert "@" not in str(seen)
    assert [leg.offer for leg in seen.legs] == [leg.offer for leg in proposal().legs]


def test_a_counter_is_told_in_the_legs_that_a_reader_sees() -> None:
    asked = [counter_leg(2, price=33), counter_leg(1, price=71)]
    found = counters.counter(proposal(), BUYER, asked, "", NOW).proposal
    seen = redact.for_party(found, MILL, frozenset(), organizations())
    [leg] = seen.counter.legs
    assert (leg.leg_index, leg.unit_price) == (1, 33)
    assert redact.legs_seen(found, MILL) == [0, 2]


def test_a_counter_between_others_is_not_seen() -> None:
    found = counters.counter(proposal(), MOULD, [counter_leg(1, price=71)], "", NOW).proposal
    seen = redact.for_party(found, MILL, frozenset(), organizations())
    assert not seen.HasField("counter")


def test_a_rating_is_read_by_others_once_all_have_reported() -> None:
    found = proposal(Proposal.STATE_CONFIRMED)
    found.parties[0].rating, found.parties[0].answer = 2, proposal_pb2.Party.ANSWER_LATE
    own = redact.for_party(found, BUYER, frozenset(), organizations())
    early = redact.for_party(found, MILL, frozenset(), organizations())
    assert (own.parties[0].rating, early.parties[0].rating) == (2, 0)
    for party in found.parties[1:]:
        party.answer = proposal_pb2.Party.ANSWER_FULFILLED
    assert redact.for_party(found, MILL, frozenset(), organizations()).parties[0].rating == 2
