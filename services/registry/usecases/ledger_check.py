"""Recomputing the whole ledger from the documents, and healing what a crash has left."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from services.registry import convert
from services.registry.domain.ledger import Claim, ClaimState
from services.registry.store.postings import Postings

SECOND_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Report:
    """How many documents and claims were looked at, and every breach in words."""

    offers: int = 0
    demands: int = 0
    claims: int = 0
    breaches: list[str] = field(default_factory=list)


class LedgerCheck:
    """Reads every offer and demand; in memory it keeps the claims only."""

    def __init__(self, offers: Postings, demands: Postings) -> None:
        self._offers = offers
        self._demands = demands

    async def claims(self) -> AsyncIterator[Claim]:
        """Yield every claim as its demand knows it."""
        async for document in self._demands.each({"claimed": True}, ["claims"]):
            for stored in document["claims"].values():
                yield convert.claim(stored)

    async def run(self) -> Report:
        """Return what was found.

        A claim that differs between its documents is looked at again a moment later: what
        was only on its way is then settled.
        """
        report = Report()
        demands: dict[str, Claim] = {}
        offers: dict[tuple[str, str], Claim] = {}
        async for document in self._demands.each({}):
            account = convert.demand_account(document)
            report.demands += 1
            report.claims += len(account.claims)
            report.breaches += account.breaches()
            demands.update(account.claims)
        async for document in self._offers.each({}):
            account = convert.offer_account(document)
            report.offers += 1
            report.breaches += account.breaches()
            offers.update({(document["_id"], each): c for each, c in account.claims.items()})
        suspects = _suspects(demands, offers)
        if suspects:
            await asyncio.sleep(SECOND_LOOK_SECONDS)
            report.breaches += await self._second_look(suspects)
        return report

    async def _second_look(self, suspects: set[tuple[str, str, str]]) -> list[str]:
        found_demands = await self._demands.get_many(sorted({d for _, d, _ in suspects}))
        found_offers = await self._offers.get_many(sorted({o for _, _, o in suspects}))
        demands = {n: convert.demand_account(d) for n, d in found_demands.items()}
        offers = {n: convert.offer_account(d) for n, d in found_offers.items()}
        breaches = []
        for claim, demand, offer in sorted(suspects):
            asked = demands[demand].claims.get(claim) if demand in demands else None
            given = offers[offer].claims.get(claim) if offer in offers else None
            if difference := _difference(asked, given, offer):
                breaches.append(f"{claim}: {difference} ({demand}, {offer})")
        return breaches


def _suspects(
    demands: dict[str, Claim], offers: dict[tuple[str, str], Claim]
) -> set[tuple[str, str, str]]:
    pairs = {(offer, claim): each.demand for (offer, claim), each in offers.items()}
    for claim, each in demands.items():
        pairs.update({(offer, claim): each.demand for offer in each.terms.offers()})
    return {
        (claim, demand, offer)
        for (offer, claim), demand in pairs.items()
        if _difference(demands.get(claim), offers.get((offer, claim)), offer)
    }


def _difference(asked: Claim | None, given: Claim | None, offer: str) -> str:
    """Say how the two sides of a claim differ in a way that no hold under way explains.

    A hold writes the demand first, so a demand may be ahead of its offers; an offer's part
    that is held may be behind, and is freed or committed when it is due. Neither promises
    anything twice. What is committed has to stand on both sides alike.
    """
    asked_committed = asked is not None and asked.state is ClaimState.COMMITTED
    given_committed = given is not None and given.state is ClaimState.COMMITTED
    if asked_committed and given is None:
        assert asked is not None
        wanted = asked.terms.of_offer(offer).legs
        return "committed by the demand and unknown to the offer" if wanted else ""
    if given_committed and not asked_committed:
        return "committed by the offer and not by the demand"
    if asked_committed and given_committed:
        assert asked is not None
        assert given is not None
        if asked.terms.of_offer(offer).legs != given.terms.legs:
            return "committed with other quantities on both sides"
    return ""
