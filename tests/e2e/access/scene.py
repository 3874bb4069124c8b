"""A market in which organization A has something of everything, much of it private."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from spareline.market.v1 import demand_pb2, disclosure_pb2, offer_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from tests.e2e import matching_market as mm
from tests.e2e.access.cast import CONTACT, A, Casting, Voice

LIMIT = 198_765
HIDDEN = "private-cell"
SECRETS = (f"{CONTACT}@alpha", HIDDEN, str(LIMIT), "private-need")
"""What no outsider may ever read: in every answer and page to one these words are looked for."""

_NEVER = disclosure_pb2.DISCLOSURE_LEVEL_NEVER


@dataclass
class Scene:
    """The running market, its callers, and the names of what is A's."""

    market: mm.Market
    voices: dict[str, Voice]
    offer: offer_pb2.Offer
    demand: demand_pb2.Demand
    round: str
    what_if: str
    proposal: str
    delegation: str


@contextlib.asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Run registry and matching in process and set the scene."""
    async with mm.running(folder) as market:
        casting = Casting(market)
        try:
            await casting.all()
            yield await _set(market, casting)
        finally:
            await casting.close()


async def _set(market: mm.Market, casting: Casting) -> Scene:
    operator = await market.operator()
    await mm.quiet_policy(operator)
    alpha = await market.sign_in("owner@alpha.example", mm.PASSWORD)
    gamma = await market.sign_in("owner@gamma.example", mm.PASSWORD)
    delegation = await casting.delegate(alpha.registry)
    await gamma.offer("lab", [10], price=100)
    public = await alpha.offer("mill", [4], price=300)
    await alpha.offer("spare", [4], price=301)
    hidden = disclosure_pb2.Disclosure(
        identity=_NEVER, price=_NEVER, attributes=_NEVER, quantity=_NEVER, requirements=_NEVER
    )
    await alpha.offer(HIDDEN, [4], price=302, disclosure=hidden)
    demand = await alpha.demand("test", 10, limit=LIMIT)
    await alpha.demand("private-need", 9999, limit=7, disclosure=hidden)
    await mm.book_has(operator, 4, 2)
    done = await mm.clear(operator)
    what_if = await mm.clear(operator, what_if=True)
    [proposal] = await alpha.inbox("STATE_PROPOSED")

    async def delegated() -> bool:
        verdict, _ = await casting.voices["platform_with"].say(
            pb.DESCRIPTOR.services_by_name["MatchingService"].methods_by_name["ListProposals"],
            pb.ListProposalsRequest(parent="rounds/-", party=A),
        )
        return verdict == "OK"

    await mm.eventually(delegated)
    return Scene(
        market=market,
        voices=casting.voices,
        offer=public,
        demand=demand,
        round=done.name,
        what_if=what_if.name,
        proposal=proposal.name,
        delegation=delegation,
    )
