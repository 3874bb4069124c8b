"""What the first page says of an offer's next weeks."""

from __future__ import annotations

from services.gateway.handlers.home import outlook
from spareline.market.v1.offer_pb2 import Offer

WEEKS = ("2026-W49", "2026-W50", "2026-W51")


def test_the_free_part_of_the_next_weeks_is_told_with_what_it_would_earn() -> None:
    offer = Offer(unit_price=9_000)  # minor units per tick
    offer.balances.add(period="2026-W49", capacity=20, held=5, committed=10)
    offer.balances.add(period="2026-W51", capacity=8)
    offer.balances.add(period="2027-W20", capacity=100)  # later than these weeks
    found = outlook(offer, WEEKS)
    assert (found.free, found.held, found.committed) == (13, 5, 10)
    assert [week.capacity for week in found.weeks] == [20, 0, 8]
    assert found.worth == 13 * 9_000
