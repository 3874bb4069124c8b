"""Bringing the organizations in: the platform, the showcase firms, and those that it manages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask

from deploy.sample import access, people, terms
from deploy.sample.access import IdentityStub, RegistryStub, request_id
from deploy.sample.files import Entry
from deploy.sample.report import Progress, SignIn
from services.chassis.grpc_client import channel
from services.chassis.paging import pages
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api
from spareline.registry.v1 import registry_service_pb2_grpc

_PAGE: Final = 500
_AT_ONCE: Final = 8

Known = dict[str, Organization]


async def all_organizations(operator: RegistryStub) -> Known:
    """Every organization of the market by name, as an operator sees them."""
    found: Known = {}
    request = api.ListOrganizationsRequest(page_size=_PAGE)
    async for page in pages(operator.ListOrganizations, request):
        found.update((each.name, each) for each in page.organizations)
    return found


async def bring_showcase(
    address: str, identity: IdentityStub, entries: Sequence[Entry], password: str, known: Known
) -> list[SignIn]:
    """Sign the showcase firms up, and have each agree that the platform acts for it."""
    sign_ins = []
    for entry in entries:
        firm, name = people.organization(entry), terms.organization(entry["id"])
        if name not in known:
            await access.sign_up(identity, entry["id"], firm, password, entry["sign_in"])
        if name not in known or people.PLATFORM not in known[name].delegates:
            session = access.with_password(identity, entry["email"], password)
            async with channel(address, token=session.token) as acting:
                stub = registry_service_pb2_grpc.RegistryServiceStub(acting)
                await access.delegate(stub, name)
        sign_ins.append(SignIn(name, entry["name"], entry["email"]))
    return sign_ins


async def bring_managed(
    platform: RegistryStub, entries: Sequence[Entry], known: Known, progress: Progress
) -> None:
    """Register the firms that the platform manages and that are not there yet."""
    missing = [entry for entry in entries if terms.organization(entry["id"]) not in known]
    done = len(entries) - len(missing)
    for start in range(0, len(missing), _AT_ONCE):
        some = missing[start : start + _AT_ONCE]
        await asyncio.gather(*(_register(platform, entry) for entry in some))
        done += len(some)
        progress("organizations", done, len(entries))


async def verify(operator: RegistryStub, entries: Sequence[Entry]) -> None:
    """Note, as the market's operator, whose papers were checked, where nothing is noted yet."""
    known = await all_organizations(operator)
    for entry in entries:
        firm = known[terms.organization(entry["id"])]
        if "verified" not in entry or firm.verification:
            continue
        # The whole firm is sent, since its field rules hold for an update too.
        firm.verification = Organization.Verification.Value(f"VERIFICATION_{entry['verified']}")
        await operator.UpdateOrganization(
            api.UpdateOrganizationRequest(
                organization=firm,
                update_mask=FieldMask(paths=["verification"]),
                request_id=request_id("verification", entry["id"]),
            )
        )


async def _register(platform: RegistryStub, entry: Entry) -> None:
    await platform.CreateOrganization(
        api.CreateOrganizationRequest(
            organization_id=entry["id"],
            organization=people.organization(entry),
            evidence=access.EVIDENCE,
            request_id=request_id("organization", entry["id"]),
        )
    )
