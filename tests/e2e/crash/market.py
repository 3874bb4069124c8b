"""A small market on the embedded stack, with a client that notes all that was acknowledged."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deploy.local.stack import Stack
from services.chassis.errors import DomainError
from spareline.market.v1 import demand_pb2, offer_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e import matching_market as mm
from tests.e2e.crash.patience import acknowledged, granted

Proposal = proposal_pb2.Proposal
Posting = offer_pb2.Offer | demand_pb2.Demand

SELLERS = 2
BUYERS = 3
CAPACITY = (6, 6, 6)
ASIDE = "after-sales.user-training"
"""Imported offers are of a capability that nobody asks for, so that rounds stay small."""


@dataclass
class Answered:
    """An answer of a party that the market has acknowledged: with a proposal or a refusal."""

    actor: mm.Actor
    request: Any
    answer: proposal_pb2.Proposal | DomainError

    async def send(self) -> proposal_pb2.Proposal | DomainError:
        """Send the same request (the same request id) once more."""
        name = type(self.request).__name__.removesuffix("Request")
        method = getattr(self.actor.matching, name)
        found: proposal_pb2.Proposal | DomainError = await acknowledged(
            lambda: method(self.request)
        )
        return found


@dataclass
class Posted:
    """A posting that the market has acknowledged, and the call that posted it."""

    send: Callable[[], Awaitable[Posting]]
    answer: Posting


@dataclass
class CrashMarket:
    """Who takes part, and what they have been told."""

    stack: Stack
    operator: mm.Actor
    sellers: list[mm.Actor]
    buyers: list[mm.Actor]
    posted: dict[str, Posted] = field(default_factory=dict)
    not_repeated: list[Posted] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    some_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def owner(self, name: str) -> mm.Actor:
        """Who posted what bears this name."""
        return next(
            actor
            for actor in (*self.sellers, *self.buyers)
            if name.startswith(f"{actor.organization}/")
        )

    async def kill(self, name: str) -> "Killed":
        """End a process with kill -9; the answer waits until it serves again."""
        return Killed(self.stack, name, await self.stack.kill(name))

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Let a process stand still (SIGSTOP), so that whoever calls it waits for its answer."""
        pid = self.stack.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def post(self, tag: str, demands: int) -> None:
        """Have every seller offer and the buyers demand, more than there is capacity for.

        Each posting is sent until it is acknowledged, and its answer kept.
        """
        work = [self._offer(seller, f"{tag}-lab", 100 + 7 * i) for i, seller in self._numbered()]
        for number in range(demands):
            buyer = self.buyers[number % len(self.buyers)]
            work.append(self._demand(buyer, f"{tag}-test-{number}", 3 + number % 3, 150 + number))
        await asyncio.gather(*work)

    def _numbered(self) -> list[tuple[int, mm.Actor]]:
        return list(enumerate(self.sellers))

    async def _offer(self, seller: mm.Actor, identity: str, price: int) -> None:
        offer = offer_pb2.Offer(capability=mm.CAPABILITY, title=identity, unit_price=price)
        for ahead, quantity in enumerate(CAPACITY, start=1):
            offer.capacity.add(period=mm.week(ahead), quantity=quantity)
        request = reg.CreateOfferRequest(
            parent=seller.organization,
            offer=offer,
            offer_id=identity,
            request_id=str(uuid.uuid4()),
        )
        await self._posted(lambda: seller.registry.CreateOffer(request))

    async def _demand(self, buyer: mm.Actor, identity: str, quantity: int, limit: int) -> None:
        demand = demand_pb2.Demand(title=identity)
        line = demand.lines.add(
            id="main", capability=mm.CAPABILITY, quantity=quantity, limit_price=limit
        )
        line.window.earliest, line.window.latest = mm.week(1), mm.week(3)
        line.sourcing.max_partners = 2
        request = reg.CreateDemandRequest(
            parent=buyer.organization,
            demand=demand,
            demand_id=identity,
            request_id=str(uuid.uuid4()),
        )
        await self._posted(lambda: buyer.registry.CreateDemand(request))

    async def _posted(self, call: Callable[[], Awaitable[Posting]]) -> None:
        async def send() -> Posting:
            return await granted(call)

        made = Posted(send, await send())
        self.posted[made.answer.name] = made
        self.not_repeated.append(made)

    async def all_proposals(self, *states: str) -> list[proposal_pb2.Proposal]:
        """Every proposal, the hidden states too, as the operator sees them."""
        found: list[proposal_pb2.Proposal] = []
        token = ""
        while True:
            request = pb.ListProposalsRequest(
                parent="rounds/-", states=states, page_size=500, page_token=token
            )
            page: Any = await granted(partial(self.operator.matching.ListProposals, request))
            found += page.proposals
            token = page.next_page_token
            if not token:
                return found

    def actor(self, organization: str) -> mm.Actor:
        """Return the owner of an organization."""
        return next(a for a in [*self.sellers, *self.buyers] if a.organization == organization)

    async def answer_all(self, proposals: list[proposal_pb2.Proposal]) -> None:
        """Have every party answer every proposal at once.

        Of three proposals one is accepted by all, one is declined by its last party, and of one
        the last party asks for a tick less, to which the demander agrees. Each answer is sent until
        acknowledged, and noted.
        """
        work = []
        for number, proposal in enumerate(proposals):
            *others, last = [party.organization for party in proposal.parties]
            if number % 3 == 1:
                work.append(self._renegotiate(proposal, others, last))
                continue
            work += [self._answer(pb.AcceptProposalRequest, proposal, each) for each in others]
            kind = pb.DeclineProposalRequest if number % 3 == 2 else pb.AcceptProposalRequest
            work.append(self._answer(kind, proposal, last))
        await asyncio.gather(*work)

    async def _renegotiate(
        self, proposal: proposal_pb2.Proposal, others: list[str], last: str
    ) -> None:
        [index] = [i for i, p in enumerate(proposal.parties) if p.organization == last]
        leg = next(each for each in proposal.legs if each.party_index == index)
        wanted = proposal_pb2.CounterLeg(leg_index=0, unit_price=leg.unit_price + 1)
        wanted.deliveries.extend(leg.deliveries)
        if wanted.deliveries[0].quantity > 1:
            wanted.deliveries[0].quantity -= 1
        await self._answer(pb.CounterProposalRequest, proposal, last, legs=[wanted])
        demander, *bystanders = others
        await self._answer(pb.AcceptCounterRequest, proposal, demander)
        # The counter does not concern them: they have the proposal itself to accept.
        accept = pb.AcceptProposalRequest
        await asyncio.gather(*(self._answer(accept, proposal, each) for each in bystanders))

    async def _answer(
        self, kind: Any, proposal: proposal_pb2.Proposal, party: str, **more: Any
    ) -> None:
        request = kind(name=proposal.name, party=party, request_id=str(uuid.uuid4()), **more)
        # The refusal stands in until the market has spoken; it is never read before.
        sent = Answered(self.actor(party), request, Proposal())
        sent.answer = await sent.send()
        self.answered.append(sent)
        self.some_answer.set()


@dataclass
class Killed:
    """A process that was killed."""

    stack: Stack
    name: str
    pid: int

    async def healed(self) -> None:
        """Wait until it serves again, and all that lean on it too."""
        await self.stack.restarted(self.name, self.pid)


@contextlib.asynccontextmanager
async def crash_market(folder: Path) -> AsyncIterator[CrashMarket]:
    """Run the stack without pages, with a policy under which rounds run only when asked for."""
    async with Stack(folder, gateway=False) as stack:
        market = mm.Market(folder, stack.nats_url, stack.mongo_url)
        market.registry_port = stack.settings.port("registry_port")
        market.matching_port = stack.settings.port("matching_port")
        try:
            operator = await market.sign_in(
                stack.settings.operator_email, stack.credentials.operator_password
            )
            await mm.quiet_policy(operator)
            names = [
                *(f"seller-{i}" for i in range(SELLERS)),
                *(f"buyer-{i}" for i in range(BUYERS)),
            ]
            actors = [await market.member(name) for name in names]
            yield CrashMarket(stack, operator, actors[:SELLERS], actors[SELLERS:])
        finally:
            await market.stop()
