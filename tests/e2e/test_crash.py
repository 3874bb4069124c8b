"""kill -9 of each process in the middle of the market's work: nothing acknowledged is lost.

The invariant, after every kill and the healing that follows it, is ``invariants.whole``:

1. the ledger has no breach, and for each offer and period (each demand and line) the claims add
   up to the balance, which is within the capacity (the quantity): nothing is held twice;
2. every live proposal has exactly its claim, with its terms, and every claim a live proposal;
3. no proposal stays between two states (HOLDING, CONFIRMING), no round stays under way;
4. every acknowledged posting and every acknowledged answer of a party is still there;
5. a repeat with the same request id gets the same answer;
6. matching's book holds exactly the registry's open postings.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from services.chassis.errors import DomainError
from spareline.market.v1 import offer_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2, round_pb2
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e import matching_market as mm
from tests.e2e.crash import invariants
from tests.e2e.crash.market import ASIDE, CrashMarket, Killed, crash_market
from tests.e2e.crash.patience import becomes_true, granted

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]

VICTIMS = ("matching", "registry", "store", "nats")
Proposal = proposal_pb2.Proposal
Round = round_pb2.Round
Ask = Callable[[], Awaitable[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CrashMarket]:
    """One stack for all kills: what they leave behind must do no harm to the next."""
    async with crash_market(tmp_path_factory.mktemp("crash")) as running:
        yield running


async def kill_when_holding(market: CrashMarket, victim: str, ask: Ask) -> tuple[str, Killed]:
    """Kill while the round's proposals wait for their capacity.

    The registry stands still meanwhile, so the moment is met each time: the call that holds is
    under way. A killed matching never hears its answer, though the registry then carries it out;
    a killed store fails under it; a killed registry has just begun with it.
    """
    with market.frozen("registry"):
        name = await ask()

        async def waiting() -> str:
            return "" if await market.all_proposals("STATE_HOLDING") else "nothing is held yet"

        await becomes_true(waiting, 30.0)
        if victim != "registry":
            return name, await market.kill(victim)
    await asyncio.sleep(0.02)
    return name, await market.kill(victim)


@pytest.mark.parametrize("moment", ["solving", "holding"])
@pytest.mark.parametrize("victim", VICTIMS)
async def test_in_the_middle_of_a_round(market: CrashMarket, victim: str, moment: str) -> None:
    """The round ends by itself, its request names the same round again, and the invariant holds."""
    await market.post(f"{victim}-{moment}", demands=8)
    await invariants.book_is_right(market)
    request = pb.RunRoundRequest(request_id=str(uuid.uuid4()))

    async def ask() -> str:
        operation = await granted(lambda: market.operator.matching.RunRound(request))
        return str(operation.name.replace("operations/", "rounds/"))

    if moment == "solving":
        name = await ask()
        killed = await market.kill(victim)
    else:
        name, killed = await kill_when_holding(market, victim, ask)
    await killed.healed()
    done = await invariants.ended(market, name)
    assert done.state == Round.STATE_COMPLETED, done
    assert done.outcome.proposals + done.outcome.proposals_failed > 0, done
    assert await ask() == name
    await invariants.whole(market)
    checked = await granted(
        lambda: market.operator.matching.VerifyRound(pb.VerifyRoundRequest(name=name), timeout=60)
    )
    assert checked.ok, checked


@pytest.mark.parametrize("victim", VICTIMS)
async def test_in_the_middle_of_answers(market: CrashMarket, victim: str) -> None:
    """All parties answer at once, some decline; a kill in between loses and doubles nothing."""
    if len(await market.all_proposals("STATE_PROPOSED")) < 6:
        await market.post(f"{victim}-answers", demands=8)
        await invariants.book_is_right(market)
        await mm.clear(market.operator)
    proposals = (await market.all_proposals("STATE_PROPOSED"))[:12]
    assert len(proposals) >= 3
    before = len(market.answered)
    market.some_answer.clear()
    answering = asyncio.create_task(market.answer_all(proposals))
    await market.some_answer.wait()
    killed = await market.kill(victim)
    assert not answering.done(), "the kill came too late to be in the middle"
    await asyncio.gather(answering, killed.healed())
    given = [each.answer for each in market.answered[before:]]
    assert sum(not isinstance(each, DomainError) for each in given) >= len(proposals)
    await invariants.whole(market)


@pytest.mark.parametrize("victim", VICTIMS)
async def test_in_the_middle_of_an_import(market: CrashMarket, victim: str) -> None:
    """An import that breaks off is sent again as it was: each offer is there once and only once.

    Others post one by one meanwhile; what they were told stays so.
    """
    seller = market.sellers[0]
    offers = [_imported(seller, f"{victim}-{number}") for number in range(120)]
    batches = [offers[start : start + 20] for start in range(0, len(offers), 20)]
    rid = str(uuid.uuid4())
    kills: list[Killed] = []

    async def batched() -> AsyncIterator[reg.ImportOffersRequest]:
        for number, batch in enumerate(batches):
            yield reg.ImportOffersRequest(offers=batch, request_id=rid)
            if number == 2 and not kills:
                await asyncio.sleep(0.05)
                kills.append(await market.kill(victim))

    answer, _ = await asyncio.gather(
        granted(lambda: seller.registry.ImportOffers(batched())),
        market.post(f"{victim}-meanwhile", demands=6),
    )
    assert kills, "the import ended before the kill"
    await kills[0].healed()
    assert list(answer.errors) == []
    assert answer.taken + answer.unchanged == len(offers)
    again = await granted(lambda: seller.registry.ImportOffers(batched()))
    assert again == answer
    for offer in offers:
        found = await invariants.read(market, offer.name)
        assert isinstance(found, offer_pb2.Offer)
        assert (found.title, list(found.capacity)) == (offer.title, list(offer.capacity))
    await invariants.whole(market)


def _imported(seller: mm.Actor, identity: str) -> offer_pb2.Offer:
    name = f"{seller.organization}/offers/{identity}"
    offer = offer_pb2.Offer(name=name, capability=ASIDE, title=identity, unit_price=500)
    offer.capacity.add(period=mm.week(1), quantity=5)
    return offer
