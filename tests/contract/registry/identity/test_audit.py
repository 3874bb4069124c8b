"""The audit of changes, over real gRPC on the real store: who, what, with which outcome."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.aggregates import Document, Event
from services.chassis.errors import PermissionDenied
from services.chassis.events import Delivery
from services.registry.domain.instants import timestamp
from services.registry.store.audit import RANDOM_BITS
from spareline.events.v1 import events_pb2
from spareline.market.v1.organization_pb2 import ApiKey, AuditEntry, Member, Organization
from spareline.registry.v1 import identity_service_pb2 as ids
from spareline.registry.v1 import registry_service_pb2 as api
from tests.contract.registry.identity.conftest import PASSWORD, Person, Served

_Request = api.ListAuditEntriesRequest


async def entries(reader: Person, parent: str, **filters: object) -> list[AuditEntry]:
    request = _Request(parent=parent, **filters)  # type: ignore[arg-type]
    return list((await reader.registry.ListAuditEntries(request)).audit_entries)


async def renamed(person: Person, name: str) -> None:
    wanted = Organization(name=name, display_name="Secret Words Ltd", region="CN-ZJ")
    await person.registry.UpdateOrganization(
        api.UpdateOrganizationRequest(
            organization=wanted, update_mask=FieldMask(paths=["display_name"])
        )
    )


async def test_a_change_is_on_record_before_it_is_answered(served: Served) -> None:
    owner = await served.owner("Acme")
    await renamed(owner, owner.organization)
    database = served.identity.organizations.aggregates.collection.database
    stored = await database["audit"].find({"rpc": "UpdateOrganization"}).to_list(9)
    assert len(stored) == 1  # asked of the store itself: nothing is flushed by a reading
    assert b"Secret Words" not in stored[0]["body"]
    [entry, sign_up] = await entries(owner, owner.organization)
    assert (entry.method, entry.action, entry.outcome) == (
        "RegistryService.UpdateOrganization",
        "update",
        "OK",
    )
    assert (entry.actor, entry.resource) == (owner.name, owner.organization)
    assert list(entry.fields) == ["display_name"]
    assert entry.request_id
    assert (sign_up.method, sign_up.actor) == ("IdentityService.SignUp", "")


async def test_what_is_refused_stands_with_who_tried(served: Served) -> None:
    victim, stranger, operator = (
        await served.owner("Victim"),
        await served.owner("Stranger"),
        await served.operator(),
    )
    with pytest.raises(PermissionDenied):
        await renamed(stranger, victim.organization)
    [refused] = await entries(stranger, stranger.organization, refused_only=True)
    assert refused.outcome == "REASON_ORGANIZATION_FORBIDDEN"
    assert refused.resource == victim.organization
    assert not await entries(victim, victim.organization, method="UpdateOrganization")
    with pytest.raises(PermissionDenied):
        await entries(stranger, "organizations/-")
    everything = await entries(operator, "organizations/-", kind=_Request.KIND_CHANGE)
    methods = [each.method.partition(".")[2] for each in everything]
    assert methods == ["UpdateOrganization", "SignUp", "SignUp"]


async def test_an_operator_s_change_stands_in_both_logs_and_counts_once(served: Served) -> None:
    firm, operator = await served.owner("Firm"), await served.operator()
    await operator.registry.UpdateOrganization(
        api.UpdateOrganizationRequest(
            organization=Organization(
                name=firm.organization,
                display_name="Firm",
                region="CN-ZJ",
                verification=Organization.VERIFICATION_DOCUMENTS,
            ),
            update_mask=FieldMask(paths=["verification"]),
        )
    )
    for log in (firm.organization, operator.organization, "organizations/-"):
        reader = firm if log == firm.organization else operator
        [entry] = await entries(reader, log, method="UpdateOrganization")
        assert (entry.actor, entry.resource) == (operator.name, firm.organization)
    assert await entries(firm, firm.organization, actor=operator.name)
    assert await entries(firm, firm.organization, actor=operator.organization)
    assert not await entries(firm, firm.organization, actor=firm.organization)


async def test_secrets_and_drafts_are_not_in_it(served: Served) -> None:
    owner = await served.owner("Acme")
    made = await owner.identity.CreateApiKey(
        ids.CreateApiKeyRequest(parent=owner.organization, api_key=ApiKey(display_name="bot"))
    )
    person = Member(email="li@example.com", display_name="Li Na", role=Member.ROLE_VIEWER)
    await owner.identity.CreateMember(
        ids.CreateMemberRequest(parent=owner.organization, member=person, password=PASSWORD)
    )
    found = await entries(owner, owner.organization)
    assert [each.resource for each in found[1:2]] == [made.api_key.name]
    for secret in (made.secret, PASSWORD, "li@example.com", "Li Na", "bot"):
        assert secret not in str(found)


async def test_pages_and_times_of_a_log(served: Served) -> None:
    owner = await served.owner("Acme")
    for days in range(6):
        served.clock.ahead_ms = days * 86_400_000
        await renamed(owner, owner.organization)
    until = timestamp(served.clock() - 86_400_000)
    since = timestamp(served.clock() - 4 * 86_400_000 - 60_000)
    request = _Request(
        parent=owner.organization,
        method="UpdateOrganization",
        since=since,
        until=until,
        page_size=2,
    )
    first = await owner.registry.ListAuditEntries(request)
    request.page_token = first.next_page_token
    second = await owner.registry.ListAuditEntries(request)
    assert (len(first.audit_entries), len(second.audit_entries)) == (2, 2)
    assert not second.next_page_token
    times = [each.time.ToNanoseconds() for each in (*first.audit_entries, *second.audit_entries)]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 4


async def test_what_matching_tells_is_kept_once(served: Served) -> None:
    owner = await served.owner("Acme")
    event = events_pb2.MutationRecorded(
        organization=owner.organization,
        time=timestamp(served.clock()),
        entry=AuditEntry(
            time=timestamp(served.clock()),
            actor=owner.name,
            actor_organization=owner.organization,
            action="accept",
            method="MatchingService.AcceptProposal",
            resource="rounds/r/proposals/p",
            outcome="OK",
        ),
    )
    raw = Event.of(event)
    delivery = Delivery(raw.subject, raw.payload, raw.id, 1, 1, datetime.now(UTC))
    follow = served.identity.audit_entries.follow
    await asyncio.gather(follow([delivery]), follow([delivery, delivery]))
    [entry] = await entries(owner, owner.organization, method="AcceptProposal")
    assert entry.resource == "rounds/r/proposals/p"


async def test_an_erasure_is_left_with_the_operators(served: Served) -> None:
    owner, operator = await served.owner("Acme"), await served.operator()
    await owner.registry.EraseOrganization(api.EraseOrganizationRequest(name=owner.organization))
    [entry] = await entries(operator, operator.organization, method="EraseOrganization")
    assert entry.resource == owner.organization


async def test_a_page_that_is_read_again_has_what_came_since(served: Served) -> None:
    owner = await served.owner("Acme")
    times: list[int] = []
    for days in (0, 1, 40):
        served.clock.ahead_ms = days * 86_400_000
        await renamed(owner, owner.organization)
        request = _Request(parent=owner.organization, page_size=2, method="UpdateOrganization")
        for _ in range(2):  # the second time it is known where the page ended
            page = await owner.registry.ListAuditEntries(request)
            seen = [each.time.ToMilliseconds() for each in page.audit_entries]
            times = sorted({*times, *seen}, reverse=True)
            assert seen == times[:2]
        assert len(times) == [0, 1, 40].index(days) + 1
        assert bool(page.next_page_token) == (len(times) > 2)


async def test_a_page_of_a_dense_log_reads_little_of_it(served: Served) -> None:
    """An import leaves thousands of entries within a second, after a long silence."""
    owner, log = await served.owner("Acme"), served.identity.audit
    begin = (served.clock() + 1000) << RANDOM_BITS
    orders = [begin + number for number in random.Random(1).sample(range(1 << RANDOM_BITS), 2000)]
    for order in orders:
        log.add(AuditEntry(method="RegistryService.ImportOffers"), [owner.organization], order)
    await log.flush()
    served.clock.ahead_ms = 10 * 86_400_000
    ranges: list[tuple[int, int]] = []
    collection = served.identity.organizations.aggregates.collection.database["audit"]

    class Noting:
        def find(self, query: Document, *more: object) -> object:
            if "mark" not in query:
                ranges.append((query["order"]["$gte"], query["order"]["$lt"]))
            return collection.find(query, *more)

    log._collection = Noting()  # type: ignore[assignment]
    before, seen = 0, list[int]()
    while len(seen) < 2000:
        found, _ = await log.page(owner.organization, before, 0, 301)
        seen += [order for order, _ in found]
        before = seen[-1]
    assert seen[:2000] == sorted(orders, reverse=True)
    read = [sum(low <= order < high for order in orders) for low, high in ranges]
    assert max(read) < 800
    assert sum(read) < 2 * 2000
