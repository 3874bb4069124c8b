"""The market's figures and its search tell what is public, and only of enough firms."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.chassis import freshness
from services.chassis.errors import (
    InvalidArgument,
    NotFound,
)
from services.registry.domain import periods
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.registry.v1 import market_data_service_pb2 as data
from spareline.registry.v1 import market_data_service_pb2_grpc as data_grpc
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

RARE = "brand.licensing"
"""Nobody else offers it, so that the figures are of what is posted here."""


def figures(caller: Caller) -> Any:
    return data_grpc.MarketDataServiceStub(caller.channel)


def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the market read anew for every question, and waited for."""
    for name, value in (("SHARE", 0), ("FRESH_SECONDS", 0.0), ("WORTH_WAITING_SECONDS", 60.0)):
        monkeypatch.setattr(freshness, name, value)


async def test_figures_come_from_what_is_public_and_from_enough_firms(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at_once(monkeypatch)
    reader = await market.sme("figures-reader")
    firms = [await market.sme(f"seller-{n}", region="CN-JS") for n in range(5)]
    sealed = Disclosure(price=disclosure_pb2.DISCLOSURE_LEVEL_NEVER)

    async def summary() -> data.CapabilitySummary:
        answer = await figures(reader).BatchGetCapabilitySummaries(
            data.BatchGetCapabilitySummariesRequest(
                names=[f"capabilities/{RARE}/summary"], region="CN-JS"
            )
        )
        found: data.CapabilitySummary = answer.summaries[0]
        return found

    before = await summary()
    for price, firm in zip((100, 200, 300, 400), firms, strict=False):
        await create_offer(firm, offer(capability=RARE, unit_price=price))
    await create_offer(firms[4], offer(capability=RARE, unit_price=1, disclosure=sealed))
    await create_offer(reader, offer(capability=RARE, unit_price=7))  # one's own does not count
    await create_demand(firms[0], demand(capability=RARE))
    few = await summary()
    assert few.offers - before.offers == 5
    assert (few.demands_in_region, few.demands_in_country) == (1, few.demands)
    assert not few.HasField("asked")
    for _ in range(3):  # many offers of one firm are one price
        await create_offer(firms[4], offer(capability=RARE, unit_price=500))
    band = (await summary()).asked
    assert (band.organizations, band.lower_quartile, band.median, band.upper_quartile) == (
        5,
        200,
        300,
        400,
    )
    unknown = data.BatchGetCapabilitySummariesRequest(names=["capabilities/none/summary"])
    error = await refused(figures(reader).BatchGetCapabilitySummaries(unknown))
    assert isinstance(error, NotFound)


async def test_a_search_shows_what_may_be_seen_and_only_what_is_open(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at_once(monkeypatch)
    reader = await market.sme("seeker")
    open_firm = await market.sme("open-firm", region="IT-25", standards=["ISO 9001"])
    shy_firm = await market.sme("shy-firm", region="IT-25", standards=["ISO 9001"])
    level = disclosure_pb2.DISCLOSURE_LEVEL_NEVER
    shy = Disclosure(identity=level, quantity=level, price=level)
    mute = Disclosure(attributes=level)
    await create_offer(open_firm, offer("琴弦振动测试 Violin strings"))
    hidden = await create_offer(shy_firm, offer("Violin bodies", disclosure=shy))
    await create_offer(shy_firm, offer("Violin secrets", disclosure=mute))
    await create_offer(reader, offer("My own violin"))

    async def search(**more: Any) -> data.SearchPostingsResponse:
        request = data.SearchPostingsRequest(
            kind=data.SearchPostingsRequest.KIND_OFFERS, region="IT-25", **more
        )
        found: data.SearchPostingsResponse = await figures(reader).SearchPostings(request)
        return found

    found = (await search(text="violin")).postings
    assert [each.offer.title for each in found] == ["Violin bodies", "琴弦振动测试 Violin strings"]
    assert [each.organization_display_name for each in found] == ["", "open-firm"]
    assert [list(each.standards) for each in found] == [[], ["ISO 9001"]]
    assert [each.region for each in found] == ["IT-25"] * 2
    assert found[0].offer.name.startswith("organizations/undisclosed/")
    assert (found[0].offer.unit_price, len(found[0].offer.capacity)) == (0, 0)
    assert [e.offer.title for e in (await search(text="振动测试")).postings] == [
        "琴弦振动测试 Violin strings"
    ]
    # By what is hidden nothing is found: not by trying weeks, quantities or standards.
    for filters in (
        {"earliest": "2026-W50"},
        {"capability": FREE, "least_quantity": 1},
        {"standards": ["ISO 9001"]},
    ):
        titles = [each.offer.title for each in (await search(text="violin", **filters)).postings]
        assert titles == ["琴弦振动测试 Violin strings"], filters
    first = await search(page_size=2)
    second = await search(page_size=2, page_token=first.next_page_token)
    assert (first.total_size, len(first.postings), len(second.postings)) == (3, 2, 1)
    assert second.next_page_token == ""
    error = await refused(search(least_quantity=1))
    assert isinstance(error, InvalidArgument)
    assert error.violations[0].field == "least_quantity"

    # What was withdrawn since the market was read is not shown.
    monkeypatch.setattr(freshness, "SHARE", 10**9)
    await shy_firm.registry.WithdrawOffer(api.WithdrawOfferRequest(name=hidden.name))
    assert [each.offer.title for each in (await search(text="violin")).postings] == [
        "琴弦振动测试 Violin strings"
    ]


async def test_the_market_view_shows_places_with_enough_firms(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at_once(monkeypatch)
    firms = [await market.sme(f"isle-{n}", region="IT-88") for n in range(3)]
    this = periods.of_day(datetime.now(UTC).date())
    weeks = [periods.week(this + 1), periods.week(this + 2)]

    async def view(region: str) -> data.MarketView:
        name = f"capabilities/{FREE}/marketView"
        found: data.MarketView = await figures(firms[0]).GetMarketView(
            data.GetMarketViewRequest(name=name, region=region)
        )
        return found

    for firm in firms[:2]:
        await create_offer(firm, offer(capacity=10, weeks=weeks))
    assert (await view("IT-88")).total.offers == 0  # two firms are too few
    await create_offer(firms[2], offer(capacity=7, weeks=weeks))
    shown = await view("IT-88")
    assert shown.total.offers == 3
    assert {week.period: week.free for week in shown.weeks if week.free} == dict.fromkeys(weeks, 27)
    assert shown.unit.code
    unknown = data.GetMarketViewRequest(name="capabilities/none/marketView")
    assert isinstance(await refused(figures(firms[0]).GetMarketView(unknown)), NotFound)
