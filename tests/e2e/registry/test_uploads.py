"""Many postings at once: a platform's stream, and a file that the registry posts by itself."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.chassis.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.import_pb2 import Import, ImportLine, ImportProblem, ImportRow, ImportTable
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import import_service_pb2 as imports
from spareline.registry.v1 import import_service_pb2_grpc as imports_grpc
from spareline.registry.v1 import registry_service_pb2 as api
from tests.e2e.registry_market import (
    Market,
    create_offer,
    offer,
    refused,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


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
