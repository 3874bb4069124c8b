"""From posted offers and demands to accepted proposals, over real gRPC, bus and store."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.longrunning import operations_pb2
from pymongo.errors import AutoReconnect

from services.chassis import grpc_errors
from services.chassis.errors import DomainError
from services.matching.engine import SolverProcess
from services.matching.store.artifacts import ANSWER, Artifacts
from services.matching.store.proposals import Draft, Proposals
from spareline.errors.v1 import reason_pb2
from spareline.market.v1 import disclosure_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2, round_pb2
from spareline.registry.v1 import registry_service_pb2 as reg
from spareline.registry.v1 import registry_service_pb2 as registry
from tests.e2e import matching_market as mm

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

Proposal = proposal_pb2.Proposal
Round = round_pb2.Round


@pytest_asyncio.fixture(loop_scope="module")
async def market(tmp_path: Path, solver: SolverProcess) -> AsyncIterator[mm.Market]:
    async with mm.running(tmp_path, solver) as running:
        yield running


def reason(error: grpc.aio.AioRpcError) -> int:
    translated = grpc_errors.from_rpc_error(error)
    assert isinstance(translated, DomainError)
    return translated.reason


async def test_the_whole_life(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller = await market.member("seller")
    hidden = await market.member(
        "hidden", identity_disclosure=disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION
    )
    buyer = await market.member("buyer")
    offer = await seller.offer("lab", [10, 10])
    await hidden.offer("lab", [10], price=90)
    await buyer.demand("test", 25)
    await mm.book_has(operator, 2, 1)

    done = await mm.clear(operator)
    assert done.state == Round.STATE_COMPLETED, done.failure
    assert (done.outcome.proposals, done.outcome.proposals_failed) == (1, 0)

    [proposal] = await buyer.inbox()
    assert proposal.state == Proposal.STATE_PROPOSED
    assert len(proposal.legs) == 2
    assert proposal.parties[0].own
    secret = next(p for p in proposal.parties[1:] if not p.organization)
    assert secret.display_name != "Hidden"
    assert not secret.contact.email
    [seen] = await seller.inbox()
    assert len(seen.legs) == 1
    assert seen.total_price < proposal.total_price

    # A platform follows along: it sees the proposal, then what becomes of it.
    watch: Any = buyer.matching.WatchProposals(pb.WatchProposalsRequest(party=buyer.organization))
    first = await watch.read()
    assert first.proposal.name == proposal.name

    rid = mm.request_id()
    accepted = await buyer.accept(proposal, request_id=rid)
    assert accepted.parties[0].answer == proposal_pb2.Party.ANSWER_ACCEPTED
    again = await buyer.accept(proposal, request_id=rid)
    assert again == accepted
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await buyer.decline(proposal)
    assert reason(refused.value) == reason_pb2.REASON_ALREADY_ANSWERED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await seller.accept(proposal, terms_version=7)
    assert reason(refused.value) == reason_pb2.REASON_TERMS_CHANGED
    await seller.accept(proposal)
    confirmed = await hidden.accept(proposal)
    assert confirmed.state == Proposal.STATE_CONFIRMED
    [whole] = await buyer.inbox("STATE_CONFIRMED")
    assert {party.display_name for party in whole.parties} == {"Seller", "Hidden", "Buyer"}
    assert all(party.contact.email for party in whole.parties[1:])

    change = await watch.read()
    token = first.resume_token
    while change.proposal.state != Proposal.STATE_CONFIRMED:
        token = change.resume_token or token
        change = await watch.read()
    watch.cancel()
    resumed: Any = buyer.matching.WatchProposals(
        pb.WatchProposalsRequest(party=buyer.organization, resume_token=token)
    )
    assert (await resumed.read()).proposal.state == Proposal.STATE_CONFIRMED
    resumed.cancel()

    await market.check_ledger(operator)
    balance = await seller.registry.GetOffer(reg.GetOfferRequest(name=offer.name))
    assert sum(b.committed for b in balance.balances) + 10 == 25
    assert sum(b.held for b in balance.balances) == 0

    for party in (buyer, seller, hidden):
        done_with = await party.matching.ReportProposal(
            pb.ReportProposalRequest(name=proposal.name, party=party.organization, fulfilled=True)
        )
    assert done_with.state == Proposal.STATE_FULFILLED

    checked = await operator.matching.VerifyRound(
        pb.VerifyRoundRequest(name=done.name, replay=True), timeout=60
    )
    assert checked.ok, checked
    operation = await operator.operations.GetOperation(
        operations_pb2.GetOperationRequest(name=done.name.replace("rounds/", "operations/"))
    )
    assert operation.done
    unpacked = Round()
    assert operation.response.Unpack(unpacked)
    assert unpacked.name == done.name


async def test_many_answers_in_one_call_stand_each_alone(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller = await market.member("seller")
    buyer = await market.member("buyer")
    await seller.offer("lab", [10, 10])
    for name in ("first", "second", "third"):
        await buyer.demand(name, 5)
    await mm.book_has(operator, 1, 3)
    await mm.clear(operator)
    one, two, three = await buyer.inbox()

    def asked(proposal: Any, party: str, **more: Any) -> pb.AcceptProposalRequest:
        return pb.AcceptProposalRequest(
            name=proposal.name, party=party, request_id=mm.request_id(), **more
        )

    async def answer(who: mm.Actor, *requests: pb.AcceptProposalRequest) -> list[Any]:
        batch = pb.BatchAcceptProposalsRequest(requests=requests)
        return list((await who.matching.BatchAcceptProposals(batch)).results)

    mine = buyer.organization
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await answer(buyer, asked(one, mine), asked(two, seller.organization))
    assert reason(refused.value) == reason_pb2.REASON_ORGANIZATION_FORBIDDEN
    assert {each.state for each in await buyer.inbox()} == {Proposal.STATE_PROPOSED}
    assert not any(each.parties[0].answer for each in await buyer.inbox())

    unknown = pb.AcceptProposalRequest(name=f"{one.name}x", party=mine)
    requests = [asked(one, mine), asked(two, mine, terms_version=9), asked(three, mine), unknown]
    first = await answer(buyer, *requests)
    assert [each.reason for each in first] == ["", "REASON_TERMS_CHANGED", "", "REASON_NOT_FOUND"]
    assert [each.proposal.name for each in first] == [one.name, "", three.name, ""]
    assert first[0].proposal.parties[0].answer == proposal_pb2.Party.ANSWER_ACCEPTED
    assert await answer(buyer, *requests) == first, "a repeat gets the first answers"

    last = await answer(seller, asked(one, seller.organization), asked(three, seller.organization))
    assert [each.proposal.state for each in last] == [Proposal.STATE_CONFIRMED] * 2
    assert {each.name: each.state for each in await buyer.inbox()} == {
        one.name: Proposal.STATE_CONFIRMED,
        two.name: Proposal.STATE_PROPOSED,
        three.name: Proposal.STATE_CONFIRMED,
    }
    await market.check_ledger(operator)

    async def outcomes() -> list[str] | None:
        """What the registry's audit holds of the buyer's answers, once all of it has come."""
        listed = await buyer.registry.ListAuditEntries(
            registry.ListAuditEntriesRequest(parent=mine, method="BatchAcceptProposals")
        )
        found = [each.outcome for each in reversed(listed.audit_entries)]
        return found if len(found) == 10 else None

    told = await mm.eventually(outcomes)
    assert told[:2] == ["REASON_ORGANIZATION_FORBIDDEN"] * 2
    assert sorted(told[2:6]) == ["OK", "OK", "REASON_NOT_FOUND", "REASON_TERMS_CHANGED"]


async def test_a_decline_frees_and_is_repaired(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    first = await market.member("first")
    second = await market.member("second")
    buyer = await market.member("buyer")
    await first.offer("lab", [10], price=50)
    await second.offer("lab", [10], price=80)
    await buyer.demand("test", 10)
    await mm.book_has(operator, 2, 1)
    await mm.clear(operator)
    [proposal] = await first.inbox()
    await buyer.accept(proposal)
    declined = await first.decline(proposal, reason=proposal_pb2.DECLINE_REASON_PRICE)
    assert declined.state == Proposal.STATE_DECLINED

    async def repaired() -> list[proposal_pb2.Proposal]:
        return await second.inbox("STATE_PROPOSED")

    [other] = await mm.eventually(repaired, 40)
    assert other.round != proposal.round
    repair = await operator.matching.GetRound(pb.GetRoundRequest(name=other.round))
    assert repair.trigger == Round.TRIGGER_REPAIR
    assert await first.inbox("STATE_PROPOSED") == []
    await market.check_ledger(operator)


async def test_a_counter_is_taken_or_does_not_fit(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller = await market.member("seller")
    buyer = await market.member("buyer")
    await seller.offer("lab", [10, 4])
    await buyer.demand("test", 8)
    await mm.book_has(operator, 1, 1)
    await mm.clear(operator)
    [proposal] = await seller.inbox()

    async def counter(quantity: int, period: str) -> proposal_pb2.Proposal:
        leg = proposal_pb2.CounterLeg(leg_index=0, unit_price=120)
        leg.deliveries.add(period=period, quantity=quantity)
        return await seller.matching.CounterProposal(
            pb.CounterProposalRequest(name=proposal.name, party=seller.organization, legs=[leg])
        )

    countered = await counter(8, mm.week(2))
    assert countered.counter.party == seller.organization
    [waiting] = (
        await buyer.matching.ListProposals(
            pb.ListProposalsRequest(
                parent="rounds/-", party=buyer.organization, awaiting_answer=True
            )
        )
    ).proposals
    assert waiting.name == proposal.name
    agree = pb.AcceptCounterRequest(name=proposal.name, party=buyer.organization)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await buyer.matching.AcceptCounter(agree)
    assert reason(refused.value) == reason_pb2.REASON_CAPACITY_EXCEEDED
    [stands] = await buyer.inbox()
    assert (stands.terms_version, stands.HasField("counter")) == (1, False)
    assert stands.legs[0].unit_price == 100
    await market.check_ledger(operator)

    await counter(4, mm.week(2))
    taken = await buyer.matching.AcceptCounter(agree)
    assert taken.state == Proposal.STATE_CONFIRMED  # both have agreed to these terms
    assert (taken.terms_version, taken.total_price) == (2, 4 * 120)
    claims = await market.check_ledger(operator)
    assert claims.claims == 1


async def test_a_lease_runs_out_and_matching_restarts(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator, lease_seconds=10)
    seller = await market.member("seller")
    buyer = await market.member("buyer")
    offer = await seller.offer("lab", [10])
    await buyer.demand("test", 10)
    await mm.book_has(operator, 1, 1)
    await mm.clear(operator)
    [proposal] = await seller.inbox()
    await market.stop_matching()
    await market.start_matching()

    async def expired() -> list[proposal_pb2.Proposal]:
        return await seller.inbox("STATE_EXPIRED")

    await mm.eventually(expired, 30)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await seller.accept(proposal)
    assert reason(refused.value) == reason_pb2.REASON_LEASE_EXPIRED

    async def free() -> bool:
        found = await seller.registry.GetOffer(reg.GetOfferRequest(name=offer.name))
        return sum(b.held for b in found.balances) == 0

    await mm.eventually(free)
    await market.check_ledger(operator)


async def test_a_round_starts_again_when_the_store_was_away_before_it_proposed(
    market: mm.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller, buyer = await market.member("seller"), await market.member("buyer")
    await seller.offer("lab", [10])
    await buyer.demand("test", 5)
    await mm.book_has(operator, 1, 1)
    put, away = Artifacts.put, [True]

    async def put_later(self: Artifacts, round_name: str, kind: str, data: bytes) -> None:
        if kind == ANSWER and away:
            away.clear()
            raise AutoReconnect("the store is away")
        await put(self, round_name, kind, data)

    monkeypatch.setattr(Artifacts, "put", put_later)
    done = await mm.clear(operator)
    assert not away
    assert done.state == Round.STATE_COMPLETED, done.failure
    assert done.outcome.proposals == 1


async def test_a_round_that_had_stored_proposals_when_the_store_went_away_fails_and_holds_nothing(
    market: mm.Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller, buyer = await market.member("seller"), await market.member("buyer")
    await seller.offer("lab", [10])
    await buyer.demand("test", 5)
    await mm.book_has(operator, 1, 1)
    create, away = Proposals.create, [True]

    async def create_then_lose_the_store(self: Proposals, drafts: Sequence[Draft]) -> None:
        await create(self, drafts)
        if drafts and away:
            away.clear()
            raise AutoReconnect("the store is away")

    monkeypatch.setattr(Proposals, "create", create_then_lose_the_store)
    done = await mm.clear(operator)
    assert not away
    assert done.state == Round.STATE_FAILED
    assert not await buyer.inbox()
    ledger = await market.check_ledger(operator)
    assert not ledger.breaches
    assert ledger.claims == 0
    again = await mm.clear(operator)
    assert again.outcome.proposals == 1
