"""Proposals to try things on."""

from datetime import UTC, datetime, timedelta

from services.matching.domain.proposals import stamp
from spareline.matching.v1 import proposal_pb2

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LEASE = timedelta(hours=48)

BUYER, MILL, MOULD = "organizations/buyer", "organizations/mill", "organizations/mould"


def proposal(
    state: proposal_pb2.Proposal.State.ValueType = proposal_pb2.Proposal.STATE_PROPOSED,
) -> proposal_pb2.Proposal:
    """A demander, and two offerers of whom the first has two legs."""
    made = proposal_pb2.Proposal(
        name="rounds/r/proposals/p",
        round="rounds/r",
        demand=f"{BUYER}/demands/chain",
        title="A chain",
        state=state,
        terms_version=1,
        generation=1,
        lease_expire_time=stamp(NOW + LEASE),
        create_time=stamp(NOW),
        update_time=stamp(NOW),
    )
    for organization, side in ((BUYER, "demand"), (MILL, "offer"), (MOULD, "offer")):
        party = made.parties.add(organization=organization, side=side, region="CN-ZJ")
        party.display_name = organization.removeprefix("organizations/").title()
        party.contact.email = f"{party.display_name}@firm.example"
    for line, offer, index, price in (
        ("a", f"{MILL}/offers/one", 1, 100),
        ("b", f"{MOULD}/offers/two", 2, 70),
        ("c", f"{MILL}/offers/three", 1, 30),
    ):
        leg = made.legs.add(
            offer=offer, line=line, party_index=index, unit_price=price, setup_price=5, transport=8
        )
        leg.deliveries.add(period="2026-W49", quantity=4)
    made.total_price = 4 * 200 + 15
    made.total_transport = 24
    return made


def counter_leg(
    index: int, *, price: int | None = None, quantity: int = 0
) -> proposal_pb2.CounterLeg:
    """New terms of one leg."""
    leg = proposal_pb2.CounterLeg(leg_index=index)
    if price is not None:
        leg.unit_price = price
    if quantity:
        leg.deliveries.add(period="2026-W50", quantity=quantity)
    return leg
