"""Posting, changing, finding and reading, over real gRPC on a real store and bus."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis import events
from services.chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from spareline.errors.v1 import reason_pb2
from spareline.events.v1 import events_pb2
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.capability_pb2 import (
    AttributeSchema,
    AttributeValue,
    Capability,
    Codes,
    LocalizedText,
)
from spareline.market.v1.demand_pb2 import Demand, Precedence
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import ledger_service_pb2, taxonomy_service_pb2_grpc
from spareline.registry.v1 import registry_service_pb2 as api
from spareline.registry.v1 import taxonomy_service_pb2 as tax
from tests import servers
from tests.e2e.registry_market import (
    FREE,
    MILLING,
    Caller,
    Market,
    claim,
    create_demand,
    create_offer,
    demand,
    offer,
    refused,
    running_market,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

NEVER = disclosure_pb2.DISCLOSURE_LEVEL_NEVER
ON_PROPOSAL = disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL
ON_CONFIRMATION = disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str, Path]]:
    async with servers.mongo_server() as store, servers.nats_server() as bus:
        yield store.url, bus.url, tmp_path_factory.mktemp("registry")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(stack: tuple[str, str, Path]) -> AsyncIterator[Market]:
    store, bus, folder = stack
    async with running_market(store, bus, "registry", folder) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def acme(market: Market) -> Caller:
    return await market.sme("acme")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def buyer(market: Market) -> Caller:
    return await market.sme("buyer", region="DE-BW")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matching(market: Market) -> Caller:
    return await market.matching()


async def test_every_fault_is_named_with_its_field_and_the_mend(acme: Caller) -> None:
    wrong = offer(
        capability=MILLING,
        attributes={"axes": AttributeValue(integer=5), "nonsense": AttributeValue(boolean=True)},
        capacity=10,
        minimum_run=21,
        weeks=("2026-W50", "2026-W50"),
    )
    wrong.requirements.excluded_organizations.append("acme")
    error = await refused(create_offer(acme, wrong))
    assert isinstance(error, InvalidArgument)
    fields = {violation.field: violation.description for violation in error.violations}
    assert "offer.attributes[nonsense]" in fields
    assert "offer.attributes[materials]" in fields  # missing, and required
    assert "given twice" in fields["offer.capacity[1].period"]
    assert "20 ticks" in fields["offer.minimum_run"]
    assert "offer.requirements.excluded_organizations[0]" in fields


async def test_an_unknown_capability_is_refused_with_near_ones(acme: Caller) -> None:
    error = await refused(create_offer(acme, offer(capability="production.machining.miling")))
    assert error.reason == reason_pb2.REASON_CAPABILITY_UNKNOWN
    [violation] = error.violations
    assert violation.field == "offer.capability"
    assert MILLING in violation.description


async def test_a_demand_s_faults_point_into_its_lines(buyer: Caller) -> None:
    wrong = demand(quantity=30)
    wrong.lines.add().CopyFrom(wrong.lines[0])
    wrong.lines[1].id = "later"
    wrong.lines[1].window.latest = "2025-W53"
    wrong.lines[1].window.earliest = "2025-W53"
    wrong.lines[0].sourcing.max_partners = 4
    wrong.lines[0].sourcing.least_share = 10
    wrong.precedences.extend(
        [
            Precedence(before="part", after="later"),
            Precedence(before="later", after="part"),
            Precedence(before="part", after="nothing"),
        ]
    )
    error = await refused(create_demand(buyer, wrong))
    fields = {violation.field: violation.description for violation in error.violations}
    assert "no week" in fields["demand.lines[1].window.latest"]
    assert "at most 3 partners" in fields["demand.lines[0].sourcing.max_partners"]
    assert "later" in fields["demand.precedences[2].after"]
    assert "wait for each other" in fields["demand.precedences"]


async def test_a_request_that_comes_twice_posts_once(acme: Caller) -> None:
    identity = str(uuid.uuid4())
    posting = offer("Twice")
    first = await create_offer(acme, posting, request_id=identity)
    assert await create_offer(acme, posting, request_id=identity) == first
    error = await refused(create_offer(acme, offer("Other"), request_id=identity))
    assert error.reason == reason_pb2.REASON_REQUEST_ID_REUSED


async def test_validating_only_stores_nothing(acme: Caller) -> None:
    seen = await create_offer(acme, offer("Dry"), offer_id="dry", validate_only=True)
    assert seen.name == "organizations/acme/offers/dry"
    error = await refused(acme.registry.GetOffer(api.GetOfferRequest(name=seen.name)))
    assert isinstance(error, NotFound)


async def test_a_taken_name_is_refused(acme: Caller) -> None:
    await create_offer(acme, offer(), offer_id="taken")
    error = await refused(create_offer(acme, offer(), offer_id="taken"))
    assert isinstance(error, AlreadyExists)


async def test_an_update_changes_what_the_mask_names(acme: Caller) -> None:
    posted = await create_offer(acme, offer("Before", minimum_order=3), offer_id="masked")

    async def update(*paths: str, **fields: Any) -> Offer:
        changed: Offer = await acme.registry.UpdateOffer(
            api.UpdateOfferRequest(
                offer=Offer(name=posted.name, **fields), update_mask=FieldMask(paths=paths)
            )
        )
        return changed

    after = await update("title", title="After", minimum_order=9)
    assert (after.title, after.minimum_order, after.generation) == ("After", 3, 2)
    after = await update("disclosure.price", disclosure=Disclosure(price=NEVER))
    assert after.disclosure.price == NEVER
    assert after.title == "After"
    error = await refused(update("title", "colour", "state", title="x"))
    assert {v.field for v in error.violations} == {"update_mask"}
    assert len(error.violations) == 2
    error = await refused(update("title", title="x", etag=posted.etag))
    assert isinstance(error, Aborted)
    assert error.reason == reason_pb2.REASON_ETAG_MISMATCH
    assert (await update("title", title="Last", etag=after.etag)).title == "Last"


async def test_capacity_cannot_go_below_what_is_held(
    acme: Caller, buyer: Caller, matching: Caller
) -> None:
    mill = await create_offer(acme, offer(capacity=40), offer_id="shrinking")
    wanted = await create_demand(buyer, demand(quantity=30))
    held = claim("rounds/1/proposals/shrink", wanted.name, (mill.name, "2026-W50", 30))
    await matching.ledger.BatchHold(ledger_service_pb2.BatchHoldRequest(claims=[held]))
    smaller = Offer(name=mill.name)
    smaller.capacity.extend(
        [
            PeriodQuantity(period="2026-W51", quantity=1),
            PeriodQuantity(period="2026-W50", quantity=29),
        ]
    )
    request = api.UpdateOfferRequest(offer=smaller, update_mask=FieldMask(paths=["capacity"]))
    error = await refused(acme.registry.UpdateOffer(request))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == reason_pb2.REASON_BELOW_COMMITTED
    assert error.metadata["field"] == "offer.capacity[1].quantity"
    assert "at least 30 ticks in 2026-W50" in error.violations[0].description
    request.offer.capacity[1].quantity = 30
    assert (await acme.registry.UpdateOffer(request)).balances[1].held == 30


async def test_withdrawing_leaves_claims_and_takes_no_new_ones(
    acme: Caller, buyer: Caller, matching: Caller
) -> None:
    mill = await create_offer(acme, offer(), offer_id="withdrawn")
    wanted = await create_demand(buyer, demand(quantity=30))
    first = claim("rounds/1/proposals/kept", wanted.name, (mill.name, "2026-W50", 10))
    second = claim("rounds/1/proposals/late", wanted.name, (mill.name, "2026-W50", 10))
    hold = ledger_service_pb2.BatchHoldRequest
    await matching.ledger.BatchHold(hold(claims=[first]))
    for _ in range(2):
        after = await acme.registry.WithdrawOffer(api.WithdrawOfferRequest(name=mill.name))
        assert after.state == Offer.STATE_WITHDRAWN
        assert after.balances[0].held == 10
    answer = await matching.ledger.BatchHold(hold(claims=[first, second]))
    assert [result.ok for result in answer.results] == [True, False]
    assert answer.results[1].reason == "REASON_NOT_OPEN"
    error = await refused(
        acme.registry.UpdateOffer(
            api.UpdateOfferRequest(offer=after, update_mask=FieldMask(paths=["title"]))
        )
    )
    assert error.reason == reason_pb2.REASON_NOT_OPEN


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
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, operator = await market.sme("roamer", region="IT-32"), await market.operator()
    reader = market.callers[1]
    posted = [
        await create_offer(owner, offer(f"Etching {n}", weeks=("2026-W50",)), offer_id=f"e{n}")
        for n in range(5)
    ]

    async def titles(caller: Caller = reader, **filters: Any) -> list[str]:
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
    market: Market, filter_: api.PostingFilter, found: set[str]
) -> None:
    reader = market.callers[1]
    if not getattr(market, "filtered", False):
        filtered = await market.sme("filtered", region="FR-IDF")
        await create_offer(filtered, offer("Zerspanung 2-Achs Drehen"), offer_id="lathe")
        await create_offer(filtered, offer("注塑机时", weeks=("2026-W49",)), offer_id="mould")
        market.filtered = True  # type: ignore[attr-defined]
    page = await reader.registry.ListOffers(
        api.ListOffersRequest(parent="organizations/-", filter=filter_, page_size=1000)
    )
    mine = {n.rpartition("/")[2] for o in page.offers if "filtered" in (n := o.name)}
    assert mine == found


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


async def test_nobody_changes_what_belongs_to_another(acme: Caller, buyer: Caller) -> None:
    mine = await create_offer(acme, offer(), offer_id="mine")
    for call in (
        buyer.registry.UpdateOffer(api.UpdateOfferRequest(offer=mine)),
        buyer.registry.WithdrawOffer(api.WithdrawOfferRequest(name=mine.name)),
        buyer.registry.CreateOffer(api.CreateOfferRequest(parent=acme.organization, offer=offer())),
    ):
        error = await refused(call)
        assert isinstance(error, PermissionDenied)
        assert error.reason == reason_pb2.REASON_ORGANIZATION_FORBIDDEN


async def test_an_operator_extends_the_taxonomy_for_every_copy(
    market: Market, acme: Caller, stack: tuple[str, str, Path]
) -> None:
    store, bus, folder = stack
    operator = await market.operator()
    added = Capability(
        code=f"{FREE}.quantum",
        display_name=LocalizedText(en="Quantum", zh="量子"),
        attributes=[
            AttributeSchema(
                key="qubits",
                display_name=LocalizedText(en="Qubits", zh="量子比特"),
                type=AttributeSchema.TYPE_INTEGER,
                rule=AttributeSchema.RULE_AT_LEAST,
                minimum=1,
                maximum=1000,
                required_in_offer=True,
            )
        ],
    )
    request = api.CreateCapabilityRequest(capability=added, request_id=str(uuid.uuid4()))
    async with running_market(store, bus, "registry", folder) as copy:
        made = await operator.registry.CreateCapability(request)
        assert made.attributes[-1].key == "qubits"
        assert await operator.registry.CreateCapability(request) == made
        elsewhere = copy.stranger()
        elsewhere.token, elsewhere.organization = acme.token, acme.organization
        error = await refused(create_offer(elsewhere, offer(capability=added.code)))
        assert {v.field for v in error.violations} == {"offer.attributes[qubits]"}
        good = offer(capability=added.code, attributes={"qubits": AttributeValue(integer=9)})
        made_offer = await create_offer(elsewhere, good, offer_id="qubits")
        assert made_offer.capability == added.code
    request.request_id = str(uuid.uuid4())
    assert isinstance(await refused(operator.registry.CreateCapability(request)), AlreadyExists)
    request.capability.code = "nowhere.at-all"
    error = await refused(operator.registry.CreateCapability(request))
    assert isinstance(error, InvalidArgument)
    assert isinstance(await refused(acme.registry.CreateCapability(request)), PermissionDenied)
    await _deprecate(operator, added.code)
    error = await refused(create_offer(acme, offer(capability=added.code)))
    assert "offer.capability" in {v.field for v in error.violations}
    # What was posted stays, and can be changed.
    name = f"{acme.organization}/offers/qubits"
    kept = await acme.registry.GetOffer(api.GetOfferRequest(name=name))
    kept.title = "Renamed"
    renamed = await acme.registry.UpdateOffer(
        api.UpdateOfferRequest(offer=kept, update_mask=FieldMask(paths=["title"]))
    )
    assert (renamed.title, renamed.capability) == ("Renamed", added.code)


async def _deprecate(operator: Caller, code: str) -> None:
    desk: Any = taxonomy_service_pb2_grpc.TaxonomyServiceStub(operator.channel)
    definition = await desk.GetCapabilityDefinition(
        tax.GetCapabilityDefinitionRequest(name=f"capabilities/{code}/definition")
    )
    definition.deprecated = True
    draft = await desk.UpdateTaxonomyDraft(
        tax.UpdateTaxonomyDraftRequest(
            taxonomy_draft=tax.TaxonomyDraft(name="taxonomyDraft", edits=[definition])
        )
    )
    request = tax.AdoptTaxonomyDraftRequest(name="taxonomyDraft", etag=draft.etag, note="Enough")
    assert (await desk.AdoptTaxonomyDraft(request)).edits[0].code == code


async def test_capabilities_are_listed_and_found(market: Market) -> None:
    anyone = market.stranger()
    page = await anyone.registry.ListCapabilities(
        api.ListCapabilitiesRequest(below="production", page_size=5)
    )
    codes = [each.code for each in page.capabilities]
    assert codes == sorted(codes)
    assert page.next_page_token
    hits = await anyone.registry.SearchCapabilities(api.SearchCapabilitiesRequest(query="铣削"))
    assert any(each.code.startswith(MILLING) for each in hits.capabilities)
    got = await anyone.registry.GetCapability(
        api.GetCapabilityRequest(name=f"capabilities/{MILLING}")
    )
    assert "materials" in {each.key for each in got.attributes}


async def test_every_change_is_an_event(
    market: Market, acme: Caller, stack: tuple[str, str, Path]
) -> None:
    made = await create_offer(acme, offer("Eventful"), offer_id="eventful")
    made.title = "More eventful"
    await acme.registry.UpdateOffer(api.UpdateOfferRequest(offer=made))
    await acme.registry.WithdrawOffer(api.WithdrawOfferRequest(name=made.name))
    kinds: dict[str, Any] = {
        "market.offer.posted.v1": events_pb2.OfferPosted,
        "market.offer.updated.v1": events_pb2.OfferUpdated,
        "market.offer.withdrawn.v1": events_pb2.OfferWithdrawn,
    }
    seen: list[tuple[str, int]] = []
    done = asyncio.Event()

    async def note(delivery: events.Delivery) -> None:
        posting = kinds[delivery.subject].FromString(delivery.payload).offer
        if posting.name == made.name:
            seen.append((delivery.subject.split(".")[2], posting.generation))
            if len(seen) == 3:
                done.set()

    async with events.connect(stack[1]) as bus:
        following = asyncio.create_task(bus.consume("test-postings", list(kinds), note))
        await asyncio.wait_for(done.wait(), 20)
        following.cancel()
    assert seen == [("posted", 1), ("updated", 2), ("withdrawn", 3)]


async def test_the_book_holds_what_is_open_unredacted(
    matching: Caller, acme: Caller, buyer: Caller
) -> None:
    open_ = await create_offer(acme, offer("In the book"))
    gone = await create_offer(acme, offer("Not in the book"))
    await acme.registry.WithdrawOffer(api.WithdrawOfferRequest(name=gone.name))
    wanted = await create_demand(buyer, demand("In the book too"))
    items = [item async for item in matching.registry.StreamBook(api.StreamBookRequest())]
    offers = {item.offer.name: item.offer for item in items if item.HasField("offer")}
    demands = {item.demand.name: item.demand for item in items if item.HasField("demand")}
    assert offers[open_.name] == open_
    assert gone.name not in offers
    assert demands[wanted.name].lines[0].limit_price == 6000
    assert {item.organization.name for item in items if item.HasField("organization")} >= {
        acme.organization,
        buyer.organization,
    }
    assert any(item.capability.code == MILLING for item in items)


async def test_a_platform_imports_for_those_that_agreed_item_by_item(market: Market) -> None:
    platform = await market.sme("platform", Organization.KIND_PLATFORM)
    brought = await platform.registry.CreateOrganization(
        api.CreateOrganizationRequest(
            organization_id="brought",
            organization=Organization(display_name="Brought", region="CN-JS"),
            evidence="signed on paper",
        )
    )
    items = []
    for index in range(30):
        item = offer(f"Item {index}")
        item.name = f"{brought.name}/offers/i{index}"
        items.append(item)
    items[3].capability = "production.nothing"
    items[4].name = "organizations/acme/offers/not-yours"
    items[5].name = "somewhere"
    items[6].title = ""
    items[8].CopyFrom(items[7])
    items[9].name = items[7].name

    async def send(*batches: list[Offer], **flags: Any) -> api.ImportResponse:
        async def requests() -> AsyncIterator[api.ImportOffersRequest]:
            for batch in batches:
                yield api.ImportOffersRequest(offers=batch, **flags)

        answer: api.ImportResponse = await platform.registry.ImportOffers(requests())
        return answer

    dry = await send(items, validate_only=True)
    assert (dry.taken, dry.unchanged) == (26, 0)
    identity = str(uuid.uuid4())
    answer = await send(items[:10], items[10:], request_id=identity)
    assert (answer.taken, answer.unchanged) == (24, 1)
    reasons = {error.index: error.reason for error in answer.errors}
    assert reasons == {
        3: "REASON_CAPABILITY_UNKNOWN",
        4: "REASON_ORGANIZATION_FORBIDDEN",
        5: "REASON_FIELD_INVALID",
        6: "REASON_FIELD_INVALID",
        9: "REASON_ALREADY_EXISTS",
    }
    [title] = [e.problems for e in answer.errors if e.index == 6]
    assert title[0].field == "title"
    again = await send(items)
    assert (again.taken, again.unchanged, len(again.errors)) == (0, 25, 5)
    assert await send(items[:10], items[10:], request_id=identity) == answer
    error = await refused(send(items[:3], request_id=identity))
    assert error.reason == reason_pb2.REASON_REQUEST_ID_REUSED


async def test_an_attribute_of_the_wrong_kind_is_named(acme: Caller) -> None:
    wrong = offer(
        capability=MILLING,
        attributes={"materials": AttributeValue(codes=Codes(codes=["unobtainium"]))},
    )
    error = await refused(create_offer(acme, wrong))
    assert error.reason == reason_pb2.REASON_ATTRIBUTE_INVALID
    assert "offer.attributes[materials]" in {v.field for v in error.violations}


async def test_a_hold_needs_an_end_and_a_claim_comes_once(matching: Caller) -> None:
    each = claim("rounds/3/proposals/x", "organizations/b/demands/d", ("o", "2026-W54", 1))
    each.ClearField("expire_time")
    error = await refused(
        matching.ledger.BatchHold(ledger_service_pb2.BatchHoldRequest(claims=[each]))
    )
    assert {v.field for v in error.violations} == {
        "claims[0].expire_time",
        "claims[0].legs[0].period",
    }
    good = claim("rounds/3/proposals/x", "organizations/b/demands/d", ("o", "2026-W50", 1))
    error = await refused(
        matching.ledger.BatchHold(ledger_service_pb2.BatchHoldRequest(claims=[good, good]))
    )
    assert {v.field for v in error.violations} == {"claims[1].claim"}


async def test_the_ledger_is_sound_after_all_this(market: Market, matching: Caller) -> None:
    report = await matching.ledger.CheckLedger(ledger_service_pb2.CheckLedgerRequest())
    assert list(report.breaches) == []
    assert report.offers > 30
    claims = [
        each
        async for each in matching.ledger.StreamClaims(ledger_service_pb2.StreamClaimsRequest())
    ]
    assert len(claims) == report.claims
    assert {each.state for each in claims} == {
        ledger_service_pb2.Claim.STATE_HELD,
        ledger_service_pb2.Claim.STATE_COMMITTED,
    }
    outsider = market.callers[0]
    error = await refused(outsider.ledger.CheckLedger(ledger_service_pb2.CheckLedgerRequest()))
    assert isinstance(error, PermissionDenied)
