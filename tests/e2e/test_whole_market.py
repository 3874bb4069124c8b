"""Whole stories of the market in one process: what firms do, and what must come of it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis import grpc_errors, mongo
from services.matching.engine import SolverProcess
from services.matching.rounds.answer import Answer
from services.matching.store.artifacts import ANSWER, INPUTS, Artifacts
from spareline.errors.v1 import reason_pb2
from spareline.market.v1 import offer_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2, round_pb2
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e import matching_market as mm

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party
Round = round_pb2.Round


@pytest_asyncio.fixture(loop_scope="module")
async def market(tmp_path: Path, solver: SolverProcess) -> AsyncIterator[mm.Market]:
    async with mm.running(tmp_path, solver) as running:
        yield running


async def refusal(call: Any) -> int:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return grpc_errors.from_rpc_error(caught.value).reason


async def balance(actor: mm.Actor, offer: offer_pb2.Offer) -> tuple[int, int]:
    """What is held and what is committed of an offer, over all periods."""
    found = await actor.registry.GetOffer(reg.GetOfferRequest(name=offer.name))
    return sum(b.held for b in found.balances), sum(b.committed for b in found.balances)


async def waits(actor: mm.Actor, after: str = "") -> proposal_pb2.Proposal:
    """The one proposal that waits for an actor; ``after``: of another round than this one."""

    async def found() -> list[proposal_pb2.Proposal]:
        return [p for p in await actor.inbox("STATE_PROPOSED") if p.round != after]

    [proposal] = await mm.eventually(found, 30)
    return proposal  # type: ignore[no-any-return]


async def test_two_firms_meet(market: mm.Market) -> None:
    """Sign up, post, try out, clear, accept, and follow it all through a restart of matching."""
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller, buyer = await market.member("seller"), await market.member("buyer")
    offer = await seller.offer("lab", [10, 10])
    await buyer.demand("test", 15)
    await mm.book_has(operator, 1, 1)

    tried = await mm.clear(operator, what_if=True)
    assert (tried.state, tried.outcome.demands_served) == (Round.STATE_COMPLETED, 1)
    assert await buyer.inbox() == []
    assert (await balance(seller, offer), (await market.check_ledger(operator)).claims) == (
        (0, 0),
        0,
    )

    done = await mm.clear(operator)
    assert done.outcome.objective == tried.outcome.objective
    proposal = await waits(buyer)
    assert await balance(seller, offer) == (15, 0)
    assert not any(party.contact.email for party in proposal.parties if not party.own)

    watch: Any = buyer.matching.WatchProposals(pb.WatchProposalsRequest(party=buyer.organization))
    seen = await watch.read()
    assert (seen.proposal.name, seen.proposal.state) == (proposal.name, Proposal.STATE_PROPOSED)
    watch.cancel()
    await buyer.accept(proposal)
    await market.stop_matching()
    await market.start_matching()
    confirmed = await seller.accept(proposal)
    assert confirmed.state == Proposal.STATE_CONFIRMED
    assert await balance(seller, offer) == (0, 15)
    for actor, other in ((seller, "buyer"), (buyer, "seller")):
        [whole] = await actor.inbox("STATE_CONFIRMED")
        [partner] = [party for party in whole.parties if not party.own]
        assert partner.contact.email == f"{other}@firm.example"

    # What happened while nobody watched comes first, in its order, and nothing of it twice.
    resumed: Any = buyer.matching.WatchProposals(
        pb.WatchProposalsRequest(party=buyer.organization, resume_token=seen.resume_token)
    )
    generations: list[int] = []
    async for change in resumed:
        if change.HasField("proposal"):
            generations.append(change.proposal.generation)
            if change.proposal.state == Proposal.STATE_CONFIRMED:
                break
    resumed.cancel()
    assert generations == sorted(set(generations))
    assert generations[0] > seen.proposal.generation

    verified = await operator.matching.VerifyRound(
        pb.VerifyRoundRequest(name=done.name, replay=True), timeout=60
    )
    assert verified.ok, verified
    assert [check.name for check in verified.checks][-1] == "replay"
    await _tampering_shows(market, operator, done.name, tried.name)


async def _tampering_shows(market: mm.Market, operator: mm.Actor, name: str, another: str) -> None:
    """Change what is stored of a round, thing by thing: verifying says so each time."""

    def less(answer: Answer) -> Answer:
        changed = answer.quantity.copy()
        changed[np.flatnonzero(changed)[0]] -= 1
        return replace(answer, quantity=changed)

    def more(answer: Answer) -> Answer:
        changed = answer.quantity.copy()
        changed[np.flatnonzero(changed)[0]] += 1000
        return replace(answer, quantity=changed)

    def cheaper(answer: Answer) -> Answer:
        prices = answer.certificate
        bent = replace(prices, slot_price=prices.slot_price + prices.scale)
        return replace(answer, certificate=bent)

    async with mongo.connect(market.mongo_url, f"matching_{market.suffix}") as database:
        artifacts = Artifacts(database["artifacts"])
        answer = await artifacts.get(name, ANSWER)
        inputs = await artifacts.get(name, INPUTS)
        other_inputs = await artifacts.get(another, INPUTS)
        assert answer is not None
        assert inputs is not None
        assert other_inputs is not None

        async def failing() -> set[str]:
            found = await operator.matching.VerifyRound(pb.VerifyRoundRequest(name=name))
            failed = {check.name for check in found.checks if not check.ok}
            assert found.ok == (not failed)
            return failed

        changes: list[tuple[Callable[[Answer], Answer], str]] = [
            (less, "objective"),
            (more, "feasible"),
            (cheaper, "bound"),
        ]
        for change, check in changes:
            await artifacts.put(name, ANSWER, change(Answer.from_bytes(answer)).to_bytes())
            assert check in await failing()
        await artifacts.put(name, ANSWER, answer)
        assert await failing() == set()


async def test_what_is_declined_is_not_proposed_again(market: mm.Market) -> None:
    """Each decline frees the capacity at once and brings the next best; terms that were turned
    down never come back, other terms of the same pair may; a lease that runs out counts the same.
    """
    operator = await market.operator()
    await mm.quiet_policy(operator)
    cheap, dear = await market.member("cheap"), await market.member("dear")
    buyer = await market.member("buyer")
    offer = await cheap.offer("lab", [10], price=50)
    costly = await dear.offer("lab", [10], price=80)
    await buyer.demand("test", 10)
    await mm.book_has(operator, 2, 1)
    await mm.clear(operator)

    first = await waits(cheap)
    await buyer.accept(first)
    declined = await cheap.decline(first, reason=proposal_pb2.DECLINE_REASON_PRICE)
    assert declined.state == Proposal.STATE_DECLINED
    assert await balance(cheap, offer) == (0, 0)
    second = await waits(dear)
    repair = await operator.matching.GetRound(pb.GetRoundRequest(name=second.round))
    assert repair.trigger == Round.TRIGGER_REPAIR

    # The buyer turns the dear one down, too: now nothing is left on these terms.
    await buyer.decline(second, reason=proposal_pb2.DECLINE_REASON_TIMING)
    assert await balance(dear, costly) == (0, 0)
    nothing = await mm.clear(operator)
    assert nothing.outcome.proposals == 0
    assert await cheap.inbox("STATE_PROPOSED") == await dear.inbox("STATE_PROPOSED") == []
    why = await buyer.matching.GetExplanation(
        pb.GetExplanationRequest(subject=f"{buyer.organization}/demands/test")
    )
    [funnel] = why.funnels
    assert {step.rule: step.count for step in funnel.steps if step.count} == {"declined": 2}

    # Another price makes a pair new again whose price was turned down, and no other; an answer
    # to it never comes.
    await mm.quiet_policy(operator, lease_seconds=10)
    for member, name, price in ((dear, costly.name, 40), (cheap, offer.name, 45)):
        stored = await member.registry.GetOffer(reg.GetOfferRequest(name=name))
        stored.unit_price = price
        await member.registry.UpdateOffer(
            reg.UpdateOfferRequest(offer=stored, update_mask=FieldMask(paths=["unit_price"]))
        )

    async def proposed() -> bool:
        return (await mm.clear(operator)).outcome.proposals == 1

    await mm.eventually(proposed)
    again = await waits(cheap)
    assert again.legs[0].unit_price == 45
    await buyer.accept(again)

    async def expired() -> bool:
        return again.name in {each.name for each in await cheap.inbox("STATE_EXPIRED")}

    await mm.eventually(expired, 30)
    assert await refusal(cheap.accept(again)) == reason_pb2.REASON_LEASE_EXPIRED

    async def free() -> bool:
        return await balance(cheap, offer) == (0, 0)

    await mm.eventually(free)
    assert (await mm.clear(operator)).outcome.proposals == 0
    assert (await market.check_ledger(operator)).claims == 0


async def test_counters_of_price_and_quantity(market: mm.Market) -> None:
    """A counter holds the capacity; refused, the terms before it stand; agreed, its own do, in the
    proposal as in the ledger."""
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller, buyer = await market.member("seller"), await market.member("buyer")
    offer = await seller.offer("lab", [10])
    await buyer.demand("test", 8)
    await mm.book_has(operator, 1, 1)
    await mm.clear(operator)
    proposal = await waits(seller)
    assert await balance(seller, offer) == (8, 0)

    async def counter(actor: mm.Actor, price: int, quantity: int) -> proposal_pb2.Proposal:
        leg = proposal_pb2.CounterLeg(leg_index=0, unit_price=price)
        leg.deliveries.add(period=mm.week(1), quantity=quantity)
        return await actor.matching.CounterProposal(
            pb.CounterProposalRequest(name=proposal.name, party=actor.organization, legs=[leg])
        )

    asked = await counter(seller, 130, 6)
    assert asked.counter.legs[0].unit_price == 130
    assert await balance(seller, offer) == (8, 0)
    kept = await buyer.matching.DeclineCounter(
        pb.DeclineCounterRequest(name=proposal.name, party=buyer.organization, note="too dear")
    )
    assert (kept.state, kept.terms_version) == (Proposal.STATE_PROPOSED, 1)
    assert not kept.HasField("counter")
    assert (kept.legs[0].unit_price, kept.total_price) == (100, 800)

    await counter(buyer, 90, 5)
    own = await buyer.matching.AcceptCounter(
        pb.AcceptCounterRequest(name=proposal.name, party=buyer.organization)
    )
    # Who asked has agreed already: without the other nothing comes of it.
    assert (own.state, own.terms_version) == (Proposal.STATE_PROPOSED, 1)
    assert own.HasField("counter")
    taken = await seller.matching.AcceptCounter(
        pb.AcceptCounterRequest(name=proposal.name, party=seller.organization)
    )
    assert (taken.state, taken.terms_version) == (Proposal.STATE_CONFIRMED, 2)
    assert (taken.legs[0].unit_price, taken.total_price) == (90, 450)
    assert await balance(seller, offer) == (0, 5)
    assert (await market.check_ledger(operator)).claims == 1
    assert await refusal(counter(seller, 95, 5)) == reason_pb2.REASON_PROPOSAL_STATE
