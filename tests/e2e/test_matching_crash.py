"""Matching as a process that is killed (SIGKILL) in rounds and acceptances, over and over."""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.chassis import grpc_client
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2, round_pb2
from spareline.registry.v1 import identity_service_pb2 as ids
from spareline.registry.v1 import (
    identity_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from tests import servers
from tests.e2e import matching_market as mm

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.thorough]

Proposal = proposal_pb2.Proposal
Round = round_pb2.Round
Claim = ledger_service_pb2.Claim

FIRMS = 6
EACH = 6
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


class Process:
    """Matching in a process of its own."""

    def __init__(self, market: mm.Market) -> None:
        self._market = market
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        market = self._market
        environment = {
            **os.environ,
            "SPARELINE_MONGO_URL": market.mongo_url,
            "SPARELINE_MONGO_DATABASE": f"matching_{market.suffix}",
            "SPARELINE_NATS_URL": market.nats_url,
            "SPARELINE_GRPC_PORT": str(market.matching_port),
            "SPARELINE_REGISTRY_ADDRESS": f"127.0.0.1:{market.registry_port}",
            "SPARELINE_SERVICE_SECRET": mm.SECRET,
            "SPARELINE_RECONCILE_SECONDS": "0.5",
            "SPARELINE_LOG_LEVEL": "WARNING",
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.matching", env=environment
        )

    async def kill(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@pytest_asyncio.fixture
async def market(tmp_path: Path) -> AsyncIterator[mm.Market]:
    async with servers.nats_server() as nats, servers.mongo_server() as mongo:
        made = mm.Market(tmp_path, nats.url, mongo.url)
        await made.start_registry()
        made.matching_port = servers.free_port()
        try:
            yield made
        finally:
            await made.stop()


async def ready(operator: mm.Actor) -> None:
    async def check() -> bool:
        try:
            book = await operator.matching.GetBook(pb.GetBookRequest(), timeout=2)
        except grpc.aio.AioRpcError as error:
            if error.code() not in AWAY:
                raise
            return False
        return bool(book.current)

    await mm.eventually(check, 60)


async def claims_of(market: mm.Market) -> dict[str, Any]:
    address = f"127.0.0.1:{market.registry_port}"
    async with grpc_client.channel(address) as plain:
        identity: Any = identity_service_pb2_grpc.IdentityServiceStub(plain)
        grant = ids.ServiceGrant(service="matching", secret=mm.SECRET)
        token = (await identity.IssueToken(ids.IssueTokenRequest(service=grant))).access_token

        async def source() -> str:
            return str(token)

        async with grpc_client.channel(address, token=source) as channel:
            ledger: Any = ledger_service_pb2_grpc.LedgerServiceStub(channel)
            stream = ledger.StreamClaims(ledger_service_pb2.StreamClaimsRequest())
            return {claim.claim: claim async for claim in stream}


async def all_proposals(operator: mm.Actor) -> dict[str, Any]:
    found: dict[str, Any] = {}
    token = ""
    while True:
        page = await operator.matching.ListProposals(
            pb.ListProposalsRequest(parent="rounds/-", page_size=500, page_token=token)
        )
        found.update({each.name: each for each in page.proposals})
        token = page.next_page_token
        if not token:
            return found


async def settled(market: mm.Market, operator: mm.Actor) -> dict[str, Any]:
    """Wait until what lives is held, what is confirmed is committed, and nothing else is."""
    wanted = {
        Proposal.STATE_PROPOSED: Claim.STATE_HELD,
        Proposal.STATE_CONFIRMED: Claim.STATE_COMMITTED,
    }

    async def check() -> dict[str, Any]:
        found = await all_proposals(operator)
        claims = await claims_of(market)
        expected = {n: wanted[p.state] for n, p in found.items() if p.state in wanted}
        transient = {Proposal.STATE_HOLDING, Proposal.STATE_CONFIRMING}
        calm = not any(each.state in transient for each in found.values())
        same = {name: claim.state for name, claim in claims.items()} == expected
        return found if calm and same else {}

    result: dict[str, Any] = await mm.eventually(check, 60)
    return result


async def test_kills_lose_nothing_and_hold_nothing_twice(market: mm.Market) -> None:
    dice = random.Random(7)
    process = Process(market)
    await process.start()
    operator = await market.operator()
    await ready(operator)
    await mm.quiet_policy(operator)
    sellers = [await market.member(f"seller-{i}") for i in range(FIRMS)]
    buyers = [await market.member(f"buyer-{i}") for i in range(FIRMS)]
    for index in range(EACH):
        await asyncio.gather(
            *(s.offer(f"o{index}", [4, 4], price=50 + 10 * i) for i, s in enumerate(sellers)),
            *(b.demand(f"d{index}", 6, limit=150 + i) for i, b in enumerate(buyers)),
        )
    await mm.book_has(operator, FIRMS * EACH, FIRMS * EACH)

    # Rounds, killed at any moment; then one that may end.
    names = []
    for pause in (0.6, 1.5, 2.5, 3.2, 4.0):
        operation = await operator.matching.RunRound(pb.RunRoundRequest())
        names.append(operation.name.replace("operations/", "rounds/"))
        await asyncio.sleep(pause + dice.random() / 2)
        await process.kill()
        await process.start()
        await ready(operator)
    last = await mm.clear(operator)
    assert last.state == Round.STATE_COMPLETED, last.failure
    for name in names:

        async def over(name: str = name) -> bool:
            found = await operator.matching.GetRound(pb.GetRoundRequest(name=name))
            return found.state not in (Round.STATE_PENDING, Round.STATE_RUNNING)

        await mm.eventually(over, 60)
    found = await settled(market, operator)
    assert sum(p.state == Proposal.STATE_PROPOSED for p in found.values()) >= FIRMS
    await market.check_ledger(operator)

    # Acceptances of everybody, all at once, with kills in their midst.
    acknowledged: set[tuple[str, str]] = set()
    actors = {actor.organization: actor for actor in (*sellers, *buyers)}

    async def answer(proposal: Any, organization: str) -> None:
        for _ in range(60):
            try:
                await actors[organization].accept(proposal)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AWAY:
                    raise
                await asyncio.sleep(0.3)
            else:
                acknowledged.add((proposal.name, organization))
                return

    work = asyncio.gather(
        *(
            answer(proposal, party.organization)
            for proposal in found.values()
            if proposal.state == Proposal.STATE_PROPOSED
            for party in proposal.parties
        )
    )
    for _ in range(2):
        await asyncio.sleep(0.15)
        await process.kill()
        await process.start()
        await ready(operator)
    await work
    after = await settled(market, operator)
    for name, organization in acknowledged:
        party = next(p for p in after[name].parties if p.organization == organization)
        assert party.answer == proposal_pb2.Party.ANSWER_ACCEPTED
        assert after[name].state == Proposal.STATE_CONFIRMED
    assert len(acknowledged) >= 2 * FIRMS
    await market.check_ledger(operator)
    await process.kill()
