"""What matching asks of the registry: the book, holds, and the check of the ledger."""

import pytest

from services.chassis.errors import PermissionDenied
from spareline.registry.v1 import ledger_service_pb2
from spareline.registry.v1 import registry_service_pb2 as api
from tests.e2e.registry_market import (
    MILLING,
    Caller,
    check_ledger,
    claim,
    create_demand,
    create_offer,
    demand,
    offer,
    refused,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


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


async def test_the_ledger_is_checked_and_its_claims_are_read(
    matching: Caller, acme: Caller, buyer: Caller
) -> None:
    mill = await create_offer(acme, offer(capacity=40), offer_id="claimed")
    wanted = await create_demand(buyer, demand(quantity=30))
    held, committed = (
        claim(f"rounds/4/proposals/{name}", wanted.name, (mill.name, "2026-W50", 10))
        for name in ("held", "committed")
    )
    await matching.ledger.BatchHold(ledger_service_pb2.BatchHoldRequest(claims=[held, committed]))
    ref = ledger_service_pb2.ClaimRef(
        claim=committed.claim, demand=wanted.name, offers=[mill.name], version=1
    )
    await matching.ledger.BatchCommit(ledger_service_pb2.BatchCommitRequest(claims=[ref]))
    report = await check_ledger(matching)
    assert list(report.breaches) == []
    request = ledger_service_pb2.StreamClaimsRequest()
    claims = {each.claim: each.state async for each in matching.ledger.StreamClaims(request)}
    assert len(claims) == report.claims
    assert claims[held.claim] == ledger_service_pb2.Claim.STATE_HELD
    assert claims[committed.claim] == ledger_service_pb2.Claim.STATE_COMMITTED
    check = ledger_service_pb2.CheckLedgerRequest()
    assert isinstance(await refused(acme.ledger.CheckLedger(check)), PermissionDenied)
