"""Drafts are one member's own and outlive a sign-out; the market's figures tell what is public;
files are checked and posted by the registry itself."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.chassis import freshness
from services.chassis.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.registry.domain import periods
from services.registry.usecases.drafts import MOST
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.market.v1.draft_pb2 import Draft, DraftTexts
from spareline.market.v1.import_pb2 import Import, ImportLine, ImportProblem, ImportRow, ImportTable
from spareline.market.v1.organization_pb2 import Member
from spareline.registry.v1 import draft_service_pb2 as drafts
from spareline.registry.v1 import draft_service_pb2_grpc as drafts_grpc
from spareline.registry.v1 import identity_service_pb2 as identity
from spareline.registry.v1 import import_service_pb2 as imports
from spareline.registry.v1 import import_service_pb2_grpc as imports_grpc
from spareline.registry.v1 import market_data_service_pb2 as data
from spareline.registry.v1 import market_data_service_pb2_grpc as data_grpc
from spareline.registry.v1 import registry_service_pb2 as api
from tests import servers
from tests.e2e.registry_market import (
    FREE,
    PASSWORD,
    Caller,
    Market,
    create_demand,
    create_offer,
    demand,
    offer,
    refused,
    running_market,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    folder: Path = tmp_path_factory.mktemp("drafts")
    async with (
        servers.mongo_server() as store,
        servers.nats_server() as bus,
        running_market(store.url, bus.url, "registry", folder) as running,
    ):
        yield running


async def me(caller: Caller) -> str:
    answer = await caller.identity.WhoAmI(identity.WhoAmIRequest())
    return str(answer.subject)


def stub(caller: Caller) -> Any:
    return drafts_grpc.DraftServiceStub(caller.channel)


def figures(caller: Caller) -> Any:
    return data_grpc.MarketDataServiceStub(caller.channel)


def read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the market read anew for every question, and waited for."""
    for name, value in (("SHARE", 0), ("FRESH_SECONDS", 0.0), ("WORTH_WAITING_SECONDS", 60.0)):
        monkeypatch.setattr(freshness, name, value)


def draft(name: str, **fields: str) -> Draft:
    texts = {key: DraftTexts(texts=[value]) for key, value in fields.items()}
    return Draft(name=name, kind=Draft.KIND_OFFER, title=fields.get("title", ""), fields=texts)


async def test_a_draft_is_kept_until_it_is_thrown_away(market: Market) -> None:
    owner = await market.sme("drafty")
    calls, parent = stub(owner), await me(owner)
    name = f"{parent}/drafts/one"
    error = await refused(calls.UpdateDraft(drafts.UpdateDraftRequest(draft=draft(name))))
    assert isinstance(error, NotFound)
    request = drafts.UpdateDraftRequest(
        draft=draft(name, title="铣床", unit_price="abc"),
        allow_missing=True,
        request_id=str(uuid.uuid4()),
    )
    first = await calls.UpdateDraft(request)
    assert await calls.UpdateDraft(request) == first  # a repeat changes nothing
    second = await calls.UpdateDraft(
        drafts.UpdateDraftRequest(draft=draft(name, title="五轴铣床", unit_price="180"))
    )
    assert second.etag != first.etag
    again = await market._signed_in(market.stranger(), "owner@drafty.example")
    kept = await stub(again).GetDraft(drafts.GetDraftRequest(name=name))
    assert kept == second
    assert kept.fields["unit_price"].texts == ["180"]
    listed = await stub(again).ListDrafts(drafts.ListDraftsRequest(parent=parent))
    assert [(each.name, each.title, len(each.fields)) for each in listed.drafts] == [
        (name, "五轴铣床", 0)
    ]
    for _ in range(2):
        await calls.DeleteDraft(drafts.DeleteDraftRequest(name=name))
    error = await refused(calls.GetDraft(drafts.GetDraftRequest(name=name)))
    assert isinstance(error, NotFound)


async def test_nobody_else_reads_a_draft_and_it_goes_with_its_member(market: Market) -> None:
    owner = await market.sme("private")
    trader = market.stranger()
    email = "trader@private.example"
    member = await owner.identity.CreateMember(
        identity.CreateMemberRequest(
            parent=owner.organization,
            member=Member(email=email, display_name="T", role=Member.ROLE_TRADER),
            password=PASSWORD,
        )
    )
    await market._signed_in(trader, email)
    name = f"{member.name}/drafts/secret"
    update = drafts.UpdateDraftRequest(draft=draft(name, l0_limit="260"), allow_missing=True)
    await stub(trader).UpdateDraft(update)
    for caller in (owner, await market.operator(), await market.sme("curious")):
        for call in (
            stub(caller).GetDraft(drafts.GetDraftRequest(name=name)),
            stub(caller).ListDrafts(drafts.ListDraftsRequest(parent=member.name)),
            stub(caller).UpdateDraft(update),
            stub(caller).DeleteDraft(drafts.DeleteDraftRequest(name=name)),
        ):
            assert isinstance(await refused(call), PermissionDenied)
    await owner.identity.DeleteMember(identity.DeleteMemberRequest(name=member.name))
    store = market.running.identity.drafts._store
    assert await store.of_member(member.name) == []


async def test_a_member_keeps_so_many_drafts_and_none_too_large(market: Market) -> None:
    owner = await market.sme("hoarder")
    calls, parent = stub(owner), await me(owner)

    def update(number: int, **fields: str) -> drafts.UpdateDraftRequest:
        found = draft(f"{parent}/drafts/d{number}", **fields)
        return drafts.UpdateDraftRequest(draft=found, allow_missing=True)

    await asyncio.gather(*(calls.UpdateDraft(update(n)) for n in range(MOST)))
    error = await refused(calls.UpdateDraft(update(MOST)))
    assert isinstance(error, FailedPrecondition)
    large = {f"f{n}": "x" * 5000 for n in range(20)}
    assert isinstance(await refused(calls.UpdateDraft(update(1, **large))), InvalidArgument)
    await calls.DeleteDraft(drafts.DeleteDraftRequest(name=f"{parent}/drafts/d0"))
    await calls.UpdateDraft(update(MOST))


async def test_an_erased_organization_leaves_no_draft(market: Market) -> None:
    owner = await market.sme("leaver")
    parent = await me(owner)
    await stub(owner).UpdateDraft(
        drafts.UpdateDraftRequest(draft=draft(f"{parent}/drafts/x"), allow_missing=True)
    )
    await owner.registry.EraseOrganization(api.EraseOrganizationRequest(name=owner.organization))
    assert await market.running.identity.drafts._store.of_member(parent) == []


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


async def test_figures_come_from_what_is_public_and_from_enough_firms(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at_once(monkeypatch)
    reader = await market.sme("reader")
    firms = [await market.sme(f"seller-{n}", region="CN-JS") for n in range(5)]
    sealed = Disclosure(price=disclosure_pb2.DISCLOSURE_LEVEL_NEVER)

    async def summary() -> data.CapabilitySummary:
        answer = await figures(reader).BatchGetCapabilitySummaries(
            data.BatchGetCapabilitySummariesRequest(
                names=[f"capabilities/{FREE}/summary"], region="CN-JS"
            )
        )
        found: data.CapabilitySummary = answer.summaries[0]
        return found

    before = await summary()
    for price, firm in zip((100, 200, 300, 400), firms, strict=False):
        await create_offer(firm, offer(unit_price=price))
    await create_offer(firms[4], offer(unit_price=1, disclosure=sealed))
    await create_offer(reader, offer(unit_price=7))  # one's own does not count
    await create_demand(firms[0], demand())
    few = await summary()
    assert few.offers - before.offers == 5
    assert (few.demands_in_region, few.demands_in_country) == (1, few.demands)
    assert not few.HasField("asked")
    for _ in range(3):  # many offers of one firm are one price
        await create_offer(firms[4], offer(unit_price=500))
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


async def _settled(calls: Any, name: str, state: "Import.State.ValueType") -> Import:
    async with asyncio.timeout(60):
        while True:
            found: Import = await calls.GetImport(imports.GetImportRequest(name=name))
            if found.state == state:
                return found
            await asyncio.sleep(0.1)


def _counts(found: Import) -> tuple[int, ...]:
    return found.rows, found.checked, found.bad, found.unchanged, found.done, found.taken


def _rows(parent: str, first: int, count: int) -> list[ImportRow]:
    found = []
    for index in range(first, first + count):
        posting = offer(f"Machine {index}")
        posting.name = f"{parent}/offers/machine-{index}"
        lines = [ImportLine(number=index + 2, cells=[posting.title])]
        found.append(ImportRow(index=index, lines=lines, offer=posting))
    return found


async def test_a_file_is_checked_and_posted_and_a_crash_takes_no_row_twice(market: Market) -> None:
    owner = await market.sme("filer")
    calls: Any = imports_grpc.ImportServiceStub(owner.channel)
    parent = owner.organization
    await create_offer(owner, offer("Machine 5"), offer_id="machine-5")
    begun = imports.CreateImportRequest(
        parent=parent,
        file=Import(file_name="machines.csv", tables=[ImportTable(header=["Title"])]),
        request_id=str(uuid.uuid4()),
    )
    name = (await calls.CreateImport(begun)).name
    assert (await calls.CreateImport(begun)).name == name

    rows = _rows(parent, 0, 700)
    rows[3].problems.append(ImportProblem(field="title", description="it is odd"))
    rows[4].ClearField("offer")
    rows[610].offer.capability = "no.such.thing"
    rows[611].offer.name = "organizations/somebody-else/offers/x"
    gap = imports.AddImportRowsRequest(name=name, rows=rows[10:20])
    assert isinstance(await refused(calls.AddImportRows(gap)), InvalidArgument)
    # As a crash leaves it that comes after rows are stored and before the import knows of them.
    await market.running.identity.imports.add(name, 0, [rows[9].SerializeToString()], [])
    await calls.AddImportRows(imports.AddImportRowsRequest(name=name, rows=rows[:400]))
    # A repeat overlaps what is there.
    last = imports.AddImportRowsRequest(name=name, rows=rows[300:], last=True)
    await calls.AddImportRows(last)
    await calls.AddImportRows(last)
    ready = await _settled(calls, name, Import.STATE_READY)
    assert _counts(ready) == (700, 700, 4, 1, 0, 0)
    request = imports.ListImportRowsRequest(parent=name, only_bad=True, page_size=3)
    page = await calls.ListImportRows(request)
    assert [row.index for row in page.rows] == [3, 4, 610]
    assert page.rows[2].problems[0].field == "capability"
    request.page_token = page.next_page_token
    page = await calls.ListImportRows(request)
    assert [row.index for row in page.rows] == [611]
    assert not page.next_page_token

    confirm = imports.ConfirmImportRequest(name=name, request_id=str(uuid.uuid4()))
    assert isinstance(await refused(calls.ConfirmImport(confirm)), FailedPrecondition)
    confirm.good_only = True
    await calls.ConfirmImport(confirm)
    await calls.ConfirmImport(confirm)
    done = await _settled(calls, name, Import.STATE_DONE)
    assert _counts(done) == (700, 700, 4, 1, 700, 695)

    # As a crash leaves it that comes after the rows are posted and before that is noted.
    store = market.running.identity.imports.aggregates
    document = await store.get(name)
    assert document is not None
    before = {"state": "STATE_POSTING", "done": 0, "taken": 0, "due_ms": 0}
    assert await store.compare_and_set(name, document["revision"], before)
    again = await _settled(calls, name, Import.STATE_DONE)
    assert _counts(again) == _counts(done)
    listed = await owner.registry.ListOffers(api.ListOffersRequest(parent=parent, page_size=1000))
    assert len(listed.offers) == 696

    for other in (await market.sme("nosy"), await market.operator()):
        theirs: Any = imports_grpc.ImportServiceStub(other.channel)
        error = await refused(theirs.GetImport(imports.GetImportRequest(name=name)))
        assert isinstance(error, PermissionDenied)
    for _ in range(2):
        await calls.DeleteImport(imports.DeleteImportRequest(name=name))
    assert isinstance(await refused(calls.GetImport(imports.GetImportRequest(name=name))), NotFound)
    assert await market.running.identity.imports.chunk(name, 0) is None


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
            kind=data.SearchPostingsRequest.KIND_OFFERS, region="IT", **more
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
