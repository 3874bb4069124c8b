"""Lists: pages, filters, and what this copy of the service and others have written."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api
from tests.e2e.registry_market import (
    FREE,
    Caller,
    Market,
    create_demand,
    create_offer,
    demand,
    offer,
    refused,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


async def test_pages_are_newest_first_and_bound_to_their_filter(market: Market) -> None:
    many = await market.sme("many", region="IT-45")
    for index in range(7):
        await create_offer(many, offer(f"Drilling number{index}"), offer_id=f"o{index}")
    request = api.ListOffersRequest(parent=many.organization, page_size=3)
    seen: list[str] = []
    while True:
        page = await many.registry.ListOffers(request)
        seen += [each.name.rpartition("/")[2] for each in page.offers]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [f"o{index}" for index in range(6, -1, -1)]
    first = await many.registry.ListOffers(
        api.ListOffersRequest(parent=many.organization, page_size=3)
    )
    request.page_token = first.next_page_token
    request.filter.text = "drilling"
    error = await refused(many.registry.ListOffers(request))
    assert error.reason == reason_pb2.REASON_PAGE_TOKEN_INVALID


async def test_lists_over_all_firms_follow_what_this_copy_and_others_write(
    market: Market, buyer: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, operator = await market.sme("roamer", region="IT-32"), await market.operator()
    posted = [
        await create_offer(owner, offer(f"Etching {n}", weeks=("2026-W50",)), offer_id=f"e{n}")
        for n in range(5)
    ]

    async def titles(caller: Caller = buyer, **filters: Any) -> list[str]:
        request = api.ListOffersRequest(
            parent="organizations/-", page_size=2, filter=api.PostingFilter(**filters)
        )
        found: list[str] = []
        while True:
            page = await caller.registry.ListOffers(request)
            found += [each.title for each in page.offers]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def become(expected: list[str], **filters: Any) -> None:
        async with asyncio.timeout(10):
            while await titles(**filters) != expected:  # noqa: ASYNC110 - events tell nobody
                await asyncio.sleep(0.05)

    newest_first = [f"Etching {n}" for n in range(4, -1, -1)]
    assert await titles(region="IT-32") == newest_first
    assert await titles(operator, region="IT-32", states=["STATE_OPEN"]) == newest_first
    assert await titles(region="IT-32", period="2026-W50") == newest_first
    assert await titles(region="IT-32", period="2026-W49") == []
    assert await titles(region="IT-32", states=["STATE_WITHDRAWN"]) == []
    await owner.registry.WithdrawOffer(api.WithdrawOfferRequest(name=posted[4].name))
    posted[3].title = "Engraving"
    await owner.registry.UpdateOffer(
        api.UpdateOfferRequest(offer=posted[3], update_mask=FieldMask(paths=["title"]))
    )
    assert await titles(region="IT-32", text="etching") == newest_first[2:]
    assert await titles(region="IT-32", text="engraving") == ["Engraving"]

    # As when another copy of the service writes: only the events tell of it.
    monkeypatch.setattr(market.running.postings.stores.offers, "watcher", lambda _: None)
    await create_offer(owner, offer("Etching elsewhere"))
    await become(["Etching elsewhere", *newest_first[2:]], region="IT-32", text="etching")
    firm = Organization(name=owner.organization, region="IT-34")
    await owner.registry.UpdateOrganization(
        api.UpdateOrganizationRequest(organization=firm, update_mask=FieldMask(paths=["region"]))
    )
    await become([], region="IT-32")
    await become(["Etching elsewhere", "Engraving", *newest_first[2:]], region="IT-34")


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (api.PostingFilter(text="Zerspanung"), {"lathe"}),
        (api.PostingFilter(text="zerspanung 2-achs"), {"lathe"}),
        (api.PostingFilter(text="注塑"), {"mould"}),
        (api.PostingFilter(text="注塑机时"), {"mould"}),
        (api.PostingFilter(text="absent"), set()),
        (api.PostingFilter(period="2026-W49"), {"mould"}),
        (api.PostingFilter(capability=FREE.partition(".")[0]), {"lathe", "mould"}),
        (api.PostingFilter(capability="marketing.livestream"), set()),
        (api.PostingFilter(region="FR"), {"lathe", "mould"}),
        (api.PostingFilter(region="FR-IDF", text="注塑"), {"mould"}),
        (api.PostingFilter(region="FR-ARA"), set()),
        (api.PostingFilter(states=["STATE_WITHDRAWN"]), set()),
    ],
)
async def test_filters_find_what_they_name(
    market: Market, buyer: Caller, filter_: api.PostingFilter, found: set[str]
) -> None:
    if not getattr(market, "filtered", False):
        filtered = await market.sme("filtered", region="FR-IDF")
        await create_offer(filtered, offer("Zerspanung 2-Achs Drehen"), offer_id="lathe")
        await create_offer(filtered, offer("注塑机时", weeks=("2026-W49",)), offer_id="mould")
        market.filtered = True  # type: ignore[attr-defined]
    page = await buyer.registry.ListOffers(
        api.ListOffersRequest(parent="organizations/-", filter=filter_, page_size=1000)
    )
    mine = {n.rpartition("/")[2] for o in page.offers if "filtered" in (n := o.name)}
    assert mine == found


async def test_demands_are_listed_by_what_an_offer_could_serve(market: Market) -> None:
    owner, reader = await market.sme("asker"), await market.sme("server")
    milling = "production.machining.milling"
    for title, code in (("above", milling), ("same", f"{milling}.3-axis"), ("beside", FREE)):
        await create_demand(owner, demand(title, capability=code))
    await create_demand(owner, demand("other branch of it", capability=f"{milling}.5-axis"))

    async def served_by(code: str) -> list[str]:
        request = api.ListDemandsRequest(
            parent="organizations/-", filter=api.PostingFilter(served_by=code)
        )
        found = await reader.registry.ListDemands(request)
        return [each.title for each in found.demands]

    assert await served_by(f"{milling}.3-axis") == ["same", "above"]
    assert await served_by(milling) == ["above"]
    assert await served_by("production.machining") == []
