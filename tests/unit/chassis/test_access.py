"""Organizations in resource names, and who may act for them."""

import pytest

from services.chassis.access import (
    ANONYMOUS,
    Principal,
    Role,
    current,
    organization_of,
    require_organization,
)
from services.chassis.errors import PermissionDenied


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
