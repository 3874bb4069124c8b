"""Credit from events, on the real store: once each, visible, contestable, followed."""

import asyncio
import uuid
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from services.chassis.aggregates import Event
from services.chassis.errors import FailedPrecondition, NotFound
from services.chassis.events import Bus, Delivery, Poison
from services.chassis.outbox import Relay
from services.registry.domain.instants import timestamp
from services.registry.usecases.credit import DURABLE, SUBJECTS
from spareline.events.v1 import events_pb2
from spareline.market.v1.organization_pb2 import CreditEvent, Organization
from spareline.matching.v1.proposal_pb2 import HistoryEntry, Party, Proposal
from spareline.registry.v1 import registry_service_pb2 as api
from tests.contract.registry.identity.conftest import Person, Served


def delivered(message: Message) -> Delivery:
    event = Event.of(message)
    return Delivery(event.subject, event.payload, event.id, 1, 1, datetime.now(UTC))


def proposal(demander: Person, offerer: Person, number: int = 1) -> Proposal:
    return Proposal(
        name=f"rounds/r/proposals/p{number}",
        parties=[
            Party(organization=demander.organization, side="demand"),
            Party(organization=offerer.organization, side="offer"),
        ],
    )


async def grade(served: Served, person: Person) -> str:
    found = await served.identity.organizations.get(person.organization)
    assert found is not None
    return found.credit_grade


async def test_kept_promises_raise_the_grade_once_each(served: Served) -> None:
    demander, offerer = await served.owner("D"), await served.owner("O")
    for number in range(3):
        event = events_pb2.ProposalFulfilled(
            proposal=proposal(demander, offerer, number), time=timestamp(served.clock())
        )
        for _ in range(2):  # delivered again after a crash
            await served.identity.credit.follow(delivered(event))
    assert await grade(served, offerer) == "B"
    assert await grade(served, demander) == "B"
    listed = await offerer.registry.ListCreditEvents(
        api.ListCreditEventsRequest(parent=offerer.organization)
    )
    assert [each.kind for each in listed.credit_events] == ["fulfilled"] * 3
    assert [each.proposal[-2:] for each in listed.credit_events] == ["p2", "p1", "p0"]
    document = await served.identity.organizations.document(offerer.organization)
    assert document is not None
    assert document["outbox"][-1]["subject"] == "market.organization.updated.v1"


async def test_a_late_delivery_is_an_event_of_its_own(served: Served) -> None:
    demander, offerer = await served.owner("D"), await served.owner("O")
    late = proposal(demander, offerer)
    late.parties[0].answer = Party.ANSWER_LATE
    late.parties[1].answer = Party.ANSWER_FULFILLED
    now = timestamp(served.clock())
    for event in (
        events_pb2.ProposalDelayed(proposal=late, time=now),
        events_pb2.ProposalFulfilled(proposal=late, time=now),
    ):
        await served.identity.credit.follow(delivered(event))
    kinds = {}
    for person in (demander, offerer):
        request = api.ListCreditEventsRequest(parent=person.organization)
        listed = await person.registry.ListCreditEvents(request)
        kinds[person.organization] = [(e.kind, e.weight_permille) for e in listed.credit_events]
    assert kinds == {
        demander.organization: [("fulfilled", 1000)],
        offerer.organization: [("late", -250)],
    }


async def test_a_contested_event_counts_half(served: Served) -> None:
    demander, offerer = await served.owner("D"), await served.owner("O")
    disputed = proposal(demander, offerer)
    disputed.parties[0].answer = Party.ANSWER_FAILED
    event = events_pb2.ProposalDisputed(proposal=disputed, time=timestamp(served.clock()))
    await served.identity.credit.follow(delivered(event))
    assert (await grade(served, offerer), await grade(served, demander)) == ("D", "C")
    listed = await offerer.registry.ListCreditEvents(
        api.ListCreditEventsRequest(parent=offerer.organization)
    )
    [found] = listed.credit_events
    assert (found.kind, found.weight_permille) == ("disputed", -1000)
    request = api.ContestCreditEventRequest(
        name=found.name, note="They refused delivery", request_id=str(uuid.uuid4())
    )
    contested = await offerer.registry.ContestCreditEvent(request)
    assert contested.contested
    assert await offerer.registry.ContestCreditEvent(request) == contested
    served.identity.organizations._cache.clear()
    assert await grade(served, offerer) == "D"  # 2 / 4.5 is below 0.45 still
    request = api.ContestCreditEventRequest(name=found.name + "x", note="?")
    with pytest.raises(NotFound):
        await offerer.registry.ContestCreditEvent(request)


async def test_a_decline_counts_only_after_acceptance_of_the_same_terms(served: Served) -> None:
    demander, offerer = await served.owner("D"), await served.owner("O")
    free, broken = proposal(demander, offerer, 1), proposal(demander, offerer, 2)
    free.history.extend(
        [
            HistoryEntry(event="accepted", party_index=1),
            HistoryEntry(event="countered", party_index=0),
            HistoryEntry(event="declined", party_index=1),
        ]
    )
    broken.history.extend(
        [
            HistoryEntry(event="accepted", party_index=1),
            HistoryEntry(event="declined", party_index=1),
        ]
    )
    for each in (free, broken):
        event = events_pb2.ProposalDeclined(proposal=each, time=timestamp(served.clock()))
        await served.identity.credit.follow(delivered(event))
    listed = await offerer.registry.ListCreditEvents(
        api.ListCreditEventsRequest(parent=offerer.organization)
    )
    assert [(each.kind, each.proposal) for each in listed.credit_events] == [
        ("declined_after_acceptance", "rounds/r/proposals/p2")
    ]
    assert await served.identity.credit._accounts.get(demander.organization) is None


async def test_verified_papers_count(served: Served) -> None:
    owner = await served.owner()
    organization = Organization()
    found = await served.identity.organizations.get(owner.organization)
    assert found is not None
    organization.CopyFrom(found)
    levels = [
        Organization.VERIFICATION_DOCUMENTS,
        Organization.VERIFICATION_ON_SITE,
        Organization.VERIFICATION_UNSPECIFIED,
    ]
    for level in levels:
        organization.verification = level
        organization.generation += 1
        event = events_pb2.OrganizationUpdated(
            organization=organization, time=timestamp(served.clock())
        )
        for _ in range(2):
            await served.identity.credit.follow(delivered(event))
    listed = await owner.registry.ListCreditEvents(
        api.ListCreditEventsRequest(parent=owner.organization)
    )
    weights = sorted(each.weight_permille for each in listed.credit_events)
    assert weights == [-1500, 500, 1000]


async def test_what_cannot_be_read_is_poison(served: Served) -> None:
    delivery = Delivery("market.proposal.fulfilled.v1", b"\xff\xff", "x", 1, 1, datetime.now(UTC))
    with pytest.raises(Poison):
        await served.identity.credit.follow(delivery)


async def test_strangers_and_erased_ones_have_no_account(served: Served) -> None:
    offerer = await served.owner("O")
    gone = proposal(offerer, offerer)
    gone.parties[0].organization = "organizations/gone"
    event = events_pb2.ProposalFulfilled(proposal=gone, time=timestamp(served.clock()))
    await served.identity.credit.follow(delivered(event))
    assert await served.identity.credit._accounts.get("organizations/gone") is None
    assert await grade(served, offerer) == "C"


async def test_events_come_by_the_bus_and_a_changed_grade_goes_out_by_it(
    served: Served, bus: Bus
) -> None:
    demander, offerer = await served.owner("D"), await served.owner("O")
    organizations = served.identity.organizations.aggregates.collection
    relay = Relay([organizations], bus.publisher)
    durable = f"{DURABLE}-{uuid.uuid4().hex[:8]}"
    following = asyncio.create_task(bus.consume(durable, SUBJECTS, served.identity.credit.follow))
    try:
        for number in range(3):
            event = Event.of(
                events_pb2.ProposalFulfilled(
                    proposal=proposal(demander, offerer, number), time=timestamp(served.clock())
                )
            )
            await bus.publisher.publish(event.subject, event.payload, event.id)
        async with asyncio.timeout(20):
            while await grade(served, offerer) != "B":
                await asyncio.sleep(0.05)
                served.identity.organizations._cache.clear()
        await relay.relay_once()
        assert await organizations.count_documents({"pending": True}) == 0
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _disputed(served: Served) -> tuple[Person, str]:
    """Return somebody with one bad event behind the grade, and the event's name."""
    demander, offerer = await served.owner("D"), await served.owner("O")
    disputed = proposal(demander, offerer)
    disputed.parties[0].answer = Party.ANSWER_FAILED
    event = events_pb2.ProposalDisputed(proposal=disputed, time=timestamp(served.clock()))
    await served.identity.credit.follow(delivered(event))
    request = api.ListCreditEventsRequest(parent=offerer.organization)
    [found] = (await offerer.registry.ListCreditEvents(request)).credit_events
    return offerer, found.name


async def test_an_operator_strikes_out_what_is_contested(served: Served) -> None:
    offerer, name = await _disputed(served)
    operator = await served.operator()
    verdict = CreditEvent.VERDICT_STRUCK
    decision = api.DecideCreditEventRequest(
        name=name, verdict=verdict, reason="A storm", request_id=str(uuid.uuid4())
    )
    with pytest.raises(FailedPrecondition):  # nobody contests it yet
        await operator.registry.DecideCreditEvent(decision)
    await offerer.registry.ContestCreditEvent(api.ContestCreditEventRequest(name=name, note="No"))
    waiting = api.ListCreditEventsRequest(parent="organizations/-", contested_only=True)
    [listed] = (await operator.registry.ListCreditEvents(waiting)).credit_events
    assert (listed.name, listed.present_weight_permille) == (name, -500)
    decided = await operator.registry.DecideCreditEvent(decision)
    assert (decided.contested, decided.verdict, decided.present_weight_permille) == (
        False,
        verdict,
        0,
    )
    assert await operator.registry.DecideCreditEvent(decision) == decided
    assert not (await operator.registry.ListCreditEvents(waiting)).credit_events
    served.identity.organizations._cache.clear()
    assert await grade(served, offerer) == "C"
    request = api.ContestCreditEventRequest(name=name, note="Again")
    with pytest.raises(FailedPrecondition):
        await offerer.registry.ContestCreditEvent(request)


async def test_the_account_says_what_a_grade_is_made_of(served: Served) -> None:
    offerer, _ = await _disputed(served)
    request = api.GetCreditAccountRequest(name=f"{offerer.organization}/creditAccount")
    account = await offerer.registry.GetCreditAccount(request)
    assert (account.grade, account.mean_permille, account.bad_permille) == ("D", 400, 1000)
    assert account.low_permille < 400 < account.high_permille
    served.clock.ahead_ms += 180 * 86_400_000  # half of it is forgotten
    faded = await offerer.registry.GetCreditAccount(request)
    assert (faded.bad_permille, faded.mean_permille, faded.grade) == (500, 444, "D")
    events = api.ListCreditEventsRequest(parent=offerer.organization)
    [event] = (await offerer.registry.ListCreditEvents(events)).credit_events
    assert (event.weight_permille, event.present_weight_permille) == (-1000, -500)
