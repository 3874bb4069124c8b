"""Drafts are one member's own, and outlive a sign-out."""

import asyncio
import uuid
from typing import Any

import pytest

from services.chassis.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from services.registry.usecases.drafts import MOST
from spareline.market.v1.draft_pb2 import Draft, DraftTexts
from spareline.market.v1.organization_pb2 import Member
from spareline.registry.v1 import draft_service_pb2 as drafts
from spareline.registry.v1 import draft_service_pb2_grpc as drafts_grpc
from spareline.registry.v1 import identity_service_pb2 as identity
from spareline.registry.v1 import registry_service_pb2 as api
from tests.e2e.registry_market import (
    PASSWORD,
    Caller,
    Market,
    refused,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


async def me(caller: Caller) -> str:
    answer = await caller.identity.WhoAmI(identity.WhoAmIRequest())
    return str(answer.subject)


def stub(caller: Caller) -> Any:
    return drafts_grpc.DraftServiceStub(caller.channel)


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
