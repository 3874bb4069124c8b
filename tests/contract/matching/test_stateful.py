"""Proposals and the real ledger against a simple model, with actors that come all at once."""

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from services.chassis import grpc_client, mongo
from services.chassis.aggregates import Aggregates
from services.chassis.errors import DomainError
from services.matching.domain.book import Book
from services.matching.domain.proposals import stamp
from services.matching.identity import ServiceIdentity
from services.matching.ledger import Ledger
from services.matching.store.memory import Memory
from services.matching.store.proposals import Draft, Proposals, Stored
from services.matching.usecases.answers import Answers
from services.matching.usecases.settlement import Settlement
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2
from spareline.registry.v1 import ledger_service_pb2
from tests import servers
from tests.contract.matching.stateful_model import Action, Model, outcomes
from tests.e2e import matching_market as mm

T = TypeVar("T")

Proposal = proposal_pb2.Proposal
Claim = ledger_service_pb2.Claim

CAPACITY = 12
DEMANDED = 10
PAIRS = 2  # demands, each of its own; all draw on the same offer


class World:
    """A registry over real gRPC and matching's own stores and use cases, on one event loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._stack = contextlib.AsyncExitStack()
        self.now = datetime.now(UTC)
        self.count = 0

    def wait(self, work: Awaitable[T]) -> T:
        async def one() -> T:
            return await work

        return self._runner.run(one())

    async def open(self, directory: Path) -> None:
        enter = self._stack.enter_async_context
        nats, store = await enter(servers.nats_server()), await enter(servers.mongo_server())
        self.market = mm.Market(directory, nats.url, store.url)
        await self.market.start_registry()
        self._stack.push_async_callback(self.market.stop)
        database = await enter(mongo.connect(store.url, "matching_stateful"))
        self.seller = await self.market.member("seller")
        self.buyer = await self.market.member("buyer")
        self.operator = await self.market.operator()
        address = f"127.0.0.1:{self.market.registry_port}"
        plain = grpc_client.channel(address)
        identity = ServiceIdentity(plain, mm.SECRET)
        channel = grpc_client.channel(address, token=identity.token)
        self._stack.push_async_callback(plain.close)
        self._stack.push_async_callback(channel.close)
        book = Book()
        self.ledger = Ledger(channel, lambda: book)
        self.store = Proposals(Aggregates(database["proposals"]))
        await self.store.ensure_indexes()
        self.memory = Memory(database)
        self.settlement = Settlement(
            self.store, self.memory, self.ledger, lambda: None, lambda: self.now
        )
        self.answers = Answers(self.store, self.settlement, lambda: book, lambda: self.now)

    async def close(self) -> None:
        await self._stack.aclose()

    async def claims(self) -> dict[str, ledger_service_pb2.Claim]:
        return {claim.claim: claim async for claim in self.ledger.claims()}

    async def posted(self) -> tuple[str, list[str]]:
        """Post an offer and demands of their own for one run of the machine."""
        self.count += 1
        offer = await self.seller.offer(f"offer-{self.count}", [CAPACITY])
        demands = []
        for index in range(PAIRS):
            name = f"demand-{self.count}-{index}"
            demand = await self.buyer.demand(name, DEMANDED, weeks=2)
            demands.append(demand.name)
        return offer.name, demands

    async def propose(self, name: str, offer: str, demand: str, quantity: int) -> Stored:
        made = Proposal(
            name=name,
            round="rounds/model",
            demand=demand,
            state=Proposal.STATE_HOLDING,
            terms_version=1,
            generation=1,
            create_time=stamp(self.now),
            update_time=stamp(self.now),
            lease_expire_time=stamp(self.now + timedelta(days=2)),
        )
        made.parties.add(organization=self.buyer.organization, side="demand")
        made.parties.add(organization=self.seller.organization, side="offer")
        leg = made.legs.add(offer=offer, line="main", party_index=1, unit_price=100)
        leg.deliveries.add(period=mm.week(1), quantity=quantity)
        await self.store.create([Draft(made, frozenset(), {f"{offer}|main": "terms"}, 1)])
        stored = await self.store.get(name)
        assert stored is not None
        await self.settlement.hold_all([stored])
        found = await self.store.get(name)
        assert found is not None
        return (await self.settlement.settle(found))[0]

    async def act(self, name: str, action: Action) -> DomainError | None:
        organization = getattr(self, action.side).organization if action.side else ""
        try:
            if action.kind == "expire":
                # A party that is faster wins once; the sweep of leases comes again until it ends.
                for _ in range(50):
                    stored = await self.store.get(name)
                    assert stored is not None
                    if stored.proposal.state != Proposal.STATE_PROPOSED:
                        break
                    await self.answers.expire(stored)
            elif action.kind == "accept":
                await self.answers.accept(pb.AcceptProposalRequest(name=name, party=organization))
            elif action.kind == "decline":
                await self.answers.decline(pb.DeclineProposalRequest(name=name, party=organization))
            elif action.kind == "counter":
                leg = proposal_pb2.CounterLeg(leg_index=0)
                leg.deliveries.add(period=mm.week(1), quantity=action.quantity)
                await self.answers.counter(
                    pb.CounterProposalRequest(name=name, party=organization, legs=[leg])
                )
            elif action.kind == "agree":
                await self.answers.accept_counter(
                    pb.AcceptCounterRequest(name=name, party=organization)
                )
            else:
                await self.answers.decline_counter(
                    pb.DeclineCounterRequest(name=name, party=organization)
                )
        except DomainError as error:
            return error
        return None


SIDES = st.sampled_from(["buyer", "seller"])
ACTIONS = st.one_of(
    st.builds(Action, st.sampled_from(["accept", "accept", "decline", "agree", "refuse"]), SIDES),
    st.builds(Action, st.just("counter"), SIDES, st.integers(1, DEMANDED + 2)),
    st.just(Action("expire")),
)


def machine(world: World) -> type[RuleBasedStateMachine]:
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            posted = world.wait(world.posted())
            self.offer: str = posted[0]
            self.demands: list[str] = posted[1]
            self.models: dict[str, Model] = {}
            self.demand_of: dict[str, str] = {}

        def taken(self, *, but: str = "", demand: str = "") -> int:
            return sum(
                model.quantity
                for name, model in self.models.items()
                if name != but
                and model.state in ("PROPOSED", "CONFIRMED")
                and (not demand or self.demand_of[name] == demand)
            )

        @rule(pair=st.integers(0, PAIRS - 1), quantity=st.integers(1, DEMANDED))
        def propose(self, pair: int, quantity: int) -> None:
            demand = self.demands[pair]
            fits = (
                self.taken() + quantity <= CAPACITY
                and self.taken(demand=demand) + quantity <= DEMANDED
            )
            name = f"rounds/model/proposals/p{world.count}-{len(self.demand_of)}"
            self.demand_of[name] = demand
            stored = world.wait(world.propose(name, self.offer, demand, quantity))
            assert (stored.proposal.state == Proposal.STATE_PROPOSED) == fits
            self.models[name] = Model(state="PROPOSED" if fits else "FAILED", quantity=quantity)

        @rule(which=st.integers(0, 5), actions=st.lists(ACTIONS, min_size=1, max_size=4))
        def race(self, which: int, actions: list[Action]) -> None:
            live = [name for name, each in self.models.items() if each.state == "PROPOSED"]
            if not live:
                return
            name = live[which % len(live)]
            demand = self.demand_of[name]

            def fits(quantity: int) -> bool:
                # While it is being replaced, a claim counts with the greater of both quantities.
                return (
                    self.taken(but=name) + quantity <= CAPACITY
                    and self.taken(but=name, demand=demand) + quantity <= DEMANDED
                )

            async def all_at_once() -> None:
                await asyncio.gather(*(world.act(name, action) for action in actions))

            possible = outcomes(self.models[name], actions, fits)
            world.wait(all_at_once())
            reached = world.wait(self.read(name))
            assert reached in possible, f"{actions} from {self.models[name]}"
            self.models[name] = reached

        async def read(self, name: str) -> Model:
            stored = await world.store.get(name)
            assert stored is not None
            proposal = stored.proposal
            assert stored.todo == "", "nothing is left owing"
            accepted = proposal_pb2.Party.ANSWER_ACCEPTED
            counter = None
            if proposal.HasField("counter"):
                side = "buyer" if proposal.counter.party_index == 0 else "seller"
                counter = (side, proposal.counter.legs[0].deliveries[0].quantity)
            return Model(
                Proposal.State.Name(proposal.state).removeprefix("STATE_"),
                frozenset(
                    side
                    for side, party in zip(("buyer", "seller"), proposal.parties, strict=True)
                    if party.answer == accepted
                ),
                sum(d.quantity for leg in proposal.legs for d in leg.deliveries),
                proposal.terms_version,
                counter,
            )

        @invariant()
        def the_ledger_holds_what_lives(self) -> None:
            claims = world.wait(world.claims())
            states = {"PROPOSED": Claim.STATE_HELD, "CONFIRMED": Claim.STATE_COMMITTED}
            for name, model in self.models.items():
                claim = claims.get(name)
                if model.state not in states:
                    assert claim is None, f"{name} is {model.state} and still claims"
                    continue
                assert claim is not None, f"{name} is {model.state} without a claim"
                assert claim.state == states[model.state]
                assert sum(leg.quantity for leg in claim.legs) == model.quantity
            world.wait(world.market.check_ledger(world.operator))

    return Machine


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as directory:
        made = World(runner)
        runner.run(made.open(Path(directory)))
        yield made
        runner.run(made.close())


@pytest.mark.e2e
def test_proposals_and_ledger_follow_the_model(world: World) -> None:
    run_state_machine_as_test(
        machine(world),
        settings=settings(
            max_examples=15,
            stateful_step_count=10,
            suppress_health_check=list(HealthCheck),
            derandomize=False,
        ),
    )
