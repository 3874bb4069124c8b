"""Who sees what of a posting, and what the log says of it."""

import asyncio
from typing import Any

import pytest

from services.chassis.errors import NotFound
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.market.v1.offer_pb2 import Offer
from spareline.registry.v1 import ledger_service_pb2
from spareline.registry.v1 import registry_service_pb2 as api
from tests.e2e.registry_market import (
    Caller,
    Market,
    claim,
    create_demand,
    create_offer,
    demand,
    offer,
    refused,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

NEVER = disclosure_pb2.DISCLOSURE_LEVEL_NEVER
ON_PROPOSAL = disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL
ON_CONFIRMATION = disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION


async def test_another_organization_sees_only_what_is_disclosed(
    market: Market, matching: Caller
) -> None:
    owner, reader, third = [await market.sme(name) for name in ("shy", "reader", "third")]
    levels = Disclosure(
        identity=ON_CONFIRMATION, price=ON_PROPOSAL, quantity=NEVER, requirements=ON_CONFIRMATION
    )
    posting = offer("Quiet capacity", minimum_order=2, disclosure=levels)
    posting.reach.regions.append("CN")
    mine = await create_offer(owner, posting, offer_id="quiet")
    wanted = await create_demand(reader, demand(quantity=30))

    async def seen_by(caller: Caller) -> Offer:
        page = await caller.registry.ListOffers(
            api.ListOffersRequest(
                parent="organizations/-", filter=api.PostingFilter(text="quiet capacity")
            )
        )
        [found] = page.offers
        again = await caller.registry.GetOffer(api.GetOfferRequest(name=found.name))
        assert again == found
        shown: Offer = found
        return shown

    hidden = await seen_by(reader)
    assert hidden.name.startswith("organizations/undisclosed/offers/")
    assert "shy" not in str(hidden)
    assert (hidden.unit_price, len(hidden.capacity), len(hidden.reach.regions)) == (0, 0, 0)
    assert hidden.title == "Quiet capacity"
    by_name = api.GetOfferRequest(name=mine.name)
    assert isinstance(await refused(reader.registry.GetOffer(by_name)), NotFound)
    page = await reader.registry.ListOffers(api.ListOffersRequest(parent=owner.organization))
    assert list(page.offers) == []

    held = claim("rounds/2/proposals/quiet", wanted.name, (mine.name, "2026-W50", 5))
    await matching.ledger.BatchHold(ledger_service_pb2.BatchHoldRequest(claims=[held]))
    assert (await seen_by(reader)).unit_price == 5000
    assert (await seen_by(third)).unit_price == 0
    refs = [
        ledger_service_pb2.ClaimRef(
            claim=held.claim, demand=wanted.name, offers=[mine.name], version=1
        )
    ]
    await matching.ledger.BatchCommit(ledger_service_pb2.BatchCommitRequest(claims=refs))
    confirmed = await reader.registry.GetOffer(by_name)
    assert (confirmed.name, list(confirmed.reach.regions)) == (mine.name, ["CN"])
    assert not confirmed.capacity

    entries = await _audit(owner, actor=reader.organization)
    assert {entry.resource for entry in entries} == {mine.name}
    assert {"unit_price", "name", "reach"} <= {f for entry in entries for f in entry.fields}
    assert await _audit(owner, actor=third.organization) == []


async def _audit(owner: Caller, actor: str) -> list[Any]:
    await asyncio.sleep(0.5)
    page = await owner.registry.ListAuditEntries(
        api.ListAuditEntriesRequest(parent=owner.organization, page_size=1000)
    )
    return [
        entry
        for entry in page.audit_entries
        if entry.actor_organization == actor and entry.action == "read"
    ]


async def test_a_demand_s_limit_price_is_nobody_s_business_by_default(
    market: Market, buyer: Caller, acme: Caller
) -> None:
    posting = demand("Hidden limit", preferred_organizations=[acme.organization])
    mine = await create_demand(buyer, posting)
    request = api.GetDemandRequest(name=mine.name)
    seen: Demand = await acme.registry.GetDemand(request)
    assert seen.lines[0].limit_price == 0
    assert list(seen.preferred_organizations) == []
    assert seen.lines[0].quantity == 30
    assert (await buyer.registry.GetDemand(request)).lines[0].limit_price == 6000
    operator = await market.operator()
    # Who runs the market reads more than a stranger, but a sealed price is read by nobody.
    assert (await operator.registry.GetDemand(request)).lines[0].limit_price == 0
