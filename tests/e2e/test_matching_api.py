"""The rest of matching's API: rounds, operations, policies, watchers, and who may not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.longrunning import operations_pb2

from services.chassis import grpc_errors
from services.matching.engine import SolverProcess
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import policy_pb2, proposal_pb2, round_pb2
from tests.e2e import matching_market as mm

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

Proposal = proposal_pb2.Proposal
Round = round_pb2.Round


@pytest_asyncio.fixture(loop_scope="module")
async def market(tmp_path: Path, solver: SolverProcess) -> AsyncIterator[mm.Market]:
    async with mm.running(tmp_path, solver) as running:
        yield running


async def refusal(call: Awaitable[Any]) -> int:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return grpc_errors.from_rpc_error(caught.value).reason


async def test_rounds_on_request(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller = await market.member("seller")
    buyer = await market.member("buyer")
    await seller.offer("lab", [10])
    await buyer.demand("test", 10)
    await buyer.demand("dear", 5, limit=1)
    await mm.book_has(operator, 1, 2)

    what_if = await mm.clear(operator, what_if=True)
    assert what_if.state == Round.STATE_COMPLETED
    assert what_if.outcome.objective > 0
    assert await buyer.inbox() == []
    assert (await market.check_ledger(operator)).claims == 0
    read = buyer.matching.GetRound(pb.GetRoundRequest(name=what_if.name))
    assert await refusal(read) == reason_pb2.REASON_NOT_FOUND
    assert (await operator.matching.GetRound(pb.GetRoundRequest(name=what_if.name))).what_if

    request = pb.RunRoundRequest(request_id=mm.request_id(), seed=11)
    first = await operator.matching.RunRound(request)
    again = await operator.matching.RunRound(request)
    assert again.name == first.name
    request.seed = 12
    assert await refusal(operator.matching.RunRound(request)) == (
        reason_pb2.REASON_REQUEST_ID_REUSED
    )
    waited = await operator.operations.WaitOperation(
        operations_pb2.WaitOperationRequest(name=first.name), timeout=60
    )
    assert waited.done
    name = first.name.replace("operations/", "rounds/")
    listed = await buyer.matching.ListRounds(pb.ListRoundsRequest(include_what_if=True))
    assert [each.name for each in listed.rounds] == [name]
    await sums_are_the_operators_alone(operator, buyer, name)

    asked = pb.GetExplanationRequest(subject=f"{buyer.organization}/demands/dear")
    explained = await buyer.matching.GetExplanation(asked)
    assert explained.round == name
    assert explained.outcome
    assert await refusal(seller.matching.GetExplanation(asked)) == (
        reason_pb2.REASON_ORGANIZATION_FORBIDDEN
    )
    own = await buyer.matching.ListExplanations(pb.ListExplanationsRequest(parent=name))
    assert [each.subject for each in own.explanations] == [asked.subject]
    accounts = await operator.matching.ListFairnessAccounts(pb.ListFairnessAccountsRequest())
    [account] = accounts.accounts
    assert (account.organization, account.rounds_present) == (buyer.organization, 1)
    assert account.value_won == 10 * 200

    assert await refusal(buyer.matching.RunRound(pb.RunRoundRequest())) == (
        reason_pb2.REASON_ROLE_MISSING
    )
    cancel = pb.CancelRoundRequest(name=name)
    assert await refusal(operator.matching.CancelRound(cancel)) == reason_pb2.REASON_ROUND_STATE
    [proposal] = await buyer.inbox()
    await only_the_demander_reads_why(operator, buyer, seller, proposal.name)
    strange = buyer.matching.GetProposal(
        pb.GetProposalRequest(name=proposal.name, party=seller.organization)
    )
    assert await refusal(strange) == reason_pb2.REASON_ORGANIZATION_FORBIDDEN
    whole = await operator.matching.GetProposal(pb.GetProposalRequest(name=proposal.name))
    assert {party.organization for party in whole.parties} == {
        seller.organization,
        buyer.organization,
    }


async def test_a_policy_is_tried_compared_and_adopted(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller, buyer = await market.member("seller"), await market.member("buyer")
    other = await market.member("other")
    await seller.offer("lab", [10])
    await buyer.demand("small", 6, limit=300)
    await other.demand("large", 10, limit=200)
    await other.demand("dear", 5, limit=1)
    await mm.book_has(operator, 1, 3)
    done = await mm.clear(operator)
    assert done.outcome.demands_served == 1
    assert list(done.outcome.waiting_demands) == [2, 0, 0, 0]  # "small" has outbid "large"
    flows = await operator.matching.GetRoundFlows(pb.GetRoundFlowsRequest(name=done.name))
    [flow] = flows.flows
    assert (flow.branch, flow.price, flow.legs) == ("research.testing", 600, 1)

    # By surplus the small demand wins; a bonus for what is served turns it round.
    policy = await operator.matching.GetPolicy(pb.GetPolicyRequest())
    policy.fill_permille = 20_000
    run = pb.RunRoundRequest(what_if=True, trial_policy=policy, inputs_of=done.name)
    tried = await mm.clear(operator, what_if=True, trial_policy=policy, inputs_of=done.name)
    assert tried.state == Round.STATE_COMPLETED
    assert (tried.book_digest, tried.first_period) == (done.book_digest, done.first_period)
    assert tried.trial_policy.fill_permille == 20_000
    assert (tried.trial_policy.etag, tried.policy_version) == (policy.etag, 0)
    asked = pb.GetRoundComparisonRequest(name=tried.name, base=done.name)
    found = await operator.matching.GetRoundComparison(asked)
    assert found.same_book
    assert (found.base, found.other) == (done, tried)
    shifts = [
        (each.gained, each.lost, each.unchanged)
        for each in (found.demands, found.buyers, found.sellers)
    ]
    assert shifts == [(1, 1, 1), (1, 1, 0), (1, 0, 0)]
    assert (found.demands.newly, found.demands.no_longer, found.sellers.newly) == (1, 1, 0)
    assert (found.base_value, found.other_value) == (1800, 2000)
    run.what_if = False
    assert await refusal(operator.matching.RunRound(run)) == reason_pb2.REASON_FIELD_INVALID
    run.what_if = True
    run.trial_policy.k_permille = 500
    assert await refusal(operator.matching.RunRound(run)) == reason_pb2.REASON_POLICY_INVALID

    adopted = await operator.matching.UpdatePolicy(pb.UpdatePolicyRequest(policy=policy))
    assert adopted.active
    assert adopted.author == adopted.adopter != ""
    assert adopted.adopt_time == adopted.create_time
    late = pb.UpdatePolicyRequest(policy=tried.trial_policy)
    assert await refusal(operator.matching.UpdatePolicy(late)) == reason_pb2.REASON_ETAG_MISMATCH
    stale = pb.ActivatePolicyRequest(name=adopted.name, etag=policy.etag)
    assert await refusal(operator.matching.ActivatePolicy(stale)) == reason_pb2.REASON_ETAG_MISMATCH
    versions = pb.ListPoliciesRequest(versions_of=adopted.name)
    told = (await operator.matching.ListPolicies(versions)).policies
    assert told[0].HasField("adopt_time")
    assert not told[0].author
    seen = (await buyer.matching.ListPolicies(versions)).policies
    assert [each.version for each in seen] == [each.version for each in told]
    assert not any(each.author or each.adopter for each in seen)

    waiting = await operator.matching.ListWaitingDemands(pb.ListWaitingDemandsRequest(page_size=1))
    [first] = waiting.demands
    assert waiting.next_page_token
    assert (waiting.total_size, first.title, first.rounds_waiting) == (2, "dear", 1)


async def only_the_demander_reads_why(
    operator: mm.Actor, buyer: mm.Actor, seller: mm.Actor, name: str
) -> None:
    """Which others were within the limit tells of the limit: an offering party does not read it."""

    async def read(actor: mm.Actor, party: str) -> list[str]:
        request = pb.GetProposalRequest(name=name, party=party)
        found = await actor.matching.GetProposal(request)
        return [choice.otherwise for choice in found.choices]

    assert await read(buyer, buyer.organization) == ["unserved"]
    assert await read(operator, "") == ["unserved"]
    assert await read(operator, seller.organization) == []
    assert await read(seller, seller.organization) == []
    asked = pb.GetExplanationRequest(subject=f"{buyer.organization}/demands/test")
    explained = await buyer.matching.GetExplanation(asked)
    assert explained.outcome == "served"
    assert explained.choices[0].alternatives == 0


async def sums_are_the_operators_alone(operator: mm.Actor, buyer: mm.Actor, name: str) -> None:
    """A member reads no sum of private prices, whichever call it asks."""
    whole = await operator.matching.GetRound(pb.GetRoundRequest(name=name))
    outcome, size = whole.outcome, whole.size
    assert all((outcome.objective, outcome.upper_bound, outcome.terms, size.pairs))
    assert whole.book_digest
    waited = await buyer.operations.WaitOperation(
        operations_pb2.WaitOperationRequest(name=name.replace("rounds/", "operations/")), timeout=60
    )
    from_wait = Round()
    waited.response.Unpack(from_wait)
    [watched] = [each async for each in buyer.matching.WatchRound(pb.WatchRoundRequest(name=name))]
    listed = await buyer.matching.ListRounds(pb.ListRoundsRequest())
    read = await buyer.matching.GetRound(pb.GetRoundRequest(name=name))
    for seen in (from_wait, watched, listed.rounds[0], read):
        assert seen.outcome.demands_served == whole.outcome.demands_served == 1
        hidden = (seen.outcome.objective, seen.outcome.upper_bound, seen.outcome.terms)
        assert not any((*hidden, seen.size.pairs, seen.progress.best_value, seen.book_digest))
    asked = pb.GetBookRequest(with_digest=True)
    assert not (await buyer.matching.GetBook(asked)).digest
    assert not (await operator.matching.GetBook(pb.GetBookRequest())).digest
    assert (await operator.matching.GetBook(asked)).digest


async def test_a_cancelled_round_proposes_nothing(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller = await market.member("seller")
    buyer = await market.member("buyer")
    await seller.offer("lab", [10])
    await buyer.demand("test", 10)
    await mm.book_has(operator, 1, 1)
    operation = await operator.matching.RunRound(pb.RunRoundRequest())
    name = operation.name.replace("operations/", "rounds/")
    request = pb.CancelRoundRequest(name=name, request_id=mm.request_id())
    cancelled = await operator.matching.CancelRound(request)
    assert cancelled.state == Round.STATE_CANCELLED
    assert (await operator.matching.CancelRound(request)).state == Round.STATE_CANCELLED
    failed = await operator.operations.GetOperation(
        operations_pb2.GetOperationRequest(name=operation.name)
    )
    assert failed.done
    assert failed.HasField("error")
    assert await buyer.inbox() == []
    assert (await market.check_ledger(operator)).claims == 0
    assert (await mm.clear(operator)).outcome.proposals == 1


async def test_policies_are_versioned(market: mm.Market) -> None:
    operator = await market.operator()
    matching = operator.matching
    standard = await matching.GetPolicy(pb.GetPolicyRequest())
    assert (standard.name, standard.version, standard.active) == ("policies/standard", 1, True)
    standard.fill_permille = 250
    update = pb.UpdatePolicyRequest(policy=standard, request_id=mm.request_id())
    second = await matching.UpdatePolicy(update)
    assert (second.version, second.fill_permille, second.active) == (2, 250, True)
    assert await matching.UpdatePolicy(update) == second
    stale = pb.UpdatePolicyRequest(policy=standard)
    assert await refusal(matching.UpdatePolicy(stale)) == reason_pb2.REASON_ETAG_MISMATCH
    first = await matching.GetPolicy(pb.GetPolicyRequest(name=standard.name, version=1))
    assert first.fill_permille == 100
    other = policy_pb2.Policy()
    other.CopyFrom(second)
    other.k_permille = 5
    create = pb.CreatePolicyRequest(policy_id="other", policy=other)
    assert await refusal(matching.CreatePolicy(create)) == reason_pb2.REASON_POLICY_INVALID
    create.policy.k_permille = 0
    made = await matching.CreatePolicy(create)
    assert (made.name, made.version, made.active) == ("policies/other", 1, False)
    assert await refusal(matching.CreatePolicy(create)) == reason_pb2.REASON_ALREADY_EXISTS
    active = await matching.ActivatePolicy(pb.ActivatePolicyRequest(name=made.name))
    assert active.active
    assert (await matching.GetPolicy(pb.GetPolicyRequest())).name == made.name
    page = await matching.ListPolicies(pb.ListPoliciesRequest(page_size=1))
    rest = await matching.ListPolicies(
        pb.ListPoliciesRequest(page_size=1, page_token=page.next_page_token)
    )
    assert [p.name for p in (*page.policies, *rest.policies)] == [made.name, standard.name]
    versions = await matching.ListPolicies(pb.ListPoliciesRequest(versions_of=standard.name))
    assert [each.version for each in versions.policies] == [1, 2]


async def test_watchers_miss_nothing_over_a_restart(market: mm.Market) -> None:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    seller = await market.member("seller")
    buyer = await market.member("buyer")
    stranger = await market.member("stranger")
    for index in range(6):
        await seller.offer(f"lab-{index}", [10])
        await buyer.demand(f"test-{index}", 10)
    await mm.book_has(operator, 6, 6)
    seen: dict[str, int] = {}
    token = ""

    async def follow(actor: mm.Actor, enough: int) -> str:
        """Read until so many proposals are confirmed; return the last token."""
        stream: Any = actor.matching.WatchProposals(
            pb.WatchProposalsRequest(party=actor.organization, resume_token=token)
        )
        last = token
        async for change in stream:
            last = change.resume_token
            if change.HasField("proposal"):
                seen[change.proposal.name] = change.proposal.state
            if sum(s == Proposal.STATE_CONFIRMED for s in seen.values()) >= enough:
                stream.cancel()
                return str(last)
        raise AssertionError("the stream ended")

    following = asyncio.ensure_future(follow(seller, 2))
    await mm.clear(operator)
    proposals = await seller.inbox()
    assert len(proposals) == 6

    async def settle(chosen: list[Proposal]) -> None:
        for proposal in chosen:
            await seller.accept(proposal)
            await buyer.accept(proposal)

    await settle(proposals[:2])
    token = await asyncio.wait_for(following, 20)
    await settle(proposals[2:4])  # nobody watches
    await market.stop_matching()
    await market.start_matching()
    await settle(proposals[4:])
    token = await asyncio.wait_for(follow(seller, 6), 20)
    assert set(seen) == {proposal.name for proposal in proposals}
    wrong = buyer.matching.WatchProposals(
        pb.WatchProposalsRequest(party=buyer.organization, resume_token=token)
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wrong.read()
    assert grpc_errors.from_rpc_error(refused.value).reason == (
        reason_pb2.REASON_PAGE_TOKEN_INVALID
    )
    quiet: Any = stranger.matching.WatchProposals(
        pb.WatchProposalsRequest(party=stranger.organization)
    )
    first = await quiet.read()
    assert not first.HasField("proposal"), "a stranger gets a place to resume from, and no more"
    quiet.cancel()
