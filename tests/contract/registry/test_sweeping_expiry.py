"""Postings whose time is over: expired by themselves, some days after their last period."""

from datetime import UTC, datetime

import pytest

from services.chassis.mongo import Database
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.store.capabilities import Capabilities
from services.registry.store.taxonomy import TaxonomyVersions
from services.registry.usecases.kinds import DEMANDS, OFFERS
from services.registry.usecases.postings import Postings
from services.registry.usecases.replay import Replay
from services.registry.usecases.sweeping import ExpirySweeper
from services.registry.usecases.taxonomy import LiveTaxonomy
from spareline.market.v1.organization_pb2 import Organization
from tests.contract.registry.ledger_market import LedgerMarket, claim, ref

# The last period of the market is 2026-W50: it is over on Monday, 14 December.
FRIDAY_AFTER = datetime(2026, 12, 18, 12, tzinfo=UTC)
SUNDAY_WEEK = datetime(2026, 12, 20, 23, 59, tzinfo=UTC)
MONDAY_WEEK = datetime(2026, 12, 21, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "now", "expired"),
    [
        (7, FRIDAY_AFTER, 0),
        (7, SUNDAY_WEEK, 0),
        (7, MONDAY_WEEK, 4),
        (1, FRIDAY_AFTER, 4),
        (0, datetime(2030, 1, 1, tzinfo=UTC), 0),
    ],
)
async def test_what_is_over_expires_after_the_days_that_were_set(
    database: Database, days: int, now: datetime, expired: int
) -> None:
    market = await LedgerMarket.of(database)
    offers = await market.add_offers(3, capacity=5)
    demands = await market.add_demands(2, quantity=5)
    taxonomy = LiveTaxonomy(load_taxonomy(), Capabilities(database), TaxonomyVersions(database))

    async def organization(name: str) -> Organization:
        return Organization(name=name)

    offer_calls = Postings(OFFERS, market.offers, taxonomy, organization)
    demand_calls = Postings(DEMANDS, market.demands, taxonomy, organization)
    kept = claim("p", demands[0], (offers[0], 0, 5))
    await market.ledger.hold([kept])
    await market.ledger.commit([ref(kept)])
    await offer_calls.withdraw(offers[1], "", Replay("", ""))
    sweeper = ExpirySweeper([offer_calls, demand_calls], days, lambda: now)
    assert await sweeper.sweep() == expired
    assert await sweeper.sweep() == 0
    document = await market.offers.get(offers[0])
    assert document is not None
    assert document["state"] == ("STATE_EXPIRED" if expired else "STATE_OPEN")
    withdrawn = await market.offers.get(offers[1])
    assert withdrawn is not None
    assert withdrawn["state"] == "STATE_WITHDRAWN"
    assert len(await market.parts("p")) == 2
    await market.sound()
