"""A whole small market in one process: real store and bus, registry and matching over real gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import grpc
from google.longrunning import operations_pb2_grpc

from services.chassis import grpc_client
from services.chassis.app import App
from services.matching import app as matching_app
from services.matching.domain import periods
from services.matching.engine import SolverProcess
from services.matching.settings import MatchingSettings
from services.registry import app as registry_app
from services.registry.domain.passwords import Cost
from services.registry.settings import RegistrySettings
from spareline.market.v1 import demand_pb2, disclosure_pb2, offer_pb2, organization_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import (
    matching_service_pb2_grpc,
    policy_pb2,
    proposal_pb2,
    round_pb2,
)
from spareline.registry.v1 import (
    identity_service_pb2 as ids,
)
from spareline.registry.v1 import (
    identity_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    registry_service_pb2_grpc,
)
from spareline.registry.v1 import (
    registry_service_pb2 as reg,
)
from tests import servers

CAPABILITY = "research.testing.electrical-safety"
SECRET = "secret-of-matching"
OPERATOR = ("operator@market.example", "operator-password")
PASSWORD = "a-long-password"

Proposal = proposal_pb2.Proposal


def week(ahead: int) -> str:
    """The ISO week so many weeks from now."""
    return periods.name(periods.of_time(datetime.now(UTC)) + ahead)


def request_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Actor:
    """Somebody signed in: stubs that carry its token."""

    organization: str
    token: str
    registry: registry_service_pb2_grpc.RegistryServiceAsyncStub
    matching: matching_service_pb2_grpc.MatchingServiceAsyncStub
    operations: Any
    ledger: ledger_service_pb2_grpc.LedgerServiceAsyncStub
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    async def offer(
        self, name: str, capacity: Sequence[int], price: int = 100, **more: Any
    ) -> offer_pb2.Offer:
        offer = offer_pb2.Offer(capability=CAPABILITY, title=name, unit_price=price, **more)
        for ahead, quantity in enumerate(capacity, start=1):
            offer.capacity.add(period=week(ahead), quantity=quantity)
        return await self.registry.CreateOffer(
            reg.CreateOfferRequest(parent=self.organization, offer=offer, offer_id=name)
        )

    async def demand(
        self, name: str, quantity: int, limit: int = 200, weeks: int = 4, **more: Any
    ) -> demand_pb2.Demand:
        demand = demand_pb2.Demand(title=name, **more)
        line = demand.lines.add(
            id="main", capability=CAPABILITY, quantity=quantity, limit_price=limit
        )
        line.window.earliest, line.window.latest = week(1), week(weeks)
        line.sourcing.max_partners = 3
        return await self.registry.CreateDemand(
            reg.CreateDemandRequest(parent=self.organization, demand=demand, demand_id=name)
        )

    async def inbox(self, *states: str) -> list[proposal_pb2.Proposal]:
        answer = await self.matching.ListProposals(
            pb.ListProposalsRequest(parent="rounds/-", party=self.organization, states=states)
        )
        return list(answer.proposals)

    async def accept(self, proposal: proposal_pb2.Proposal, **more: Any) -> proposal_pb2.Proposal:
        return await self.matching.AcceptProposal(
            pb.AcceptProposalRequest(name=proposal.name, party=self.organization, **more)
        )

    async def decline(self, proposal: proposal_pb2.Proposal, **more: Any) -> proposal_pb2.Proposal:
        return await self.matching.DeclineProposal(
            pb.DeclineProposalRequest(name=proposal.name, party=self.organization, **more)
        )

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close()


class Market:
    """The running market."""

    def __init__(self, directory: Path, nats_url: str, mongo_url: str) -> None:
        self.directory = directory
        self.nats_url = nats_url
        self.mongo_url = mongo_url
        self.suffix = uuid.uuid4().hex[:8]
        self.registry_port = 0
        self.matching_port = 0
        self.registry_settings: dict[str, Any] = {}
        self.actors: list[Actor] = []
        self.solver: SolverProcess | None = None
        self._registry: contextlib.AsyncExitStack | None = None
        self._matching: contextlib.AsyncExitStack | None = None

    async def start_registry(self) -> None:
        settings = RegistrySettings(
            mongo_url=self.mongo_url,
            mongo_database=f"registry_{self.suffix}",
            nats_url=self.nats_url,
            grpc_port=self.registry_port,
            signing_key_file=self.directory / "key.json",
            service_secrets=f"matching={SECRET}",  # type: ignore[arg-type]
            operator_email=OPERATOR[0],
            operator_password=OPERATOR[1],  # type: ignore[arg-type]
            webhook_private_targets=True,
            drain_seconds=0.2,
            **self.registry_settings,
        )
        stack = contextlib.AsyncExitStack()
        app = await stack.enter_async_context(App("registry", drain_seconds=0.2))
        built = await registry_app.build(
            app, settings, password_cost=Cost(1, 8, 1), attempts_per_minute=100_000
        )
        self.registry_port = built.port
        self._registry = stack

    async def start_matching(self) -> None:
        settings = MatchingSettings(
            mongo_url=self.mongo_url,
            mongo_database=f"matching_{self.suffix}",
            nats_url=self.nats_url,
            grpc_port=self.matching_port,
            registry_address=f"127.0.0.1:{self.registry_port}",
            service_secret=SECRET,
            drain_seconds=0.2,
            repair_seconds=0.3,
            reconcile_seconds=0.5,
        )
        stack = contextlib.AsyncExitStack()
        app = await stack.enter_async_context(App("matching", drain_seconds=0.2))
        self.matching_port = await matching_app.build(app, settings, solver=self.solver)
        self._matching = stack
        await asyncio.wait_for(app.health.wait_ready(), 30)

    async def stop_matching(self) -> None:
        if self._matching is not None:
            await self._matching.aclose()
            self._matching = None

    async def stop(self) -> None:
        for actor in self.actors:
            await actor.close()
        await self.stop_matching()
        if self._registry is not None:
            await self._registry.aclose()

    async def member(self, name: str, **organization: Any) -> Actor:
        """Sign an organization up and its owner in."""
        organization.setdefault("region", "CN-ZJ")
        message = organization_pb2.Organization(
            display_name=name.title(), kind=organization_pb2.Organization.KIND_SME, **organization
        )
        message.location.latitude, message.location.longitude = 30.2, 120.2
        message.contact.email = f"{name}@firm.example"
        identity: Any = identity_service_pb2_grpc.IdentityServiceStub(self._plain())
        email = f"{name}@{self.suffix}.example"
        await identity.SignUp(
            ids.SignUpRequest(
                organization_id=name,
                organization=message,
                email=email,
                person=name,
                password=PASSWORD,
            )
        )
        return await self.sign_in(email, PASSWORD)

    async def operator(self) -> Actor:
        return await self.sign_in(*OPERATOR)

    async def sign_in(self, email: str, password: str) -> Actor:
        channel = self._plain()
        identity: Any = identity_service_pb2_grpc.IdentityServiceStub(channel)
        answer = await identity.IssueToken(
            ids.IssueTokenRequest(password=ids.PasswordGrant(email=email, password=password))
        )
        token: str = answer.access_token

        async def source() -> str:
            return token

        registry = grpc_client.channel(f"127.0.0.1:{self.registry_port}", token=source)
        matching = grpc_client.channel(f"127.0.0.1:{self.matching_port}", token=source)
        actor = Actor(
            answer.principal.organization,
            token,
            cast(Any, registry_service_pb2_grpc.RegistryServiceStub(registry)),
            cast(Any, matching_service_pb2_grpc.MatchingServiceStub(matching)),
            operations_pb2_grpc.OperationsStub(matching),
            cast(Any, ledger_service_pb2_grpc.LedgerServiceStub(registry)),
            [channel, registry, matching],
        )
        self.actors.append(actor)
        return actor

    def _plain(self) -> grpc.aio.Channel:
        return grpc_client.channel(f"127.0.0.1:{self.registry_port}")

    async def check_ledger(self, operator: Actor) -> ledger_service_pb2.CheckLedgerResponse:
        answer = await operator.ledger.CheckLedger(ledger_service_pb2.CheckLedgerRequest())
        assert list(answer.breaches) == []
        return answer


@contextlib.asynccontextmanager
async def running(
    directory: Path, solver: SolverProcess | None = None, **registry: Any
) -> AsyncIterator[Market]:
    """Run a market on servers of its own; ``registry``: more settings of the registry.

    A solver that is given outlives it: each one takes two seconds of a core to start.
    """
    async with servers.nats_server() as nats, servers.mongo_server() as mongo:
        market = Market(directory, nats.url, mongo.url)
        market.registry_settings = registry
        market.solver = solver
        await market.start_registry()
        await market.start_matching()
        try:
            yield market
        finally:
            await market.stop()


async def quiet_policy(operator: Actor, lease_seconds: int = 3600) -> policy_pb2.Policy:
    """Have rounds run on request only (repairs apart), with a short time limit."""
    policy = await operator.matching.GetPolicy(pb.GetPolicyRequest())
    policy.ClearField("debounce")
    policy.lease.FromSeconds(lease_seconds)
    policy.time_limit.FromSeconds(5)
    return await operator.matching.UpdatePolicy(pb.UpdatePolicyRequest(policy=policy))


async def clear(operator: Actor, **more: Any) -> round_pb2.Round:
    """Run a round to its end."""
    operation = await operator.matching.RunRound(pb.RunRoundRequest(**more))
    name = operation.name.replace("operations/", "rounds/")
    watched = operator.matching.WatchRound(pb.WatchRoundRequest(name=name))
    return [round_ async for round_ in watched][-1]


async def eventually(check: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Return what a check yields once it is truthy."""
    until = asyncio.get_running_loop().time() + seconds
    while True:
        found = await check()
        if found:
            return found
        assert asyncio.get_running_loop().time() < until, "it never came to be"
        await asyncio.sleep(0.1)


async def book_has(actor: Actor, offers: int, demands: int) -> None:
    """Wait until the book has taken in so many open offers and demands."""

    async def check() -> bool:
        book = await actor.matching.GetBook(pb.GetBookRequest())
        return book.current and book.offers == offers and book.demands == demands

    await eventually(check)


__all__ = [
    "CAPABILITY",
    "Actor",
    "Market",
    "Proposal",
    "book_has",
    "clear",
    "disclosure_pb2",
    "eventually",
    "quiet_policy",
    "request_id",
    "running",
    "timedelta",
    "week",
]
