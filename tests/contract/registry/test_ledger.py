"""Claims over many documents in the real store: batches, repeats, crashes, sweeping."""

import asyncio
from contextlib import suppress

import pytest
import pytest_asyncio

from services.chassis.mongo import Database
from services.registry.usecases.ledger import Ref
from services.registry.usecases.sweeping import GRACE_MS, ClaimSweeper
from spareline.errors.v1 import reason_pb2
from spareline.events.v1 import events_pb2
from tests.contract.registry.ledger_market import Crash, LedgerMarket, claim, ref


@pytest_asyncio.fixture
async def market(database: Database) -> LedgerMarket:
    return await LedgerMarket.of(database)


async def test_a_batch_is_one_write_per_document_and_tells_the_new_balances(
    market: LedgerMarket,
) -> None:
    [mill, lathe] = await market.add_offers(2, capacity=10)
    demands = await market.add_demands(3, quantity=6)
    claims = [
        claim(f"p{i}", demand, (mill, 0, 2), (lathe, 1, 3)) for i, demand in enumerate(demands)
    ]
    outcome = await market.ledger.hold(claims)
    assert outcome.refusals == {}
    [first, second] = sorted(outcome.offers, key=lambda each: each.name)
    assert (first.generation, second.generation) == (2, 2)
    assert first.balances[0].held == 6
    assert {d.balances[0].held for d in outcome.demands} == {5}
    document = await market.offers.get(mill)
    assert document is not None
    [entry] = document["outbox"]
    event = events_pb2.OfferBalanced.FromString(entry["payload"])
    assert event.offer.balances[0].held == 6
    assert event.offer.generation == 2
    await market.sound()


async def test_what_fails_anywhere_is_taken_back_everywhere(market: LedgerMarket) -> None:
    [mill, lathe] = await market.add_offers(2, capacity=10)
    [demand] = await market.add_demands(1, quantity=30)
    outcome = await market.ledger.hold([claim("p", demand, (mill, 0, 5), (lathe, 0, 11))])
    assert outcome.refusals["p"].reason == reason_pb2.REASON_CAPACITY_EXCEEDED
    assert lathe in outcome.refusals["p"].message
    assert await market.parts("p") == {}
    await market.sound()


async def test_earlier_claims_of_a_batch_come_first(market: LedgerMarket) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    demands = await market.add_demands(3, quantity=6)
    outcome = await market.ledger.hold(
        [claim(f"p{i}", demand, (mill, 0, 5)) for i, demand in enumerate(demands)]
    )
    assert set(outcome.refusals) == {"p2"}


async def test_a_claim_does_not_fail_for_what_a_failed_one_gave_back(market: LedgerMarket) -> None:
    [mill, lathe] = await market.add_offers(2, capacity=10)
    demands = await market.add_demands(2, quantity=30)
    outcome = await market.ledger.hold(
        [
            claim("fails", demands[0], (mill, 0, 9), (lathe, 0, 11)),
            claim("fits", demands[1], (mill, 0, 8)),
        ]
    )
    assert set(outcome.refusals) == {"fails"}
    assert await market.taken(mill) == 8


async def test_a_posting_that_is_not_there_is_named(market: LedgerMarket) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    [demand] = await market.add_demands(1, quantity=5)
    gone = "organizations/nobody/offers/none"
    outcome = await market.ledger.hold(
        [
            claim("p", demand, (mill, 0, 1), (gone, 0, 1)),
            claim("q", "organizations/nobody/demands/none", (mill, 0, 1)),
        ]
    )
    assert {r.reason for r in outcome.refusals.values()} == {reason_pb2.REASON_NOT_FOUND}
    assert gone in outcome.refusals["p"].message
    assert await market.taken(mill) == 0


async def test_a_demand_is_matched_when_nothing_is_open_and_open_again_when_freed(
    market: LedgerMarket,
) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    [demand] = await market.add_demands(1, quantity=5)
    held = claim("p", demand, (mill, 0, 5))
    outcome = await market.ledger.hold([held])
    assert outcome.demands[0].state == outcome.demands[0].STATE_MATCHED
    outcome = await market.ledger.release([ref(held)])
    assert outcome.demands[0].state == outcome.demands[0].STATE_OPEN


async def test_every_call_may_come_twice(market: LedgerMarket) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    [demand] = await market.add_demands(1, quantity=5)
    each = claim("p", demand, (mill, 0, 5))
    for _ in range(2):
        assert (await market.ledger.hold([each])).refusals == {}
    for _ in range(2):
        assert (await market.ledger.commit([ref(each)])).refusals == {}
    document = await market.offers.get(mill)
    assert document is not None
    assert document["revision"] == 3
    refused = await market.ledger.release([ref(each)])
    assert refused.refusals["p"].reason == reason_pb2.REASON_CLAIM_COMMITTED
    for _ in range(2):
        assert (await market.ledger.release([ref(each)], cancel=True)).refusals == {}
    assert await market.parts("p") == {}


async def test_a_commit_needs_the_claim_everywhere_and_names_where_it_is_not(
    market: LedgerMarket,
) -> None:
    [mill, lathe] = await market.add_offers(2, capacity=10)
    [demand] = await market.add_demands(1, quantity=9)
    each = claim("p", demand, (mill, 0, 2), (lathe, 0, 2))
    await market.ledger.hold([each])
    await market.ledger.drop_part(lathe, "p")
    outcome = await market.ledger.commit([ref(each), Ref("q", demand, (mill,), 1)])
    assert {r.reason for r in outcome.refusals.values()} == {reason_pb2.REASON_CLAIM_UNKNOWN}
    assert lathe in outcome.refusals["p"].message
    assert {state for state, _ in (await market.parts("p")).values()} == {"held"}


async def test_a_higher_version_replaces_the_terms_whole(market: LedgerMarket) -> None:
    [mill, lathe, saw] = await market.add_offers(3, capacity=10)
    [demand] = await market.add_demands(1, quantity=9)
    await market.ledger.hold([claim("p", demand, (mill, 0, 4), (lathe, 0, 4))])
    better = claim("p", demand, (lathe, 1, 3), (saw, 0, 5), version=2)
    assert (await market.ledger.hold([better])).refusals == {}
    assert [await market.taken(each) for each in (mill, lathe, saw)] == [0, 3, 5]
    assert set((await market.parts("p")).values()) == {("held", 2)}
    older = await market.ledger.hold([claim("p", demand, (mill, 0, 4), (lathe, 0, 4))])
    assert older.refusals["p"].reason == reason_pb2.REASON_TERMS_CHANGED
    await market.sound()


async def test_a_replacement_that_does_not_fit_leaves_the_terms_as_they_were(
    market: LedgerMarket,
) -> None:
    [mill, lathe] = await market.add_offers(2, capacity=10)
    [demand] = await market.add_demands(1, quantity=30)
    first = claim("p", demand, (mill, 0, 4))
    await market.ledger.hold([first])
    outcome = await market.ledger.hold(
        [claim("p", demand, (mill, 1, 4), (lathe, 0, 11), version=2)]
    )
    assert outcome.refusals["p"].reason == reason_pb2.REASON_CAPACITY_EXCEEDED
    assert set((await market.parts("p")).values()) == {("held", 1)}
    assert (await market.ledger.commit([ref(first)])).refusals == {}
    await market.sound()


@pytest.mark.parametrize("writes", range(4))
async def test_a_hold_cut_off_is_completed_by_the_next_and_freed_by_a_release(
    market: LedgerMarket, writes: int
) -> None:
    offers = await market.add_offers(4, capacity=10)
    [demand] = await market.add_demands(1, quantity=20)
    each = claim("p", demand, *((offer, 0, 3) for offer in offers))
    market.offers.writes_left = writes
    with pytest.raises(Crash):
        await market.ledger.hold([each])
    assert len(await market.parts("p")) == 1 + writes
    await market.sound()
    market.offers.writes_left = 1000
    assert (await market.ledger.hold([each])).refusals == {}
    assert len(await market.parts("p")) == 5
    await market.sound()
    market.offers.writes_left = writes
    with pytest.raises(Crash):
        await market.ledger.release([ref(each)])
    await market.sound()
    market.offers.writes_left = 1000
    assert (await market.ledger.release([ref(each)])).refusals == {}
    assert await market.parts("p") == {}


@pytest.mark.parametrize("writes", range(6))
async def test_a_replacement_cut_off_is_completed_or_given_up_for_the_terms_before(
    market: LedgerMarket, writes: int
) -> None:
    offers = await market.add_offers(4, capacity=10)
    [demand, other] = await market.add_demands(2, quantity=20)
    first = claim("p", demand, (offers[0], 0, 3), (offers[1], 0, 3))
    second = claim("p", demand, (offers[1], 1, 5), (offers[2], 0, 5), (offers[3], 0, 5), version=2)
    await market.ledger.hold([first])
    market.offers.writes_left = writes
    with suppress(Crash):
        await market.ledger.hold([second])
    market.offers.writes_left = 1000
    whole = claim("q", other, *((offer, 2, 4) for offer in offers))
    assert (await market.ledger.hold([whole])).refusals == {}
    await market.sound()
    if writes % 2:
        assert (await market.ledger.hold([second])).refusals == {}
        assert (await market.ledger.commit([ref(second)])).refusals == {}
        assert [await market.taken(offer) for offer in offers] == [4, 9, 9, 9]
    elif (await market.ledger.commit([ref(first)])).refusals == {}:
        assert [await market.taken(offer) for offer in offers] == [7, 7, 4, 4]
    await market.sound()


@pytest.mark.parametrize("writes", range(3))
async def test_a_commit_cut_off_is_completed_by_the_next_or_by_the_sweeper(
    market: LedgerMarket, writes: int
) -> None:
    offers = await market.add_offers(3, capacity=10)
    demands = await market.add_demands(2, quantity=20)
    for demand, healer in zip(demands, ("call", "sweeper"), strict=True):
        each = claim(f"p-{healer}", demand, *((o, 0, 3) for o in offers), expire_ms=5000)
        market.offers.writes_left = 1000
        await market.ledger.hold([each])
        market.offers.writes_left = writes
        with pytest.raises(Crash):
            await market.ledger.commit([ref(each)])
        market.offers.writes_left = 1000
        if healer == "call":
            assert (await market.ledger.commit([ref(each)])).refusals == {}
        else:
            await sweeper(market, 5000 + GRACE_MS + 1).sweep()
        states = {state for state, _ in (await market.parts(each.claim)).values()}
        assert states == {"committed"}
        assert len(await market.parts(each.claim)) == 4
    await market.sound()


@pytest.mark.parametrize("writes", range(3))
async def test_a_cancellation_cut_off_is_completed_by_the_next(
    market: LedgerMarket, writes: int
) -> None:
    offers = await market.add_offers(3, capacity=10)
    [demand] = await market.add_demands(1, quantity=20)
    each = claim("p", demand, *((offer, 0, 3) for offer in offers))
    await market.ledger.hold([each])
    await market.ledger.commit([ref(each)])
    market.offers.writes_left = writes
    with pytest.raises(Crash):
        await market.ledger.release([ref(each)], cancel=True)
    report = await market.check.run()
    assert len(report.breaches) == 3 - writes  # the check sees what only half went
    market.offers.writes_left = 1000
    await market.ledger.release([ref(each)], cancel=True)
    assert await market.parts("p") == {}
    await market.sound()


def sweeper(market: LedgerMarket, now_ms: int) -> ClaimSweeper:
    return ClaimSweeper(market.offers, market.demands, market.ledger, lambda: now_ms)


async def test_the_sweeper_frees_what_has_run_out_and_nothing_else(market: LedgerMarket) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    demands = await market.add_demands(3, quantity=3)
    over = claim("over", demands[0], (mill, 0, 3), expire_ms=4000)
    later = claim("later", demands[1], (mill, 0, 3), expire_ms=9000)
    kept = claim("kept", demands[2], (mill, 0, 3), expire_ms=4000)
    await market.ledger.hold([over, later, kept])
    await market.ledger.commit([ref(kept)])
    assert await sweeper(market, 4001).sweep() == 1
    assert await market.parts("over") == {}
    assert len(await market.parts("later")) == 2
    assert len(await market.parts("kept")) == 2
    assert await sweeper(market, 4001).sweep() == 0
    await market.sound()


@pytest.mark.parametrize("writes", range(3))
async def test_the_sweeper_heals_holds_and_releases_that_were_cut_off(
    market: LedgerMarket, writes: int
) -> None:
    offers = await market.add_offers(3, capacity=10)
    demands = await market.add_demands(2, quantity=20)
    half_held = claim("held", demands[0], *((o, 0, 3) for o in offers), expire_ms=4000)
    half_freed = claim("freed", demands[1], *((o, 0, 3) for o in offers), expire_ms=4000)
    await market.ledger.hold([half_freed])
    market.offers.writes_left = writes
    with pytest.raises(Crash):
        await market.ledger.hold([half_held])
    market.offers.writes_left = writes
    with pytest.raises(Crash):
        await market.ledger.release([ref(half_freed)])
    market.offers.writes_left = 1000
    await sweeper(market, 4000 + GRACE_MS + 1).sweep()
    assert await market.parts("held") == {}
    assert await market.parts("freed") == {}
    assert [await market.taken(offer) for offer in offers] == [0, 0, 0]


async def test_a_breach_in_a_document_is_reported(market: LedgerMarket) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    [demand] = await market.add_demands(1, quantity=9)
    await market.ledger.hold([claim("p", demand, (mill, 0, 9))])
    document = await market.offers.get(mill)
    assert document is not None
    [key] = document["claims"]
    await market.offers.collection.update_one(
        {"_id": mill}, {"$set": {f"claims.{key}.legs": [[mill, "part", "2026-W48", 11]]}}
    )
    report = await market.check.run()
    assert report.breaches == [f"{mill}: 11 held + 0 committed exceed 10 in 2026-W48"]
    assert (report.offers, report.demands, report.claims) == (1, 1, 1)


async def test_two_who_hold_the_same_claim_at_once_hold_it_once(market: LedgerMarket) -> None:
    [mill] = await market.add_offers(1, capacity=10)
    [demand] = await market.add_demands(1, quantity=9)
    each = claim("p", demand, (mill, 0, 7))
    outcomes = await asyncio.gather(*(market.ledger.hold([each]) for _ in range(8)))
    assert all(outcome.refusals == {} for outcome in outcomes)
    assert await market.taken(mill) == 7
