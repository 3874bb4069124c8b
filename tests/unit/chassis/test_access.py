"""Organizations in resource names, and who may act for them."""

import pytest

from services.chassis.access import (
    ANONYMOUS,
    Access,
    Principal,
    Role,
    Rule,
    current,
    organization_of,
    require_organization,
    require_request,
    require_role,
)
from services.chassis.errors import PermissionDenied
from spareline.registry.v1 import identity_service_pb2


async def nobody(platform: str, organization: str) -> bool:
    return False


async def everybody(platform: str, organization: str) -> bool:
    return True


def principal(organization: str, role: Role = "owner") -> Principal:
    return Principal("x", "member", organization, role, frozenset({"read", "write"}))


@pytest.mark.parametrize(
    ("name", "organization"),
    [
        ("organizations/a", "organizations/a"),
        ("organizations/a/offers/b", "organizations/a"),
        ("organizations/", ""),
        ("organizations//offers/b", ""),
        ("rounds/1/proposals/2", ""),
        ("", ""),
    ],
)
def test_organization_of(name: str, organization: str) -> None:
    assert organization_of(name) == organization


async def test_a_delegation_counts_and_its_absence_too() -> None:
    platform = principal("organizations/platform")
    await require_organization(platform, "organizations/a", write=True, delegations=everybody)
    with pytest.raises(PermissionDenied):
        await require_organization(platform, "organizations/a", write=True, delegations=nobody)


@pytest.mark.parametrize("roles", [frozenset(), frozenset({"viewer"}), frozenset({"calendar"})])
def test_a_calendar_does_only_what_names_it(roles: frozenset[str]) -> None:
    rule = Rule(public=False, roles=roles, organization_field="", write=False)
    caller = principal("organizations/a", "calendar")
    if "calendar" in roles:
        require_role(caller, rule)
    else:
        with pytest.raises(PermissionDenied):
            require_role(caller, rule)


async def test_an_operator_reads_any_organization_and_writes_only_its_own() -> None:
    operator = principal("organizations/op", "operator")
    await require_organization(operator, "organizations/a", write=False, delegations=nobody)
    await require_organization(operator, "organizations/op", write=True, delegations=nobody)
    with pytest.raises(PermissionDenied):
        await require_organization(operator, "organizations/a", write=True, delegations=nobody)


async def test_nobody_in_particular_acts_for_no_organization() -> None:
    assert current() is ANONYMOUS
    with pytest.raises(PermissionDenied):
        await require_organization(ANONYMOUS, "organizations/a", write=False, delegations=everybody)


async def test_a_delegation_does_not_reach_what_is_the_organizations_own() -> None:
    rules = Access([identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"]])
    rule = rules.rule("/spareline.registry.v1.IdentityService/CreateApiKey")
    assert rule is not None
    request = identity_service_pb2.CreateApiKeyRequest(parent="organizations/a")
    await require_request(principal("organizations/a"), rule, request, everybody)
    with pytest.raises(PermissionDenied):
        await require_request(principal("organizations/platform"), rule, request, everybody)
