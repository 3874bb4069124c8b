"""An agreed proposal between two firms, as each of them sees it."""

from __future__ import annotations

from datetime import UTC, datetime

from spareline.market.v1.capability_pb2 import Capability
from spareline.matching.v1.proposal_pb2 import Proposal

MILLING = "production.machining.milling.5-axis"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def capabilities() -> dict[str, Capability]:
    found = Capability(code=MILLING)
    found.display_name.en, found.display_name.zh = "5-axis milling", "五轴铣削"
    return {MILLING: found}


def agreed(*, buying: bool = True) -> Proposal:
    made = Proposal(
        name="rounds/r1/proposals/p1",
        title="Pump housings 泵壳",
        state=Proposal.STATE_CONFIRMED,
        total_price=30 * 9000 + 50_000,
        total_transport=1234,
        generation=4,
    )
    made.update_time.FromDatetime(NOW)
    buyer = made.parties.add(display_name="湖畔泵业", side="demand", region="CN-ZJ", own=buying)
    seller = made.parties.add(
        display_name="Zhenhai Precision", side="offer", region="CN-ZJ", own=not buying
    )
    for party in (buyer, seller):
        if not party.own:
            party.contact.person, party.contact.email = "王丽", "other@firm.example"
    leg = made.legs.add(
        capability=MILLING, offer_title="五轴加工中心", unit_price=9000, setup_price=50_000
    )
    leg.party_index = 1
    leg.unit.resolution = "0.5"
    leg.unit.display_name.en, leg.unit.display_name.zh = "machine hour", "机时"
    leg.unit.plural_en = "machine hours"
    leg.deliveries.add(period="2026-W49", quantity=20)
    leg.deliveries.add(period="2026-W53", quantity=10)
    entry = made.history.add(event="confirmed", party_index=-1)
    entry.time.FromDatetime(NOW)
    return made
