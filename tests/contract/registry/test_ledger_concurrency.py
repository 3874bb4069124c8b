"""Many at once on few offers, in two copies of the service: the invariant at every instant."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.aggregates import Document
from services.chassis.errors import FailedPrecondition
from services.chassis.events import Bus
from services.chassis.mongo import Database
from services.chassis.outbox import Relay
from services.registry import convert
from services.registry.domain.ledger import Claim
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.store.capabilities import Capabilities
from services.registry.store.demands import Demands
from services.registry.store.offers import Offers
from services.registry.store.taxonomy import TaxonomyVersions
from services.registry.usecases.kinds import OFFERS
from services.registry.usecases.ledger import Ledger
from services.registry.usecases.postings import Postings
from services.registry.usecases.replay import Replay
from services.registry.usecases.sweeping import ClaimSweeper
from services.registry.usecases.taxonomy import LiveTaxonomy
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity
from spareline.market.v1.organization_pb2 import Organization
from tests.contract.registry.ledger_market import WEEKS, LedgerMarket, claim, ref

ACTORS = 16
MOVES = 15


@dataclass
class Tally:
    """What the actors were told; compared with the documents at the end."""

    committed: dict[str, Claim] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    moves: int = 0
    refused: int = 0
    shrunk: int = 0
    too_small: int = 0
    refusals_to_shrink: set[int] = field(default_factory=set)


async def require_invariant(offers: Offers, demands: Demands) -> None:
    async for document in offers.each({}):
        assert convert.offer_account(document).breaches() == []
    async for document in demands.each({}):
        assert convert.demand_account(document).breaches() == []


async def act(
    seed: int, ledger: Ledger, offers: list[str], demands: list[str], tally: Tally
) -> None:
    chance = random.Random(seed)
    mine: list[Claim] = []
    for move in range(MOVES):
        await asyncio.sleep(0)
        tally.moves += 1
        step = chance.random()
        if step < 0.5 or not mine:
            batch = []
            for number in range(chance.randint(1, 3)):
                legs = [
                    (offer, chance.randrange(3), chance.randint(1, 4))
                    for offer in chance.sample(offers, chance.randint(1, 3))
                ]
                name = f"rounds/{seed}/proposals/{move}-{number}"
                batch.append(claim(name, chance.choice(demands), *legs, expire_ms=50))
            outcome = await ledger.hold(batch)
            tally.refused += len(outcome.refusals)
            mine += [each for each in batch if each.claim not in outcome.refusals]
        elif step < 0.6:
            old = mine.pop(chance.randrange(len(mine)))
            legs = [(chance.choice(offers), chance.randrange(3), chance.randint(1, 4))]
            new = claim(old.claim, old.demand, *legs, version=old.terms.version + 1, expire_ms=50)
            outcome = await ledger.hold([new])
            mine.append(old if outcome.refusals else new)
        else:
            each = mine.pop(chance.randrange(len(mine)))
            if step < 0.8:
                outcome = await ledger.commit([ref(each)])
                assert outcome.refusals == {}, outcome.refusals
                tally.committed[each.claim] = each
            else:
                outcome = await ledger.release([ref(each)])
                assert outcome.refusals == {}, outcome.refusals
                tally.cancelled.add(each.claim)


async def resize(seed: int, postings: Postings[Offer], names: list[str], tally: Tally) -> None:
    chance = random.Random(seed)
    for _ in range(MOVES):
        name = chance.choice(names)
        given = Offer(name=name)
        given.capacity.extend(
            PeriodQuantity(period=week, quantity=chance.randint(4, 24)) for week in WEEKS
        )
        try:
            await postings.update(given, FieldMask(paths=["capacity"]), False, Replay("", ""))
            tally.shrunk += 1
        except FailedPrecondition as error:
            tally.refusals_to_shrink.add(error.reason)
            tally.too_small += 1
        await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_nothing_is_ever_promised_twice(database: Database, bus: Bus) -> None:
    market = await LedgerMarket.of(database)
    offers = await market.add_offers(5, capacity=20)
    demands = await market.add_demands(8, quantity=60)
    other = Ledger(Offers(database), Demands(database))
    tally = Tally()
    taxonomy = LiveTaxonomy(load_taxonomy(), Capabilities(database), TaxonomyVersions(database))

    async def organization(name: str) -> Organization:
        return Organization(name=name, region="CN-ZJ")

    postings = Postings(OFFERS, Offers(database), taxonomy, organization)
    done = asyncio.Event()
    watched = 0

    async def watch() -> None:
        nonlocal watched
        while not done.is_set():
            await require_invariant(market.offers, market.demands)
            watched += 1
            await asyncio.sleep(0.05)

    relay = Relay([market.offers.collection, market.demands.collection], bus.publisher)
    watching = asyncio.create_task(watch())
    relaying = asyncio.create_task(relay.run())
    try:
        await asyncio.gather(
            *(
                act(seed, (market.ledger, other)[seed % 2], offers, demands, tally)
                for seed in range(ACTORS)
            ),
            resize(991, postings, offers, tally),
            resize(992, postings, offers, tally),
        )
    finally:
        done.set()
        relaying.cancel()
        await asyncio.gather(watching, asyncio.wait([relaying]))
    await market.sound()
    await _require_committed_kept(market, tally)

    # What nobody answered runs out; what was committed stays.
    sweeper = ClaimSweeper(market.offers, market.demands, market.ledger, lambda: 10**12)
    while await sweeper.sweep():
        pass
    await market.sound()
    await _require_committed_kept(market, tally)
    left = {stored["claim"] async for stored in _stored(market)}
    assert left == set(tally.committed)
    assert watched > 10
    assert tally.refused > 20
    assert tally.committed
    assert tally.shrunk > 5
    assert tally.too_small
    assert tally.refusals_to_shrink == {reason_pb2.REASON_BELOW_COMMITTED}


async def _stored(market: LedgerMarket) -> AsyncIterator[Document]:
    for store in (market.offers, market.demands):
        async for document in store.each({}):
            for stored in document["claims"].values():
                yield stored


async def _require_committed_kept(market: LedgerMarket, tally: Tally) -> None:
    for name, each in tally.committed.items():
        parts = await market.parts(name)
        assert set(parts) == {each.demand, *each.terms.offers()}
        assert set(parts.values()) == {("committed", each.terms.version)}
