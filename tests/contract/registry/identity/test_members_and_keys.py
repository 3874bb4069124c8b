"""People and keys of an organization: who may manage them, and that an owner stays."""

import asyncio
import uuid
from typing import Any

import pytest

from services.chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import ApiKey, Delegation, Member, Organization
from spareline.registry.v1 import identity_service_pb2 as api
from spareline.registry.v1 import registry_service_pb2
from tests.contract.registry.identity.conftest import PASSWORD, Person, Served


async def add(
    owner: Person, email: str, role: "Member.Role.ValueType", request_id: str = ""
) -> Member:
    request = api.CreateMemberRequest(
        parent=owner.organization,
        member=Member(email=email, display_name="Li Na", role=role),
        password=PASSWORD,
        request_id=request_id,
    )
    member: Member = await owner.identity.CreateMember(request)
    return member


async def test_members_are_added_listed_in_pages_and_sign_in(served: Served) -> None:
    owner = await served.owner()
    for number in range(3):
        await add(owner, f"m{number}@example.com", Member.ROLE_TRADER)
    request = api.ListMembersRequest(parent=owner.organization, page_size=3)
    first = await owner.identity.ListMembers(request)
    assert len(first.members) == 3
    request.page_token = first.next_page_token
    second = await owner.identity.ListMembers(request)
    assert [member.email for member in second.members] == ["m2@example.com"]
    assert not second.next_page_token
    request.parent = "organizations/else"
    with pytest.raises(PermissionDenied):
        await owner.identity.ListMembers(request)
    trader = await served.sign_in("m0@example.com")
    with pytest.raises(PermissionDenied) as refused:
        await add(trader, "x@example.com", Member.ROLE_TRADER)
    assert refused.value.reason == reason_pb2.REASON_ROLE_MISSING


async def test_a_repeat_makes_no_second_member(served: Served) -> None:
    owner, identity = await served.owner(), str(uuid.uuid4())
    first = await add(owner, "m@example.com", Member.ROLE_OWNER, identity)
    assert await add(owner, "m@example.com", Member.ROLE_OWNER, identity) == first
    with pytest.raises(AlreadyExists) as refused:
        await add(owner, "M@example.com", Member.ROLE_OWNER)
    assert refused.value.reason == reason_pb2.REASON_EMAIL_TAKEN
    document = await served.identity.organizations.document(owner.organization)
    assert document is not None
    assert sorted(document["owners"]) == sorted([owner.name, first.name])


async def test_the_last_owner_stays_whatever_happens_at_once(served: Served) -> None:
    owner = await served.owner()
    with pytest.raises(FailedPrecondition) as refused:
        await owner.identity.DeleteMember(api.DeleteMemberRequest(name=owner.name))
    assert refused.value.reason == reason_pb2.REASON_LAST_OWNER
    second = await add(owner, "second@example.com", Member.ROLE_OWNER)
    other = await served.sign_in("second@example.com")
    demoted = Member(name=owner.name, email="a@example.com", role=Member.ROLE_TRADER)
    results = await asyncio.gather(
        owner.identity.DeleteMember(api.DeleteMemberRequest(name=second.name)),
        other.identity.UpdateMember(api.UpdateMemberRequest(member=demoted)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, FailedPrecondition) for result in results) == 1
    left = await served.identity.accounts.of_organization(owner.organization)
    roles = [Member.FromString(account["body"]).role for account in left]
    assert Member.ROLE_OWNER in roles


async def test_a_member_who_left_can_do_no_more(served: Served) -> None:
    owner = await served.owner()
    member = await add(owner, "m@example.com", Member.ROLE_TRADER)
    person = await served.sign_in("m@example.com")
    request = api.DeleteMemberRequest(name=member.name, request_id=str(uuid.uuid4()))
    with pytest.raises(Aborted) as stale:
        await owner.identity.DeleteMember(api.DeleteMemberRequest(name=member.name, etag='"7"'))
    assert stale.value.reason == reason_pb2.REASON_ETAG_MISMATCH
    await owner.identity.DeleteMember(request)
    await owner.identity.DeleteMember(request)  # a repeat is no error
    with pytest.raises(NotFound):
        await owner.identity.DeleteMember(api.DeleteMemberRequest(name=member.name))
    with pytest.raises(Unauthenticated):
        await served.sign_in("m@example.com")
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(api.IssueTokenRequest(refresh_token=person.refresh))
    await add(owner, "m@example.com", Member.ROLE_VIEWER)  # the address is free again


async def test_changing_a_member(served: Served) -> None:
    owner = await served.owner()
    member = await add(owner, "m@example.com", Member.ROLE_TRADER)
    member.role, member.language = Member.ROLE_OWNER, "zh"
    request = api.UpdateMemberRequest(member=member, request_id=str(uuid.uuid4()))
    changed = await owner.identity.UpdateMember(request)
    assert (changed.role, changed.language) == (Member.ROLE_OWNER, "zh")
    assert await owner.identity.UpdateMember(request) == changed
    document = await served.identity.organizations.document(owner.organization)
    assert document is not None
    assert member.name in document["owners"]
    wrong = api.UpdateMemberRequest(member=changed)
    wrong.update_mask.paths.append("email")
    with pytest.raises(InvalidArgument) as refused:
        await owner.identity.UpdateMember(wrong)
    assert refused.value.violations[0].field == "member.email"


async def test_a_repeated_key_comes_without_its_secret(served: Served) -> None:
    owner = await served.owner()
    request = api.CreateApiKeyRequest(
        parent=owner.organization,
        api_key=ApiKey(display_name="ERP", scopes=["read", "write"]),
        request_id=str(uuid.uuid4()),
    )
    first = await owner.identity.CreateApiKey(request)
    again = await owner.identity.CreateApiKey(request)
    assert again.api_key == first.api_key
    assert first.secret
    assert not again.secret
    delete = api.DeleteApiKeyRequest(name=first.api_key.name, request_id=str(uuid.uuid4()))
    await owner.identity.DeleteApiKey(delete)
    await owner.identity.DeleteApiKey(delete)
    with pytest.raises(NotFound):
        await owner.identity.DeleteApiKey(api.DeleteApiKeyRequest(name=first.api_key.name))


async def test_a_platform_with_a_delegation_is_no_owner(served: Served) -> None:
    owner = await served.owner("Acme")
    platform = await served.owner("Big Platform", Organization.KIND_PLATFORM)
    await owner.registry.CreateDelegation(
        registry_service_pb2.CreateDelegationRequest(
            parent=owner.organization, delegation=Delegation(platform=platform.organization)
        )
    )
    key = ApiKey(display_name="x")
    member = Member(email="x@example.com", role=Member.ROLE_OWNER)
    theirs = owner.organization
    calls: list[Any] = [
        platform.identity.CreateMember(
            api.CreateMemberRequest(parent=theirs, member=member, password=PASSWORD)
        ),
        platform.identity.ListMembers(api.ListMembersRequest(parent=theirs)),
        platform.identity.DeleteMember(api.DeleteMemberRequest(name=owner.name)),
        platform.identity.CreateApiKey(api.CreateApiKeyRequest(parent=theirs, api_key=key)),
        platform.identity.ListApiKeys(api.ListApiKeysRequest(parent=theirs)),
        platform.registry.EraseOrganization(
            registry_service_pb2.EraseOrganizationRequest(name=theirs)
        ),
        platform.registry.UpdateOrganization(
            registry_service_pb2.UpdateOrganizationRequest(
                organization=Organization(name=theirs, display_name="Mine now", region="CN-ZJ")
            )
        ),
        platform.registry.CreateDelegation(
            registry_service_pb2.CreateDelegationRequest(
                parent=theirs, delegation=Delegation(platform=platform.organization)
            )
        ),
        platform.registry.ListAuditEntries(
            registry_service_pb2.ListAuditEntriesRequest(parent=theirs)
        ),
    ]
    for call in calls:
        with pytest.raises(PermissionDenied) as refused:
            await call
        assert refused.value.reason == reason_pb2.REASON_ORGANIZATION_FORBIDDEN
