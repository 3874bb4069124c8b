"""The first page: for a visitor what Spareline is, for a firm what needs an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from services.gateway import prices
from services.gateway.clients import Caller
from services.gateway.forms import drafts, quantities
from services.gateway.market import capabilities
from services.gateway.people import PERSON, Person, caller
from services.gateway.render import render
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer, PeriodBalance
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import registry_service_pb2 as registry

_SHOWN = 6
WEEKS = 12


@dataclass(frozen=True, slots=True)
class Outlook:
    """An offer's next weeks: one balance for each, and their sums in ticks.

    ``worth`` is what the free part would earn at the offer's price, in minor units.
    """

    offer: Offer
    weeks: Sequence[PeriodBalance]
    free: int
    held: int
    committed: int
    worth: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a demand has come, in thousandths of what it asks, over all its lines."""

    demand: Demand
    committed: int
    held: int


def outlook(offer: Offer, weeks: Sequence[str]) -> Outlook:
    """Return the balances of an offer in those weeks, empty where it has none."""
    known = {balance.period: balance for balance in offer.balances}
    found = [known.get(week) or PeriodBalance(period=week) for week in weeks]
    held, committed = sum(b.held for b in found), sum(b.committed for b in found)
    free = sum(b.capacity for b in found) - held - committed
    return Outlook(offer, found, free, held, committed, free * offer.unit_price)


def standing(demand: Demand) -> Standing:
    """Return how far a demand has come; its lines count alike, as their units differ."""
    lines = [balance for balance in demand.balances if balance.quantity]
    count = max(1, len(lines))
    return Standing(
        demand,
        sum(1000 * b.committed // b.quantity for b in lines) // count,
        sum(1000 * b.held // b.quantity for b in lines) // count,
    )


async def home(request: web.Request) -> web.Response:
    """Show the welcome page, or the day's work."""
    person = request.get(PERSON)
    if person is None:
        return await render(request, "welcome.html")
    calls = caller(request)
    to_answer, offers, demands, firm, begun = await asyncio.gather(
        _to_answer(calls, person),
        _offers(calls, person),
        _demands(calls, person),
        calls.call(
            calls.services.registry.GetOrganization,
            registry.GetOrganizationRequest(name=person.organization),
        ),
        drafts.listing(request),
    )
    weeks = quantities.upcoming(date.today(), WEEKS)
    codes = [offer.capability for offer in offers.offers]
    return await render(
        request,
        "home.html",
        proposals=to_answer.proposals,
        more_proposals=bool(to_answer.next_page_token),
        outlooks=[outlook(offer, weeks) for offer in offers.offers],
        more_offers=bool(offers.next_page_token),
        standings=[standing(demand) for demand in demands.demands],
        more_demands=bool(demands.next_page_token),
        drafts=begun[:_SHOWN],
        region=firm.region,
        summaries=await prices.summaries(request, codes, firm.region),
        capabilities=await capabilities(request),
    )


async def _to_answer(calls: Caller, person: Person) -> matching.ListProposalsResponse:
    found: matching.ListProposalsResponse = await calls.call(
        calls.services.matching.ListProposals,
        matching.ListProposalsRequest(
            parent="rounds/-", party=person.organization, awaiting_answer=True, page_size=_SHOWN
        ),
    )
    return found


async def _offers(calls: Caller, person: Person) -> registry.ListOffersResponse:
    found: registry.ListOffersResponse = await calls.call(
        calls.services.registry.ListOffers,
        registry.ListOffersRequest(
            parent=person.organization,
            page_size=_SHOWN,
            filter=registry.PostingFilter(states=_names(Offer, [Offer.STATE_OPEN])),
        ),
    )
    return found


async def _demands(calls: Caller, person: Person) -> registry.ListDemandsResponse:
    states = [Demand.STATE_OPEN, Demand.STATE_MATCHED]
    found: registry.ListDemandsResponse = await calls.call(
        calls.services.registry.ListDemands,
        registry.ListDemandsRequest(
            parent=person.organization,
            page_size=_SHOWN,
            filter=registry.PostingFilter(states=_names(Demand, states)),
        ),
    )
    return found


def _names(kind: type[Offer] | type[Demand], states: Iterable[int]) -> list[str]:
    return [kind.State.Name(state) for state in states]  # type: ignore[arg-type]
