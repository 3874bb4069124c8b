"""The first page: for a visitor what Spareline is, for a firm what needs an answer."""

from __future__ import annotations

import asyncio

from aiohttp import web

from services.gateway.market import capabilities
from services.gateway.people import PERSON, caller
from services.gateway.render import render
from spareline.market.v1 import demand_pb2, offer_pb2
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import registry_service_pb2 as registry

_SHOWN = 6


async def home(request: web.Request) -> web.Response:
    """Show the welcome page, or the day's work."""
    person = request.get(PERSON)
    if person is None:
        return await render(request, "welcome.html")
    calls = caller(request)
    to_answer, open_offers, open_demands = await asyncio.gather(
        calls.call(
            calls.services.matching.ListProposals,
            matching.ListProposalsRequest(
                parent="rounds/-", party=person.organization, awaiting_answer=True, page_size=_SHOWN
            ),
        ),
        calls.call(
            calls.services.registry.ListOffers,
            registry.ListOffersRequest(
                parent=person.organization,
                page_size=_SHOWN,
                filter=registry.PostingFilter(
                    states=[offer_pb2.Offer.State.Name(offer_pb2.Offer.STATE_OPEN)]
                ),
            ),
        ),
        calls.call(
            calls.services.registry.ListDemands,
            registry.ListDemandsRequest(
                parent=person.organization,
                page_size=_SHOWN,
                filter=registry.PostingFilter(
                    states=[demand_pb2.Demand.State.Name(demand_pb2.Demand.STATE_OPEN)]
                ),
            ),
        ),
    )
    return await render(
        request,
        "home.html",
        proposals=to_answer.proposals,
        more_proposals=bool(to_answer.next_page_token),
        offers=open_offers.offers,
        demands=open_demands.demands,
        capabilities=await capabilities(request),
    )
