"""Posting, changing and withdrawing, and what is said of a fault."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
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
    AttributeValue,
    Codes,
)
from spareline.market.v1.demand_pb2 import Precedence
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity
from spareline.registry.v1 import ledger_service_pb2
from spareline.registry.v1 import registry_service_pb2 as api
from tests.e2e.registry_market import (
    MILLING,
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


async def test_an_attribute_of_the_wrong_kind_is_named(acme: Caller) -> None:
    wrong = offer(
        capability=MILLING,
        attributes={"materials": AttributeValue(codes=Codes(codes=["unobtainium"]))},
    )
    error = await refused(create_offer(acme, wrong))
    assert error.reason == reason_pb2.REASON_ATTRIBUTE_INVALID
    assert "offer.attributes[materials]" in {v.field for v in error.violations}


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
