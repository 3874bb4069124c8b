"""Organizations on the real store: brought, read, listed, changed, delegated, audited."""

import asyncio
import uuid

import pytest
from google.type.latlng_pb2 import LatLng

from services.chassis.access import Principal
from services.chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.disclosure_pb2 import DISCLOSURE_LEVEL_ON_CONFIRMATION
from spareline.market.v1.organization_pb2 import Contact, Delegation, Organization
from spareline.registry.v1 import registry_service_pb2 as api
from tests.contract.registry.identity.conftest import Person, Served

CONTACT = Contact(person="Wang Fang", email="wang@example.com", phone="1")


async def platform_of(served: Served) -> Person:
    return await served.owner("Big Platform", Organization.KIND_PLATFORM)


def bring(
    display_name: str, request_id: str = "", identity: str = ""
) -> api.CreateOrganizationRequest:
    return api.CreateOrganizationRequest(
        organization_id=identity,
        organization=Organization(display_name=display_name, region="CN-ZJ", contact=CONTACT),
        evidence="signed form of 3 November",
        request_id=request_id,
    )


def change(organization: Organization, *paths: str) -> api.UpdateOrganizationRequest:
    request = api.UpdateOrganizationRequest(organization=organization)
    request.update_mask.paths.extend(paths)
    return request


async def read(person: Person, name: str) -> Organization:
    found: Organization = await person.registry.GetOrganization(
        api.GetOrganizationRequest(name=name)
    )
    return found


async def test_a_platform_brings_organizations_and_manages_them(served: Served) -> None:
    platform, identity = await platform_of(served), str(uuid.uuid4())
    made = await platform.registry.CreateOrganization(bring("Acme", identity))
    assert made.name == "organizations/acme"
    assert list(made.delegates) == [platform.organization]
    assert await platform.registry.CreateOrganization(bring("Acme", identity)) == made
    with pytest.raises(FailedPrecondition):
        await platform.registry.CreateOrganization(bring("Acme Two", identity, "acme"))
    second_id = str(uuid.uuid4())
    second = await platform.registry.CreateOrganization(bring("Acme", second_id))
    assert second.name.startswith("organizations/acme-")
    assert await platform.registry.CreateOrganization(bring("Acme", second_id)) == second
    with pytest.raises(AlreadyExists):
        await platform.registry.CreateOrganization(bring("Acme", identity="acme"))
    listed = await platform.registry.ListDelegations(api.ListDelegationsRequest(parent=made.name))
    assert listed.delegations[0].evidence == "signed form of 3 November"
    made.description = "Mills"
    changed = await platform.registry.UpdateOrganization(change(made, "description"))
    assert changed.description == "Mills"
    member = Principal(platform.name, "member", platform.organization, "owner", frozenset())
    await served.identity.erasure(member, api.EraseOrganizationRequest(name=made.name))
    with pytest.raises(NotFound):
        await read(platform, made.name)


async def test_only_platforms_bring_organizations(served: Served) -> None:
    owner = await served.owner()
    with pytest.raises(PermissionDenied) as refused:
        await owner.registry.CreateOrganization(bring("Other"))
    assert refused.value.reason == reason_pb2.REASON_ROLE_MISSING
    operator = await served.operator()
    assert (await operator.registry.CreateOrganization(bring("Other"))).name


async def test_what_others_see_depends_on_what_is_between_them(served: Served) -> None:
    owner = await served.owner(
        "Acme",
        contact=CONTACT,
        location=LatLng(latitude=29.9, longitude=121.6),
        identity_disclosure=DISCLOSURE_LEVEL_ON_CONFIRMATION,
    )
    stranger, operator = await served.owner("Other"), await served.operator()
    own = await read(owner, owner.organization)
    assert (own.display_name, own.contact.phone) == ("Acme", "1")
    hidden = await read(stranger, owner.organization)
    assert hidden.display_name == own.pseudonym
    assert not hidden.HasField("contact")
    assert not hidden.HasField("location")
    served.ledger.relation = "proposal"
    assert (await read(stranger, owner.organization)).display_name == own.pseudonym
    served.ledger.relation = "confirmed"
    partner = await read(stranger, owner.organization)
    assert (partner.display_name, partner.contact.person) == ("Acme", "Wang Fang")
    assert (await read(operator, owner.organization)).contact.person == "Wang Fang"
    entries = await owner.registry.ListAuditEntries(
        api.ListAuditEntriesRequest(parent=owner.organization)
    )
    readings = [each for each in entries.audit_entries if each.action == "read"]
    assert [each.actor for each in readings] == [operator.name, stranger.name]
    assert set(readings[1].fields) == {"contact", "display_name"}
    with pytest.raises(NotFound):
        await read(stranger, "organizations/nobody")


async def test_an_update_changes_what_it_names_and_is_followed(served: Served) -> None:
    owner = await served.owner("Acme", contact=CONTACT)
    before = await read(owner, owner.organization)
    wanted = Organization()
    wanted.CopyFrom(before)
    wanted.display_name, wanted.contact.phone, wanted.credit_grade = "Acme GmbH", "2", "A"
    request = change(wanted, "contact.phone")
    request.request_id = str(uuid.uuid4())
    after = await owner.registry.UpdateOrganization(request)
    assert (after.display_name, after.contact.phone) == ("Acme", "2")
    assert after.contact.person == "Wang Fang"
    assert after.generation == before.generation + 1
    assert await read(owner, owner.organization) == after
    assert await owner.registry.UpdateOrganization(request) == after
    with pytest.raises(Aborted) as stale:
        await owner.registry.UpdateOrganization(change(wanted, "display_name"))
    assert stale.value.reason == reason_pb2.REASON_ETAG_MISMATCH
    wanted.etag = after.etag
    whole = await owner.registry.UpdateOrganization(change(wanted))
    assert (whole.display_name, whole.credit_grade) == ("Acme GmbH", "C")
    document = await served.identity.organizations.document(owner.organization)
    assert document is not None
    subjects = [event["subject"] for event in document["outbox"]]
    assert subjects[1:] == ["market.organization.updated.v1"] * 2


@pytest.mark.parametrize(
    "path", ["credit_grade", "pseudonym", "delegates", "create_time", "kind", "name", "nonsense"]
)
async def test_what_is_output_only_is_refused_by_its_path(served: Served, path: str) -> None:
    owner = await served.owner()
    organization = await read(owner, owner.organization)
    with pytest.raises(InvalidArgument) as refused:
        await owner.registry.UpdateOrganization(change(organization, path))
    assert refused.value.violations[0].field == f"organization.{path}"


async def test_verification_is_for_operators_and_the_rest_is_not(served: Served) -> None:
    owner = await served.owner()
    organization = await read(owner, owner.organization)
    organization.verification = Organization.VERIFICATION_DOCUMENTS
    with pytest.raises(PermissionDenied) as refused:
        await owner.registry.UpdateOrganization(change(organization, "verification"))
    assert refused.value.reason == reason_pb2.REASON_ROLE_MISSING
    kept = await owner.registry.UpdateOrganization(change(organization))
    assert kept.verification == Organization.VERIFICATION_UNSPECIFIED
    principal = Principal(
        "organizations/operator/members/m",
        "member",
        "organizations/operator",
        "operator",
        frozenset({"read", "write"}),
    )
    organization.etag = ""
    update = served.identity.organization_calls.update
    verified = await update(principal, change(organization, "verification"))
    assert verified.verification == Organization.VERIFICATION_DOCUMENTS
    with pytest.raises(PermissionDenied):
        await update(principal, change(organization, "display_name"))


async def test_listing_shows_those_that_one_acts_for(served: Served) -> None:
    platform, stranger = await platform_of(served), await served.owner("Zebra")
    brought = [
        (await platform.registry.CreateOrganization(bring(f"{letter} firm"))).name
        for letter in "09amz"
    ]
    request = api.ListOrganizationsRequest(page_size=4)
    first = await platform.registry.ListOrganizations(request)
    request.page_token = first.next_page_token
    second = await platform.registry.ListOrganizations(request)
    names = [each.name for each in (*first.organizations, *second.organizations)]
    assert names == sorted([platform.organization, *brought])
    with pytest.raises(InvalidArgument) as refused:
        await stranger.registry.ListOrganizations(request)
    assert refused.value.reason == reason_pb2.REASON_PAGE_TOKEN_INVALID
    own = await stranger.registry.ListOrganizations(api.ListOrganizationsRequest())
    assert [each.name for each in own.organizations] == [stranger.organization]
    operator = await served.operator()
    everyone = await operator.registry.ListOrganizations(api.ListOrganizationsRequest())
    assert len(everyone.organizations) == 8
    # Read again, with a firm in the middle of a page that was read before, and one gone.
    between = await platform.registry.CreateOrganization(bring("9 firm b"))
    await platform.registry.EraseOrganization(api.EraseOrganizationRequest(name=brought[0]))
    left = sorted([platform.organization, *brought[1:], between.name])
    again = api.ListOrganizationsRequest(page_size=4)
    shown: list[str] = []
    for _ in range(2):
        page = await platform.registry.ListOrganizations(again)
        shown += [each.name for each in page.organizations]
        again.page_token = page.next_page_token
    assert shown == left
    streamed = [each.name async for each in served.identity.organizations.stream_all()]
    assert sorted(streamed) == sorted([*left, stranger.organization, operator.organization])


async def test_a_delegation_can_be_given_and_ended(served: Served) -> None:
    owner, platform = await served.owner("Acme"), await platform_of(served)
    request = api.CreateDelegationRequest(
        parent=owner.organization,
        delegation=Delegation(platform=platform.organization, evidence="by telephone"),
        request_id=str(uuid.uuid4()),
    )
    made = await owner.registry.CreateDelegation(request)
    assert await owner.registry.CreateDelegation(request) == made
    organizations = served.identity.organizations
    assert await organizations.is_delegate(platform.organization, owner.organization)
    assert not await organizations.is_delegate(owner.organization, platform.organization)
    with pytest.raises(AlreadyExists):
        await owner.registry.CreateDelegation(
            api.CreateDelegationRequest(
                parent=owner.organization,
                delegation=Delegation(platform=platform.organization),
            )
        )
    with pytest.raises(InvalidArgument) as refused:
        await owner.registry.CreateDelegation(
            api.CreateDelegationRequest(
                parent=owner.organization, delegation=Delegation(platform=owner.organization)
            )
        )
    assert refused.value.violations[0].field == "delegation.platform"
    await owner.registry.DeleteDelegation(api.DeleteDelegationRequest(name=made.name))
    assert not await organizations.is_delegate(platform.organization, owner.organization)
    with pytest.raises(NotFound):
        await owner.registry.DeleteDelegation(api.DeleteDelegationRequest(name=made.name))


async def test_the_audit_log_is_paged_newest_first_over_long_times(served: Served) -> None:
    owner = await served.owner()
    audit = served.identity.audit
    for days in range(40):
        served.clock.ahead_ms = days * 86_400_000
        audit.record(owner.organization, "services/x", "", "read", f"resource {days}", ["price"])
    request = api.ListAuditEntriesRequest(parent=owner.organization, page_size=15)
    seen = []
    while True:
        page = await owner.registry.ListAuditEntries(request)
        seen += [each.resource for each in page.audit_entries]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert seen[:40] == [f"resource {days}" for days in reversed(range(40))]
    assert seen[40:] == [owner.organization]


async def test_bringing_many_at_once_loses_none(served: Served) -> None:
    platform = await platform_of(served)
    made = await asyncio.gather(
        *(platform.registry.CreateOrganization(bring("Same Name")) for _ in range(60)),
        *(platform.registry.CreateOrganization(bring(f"Firm {n}")) for n in range(60)),
    )
    assert len({each.name for each in made}) == 120
