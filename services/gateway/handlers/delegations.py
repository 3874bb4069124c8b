"""Delegations: platforms that act for the organization; for a platform, for whom it acts."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterable

from aiohttp import web

from services.chassis.errors import DomainError, PermissionDenied, Unauthenticated, Unavailable
from services.gateway import refusals
from services.gateway.forms import fields
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import Delegation, Organization
from spareline.registry.v1 import registry_service_pb2 as api

PAGE = "/organization/platforms"
_SHOWN = 50
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


async def listing(request: web.Request) -> web.Response:
    """Show the agreements, and the form for another."""
    signed_in(request)
    return await _page(request, fields.Form({"request_id": str(uuid.uuid4())}))


async def _page(request: web.Request, form: fields.Form, status: int = 200) -> web.Response:
    calls, own = caller(request), signed_in(request).organization
    found, itself = await asyncio.gather(
        calls.call(
            calls.services.registry.ListDelegations,
            api.ListDelegationsRequest(parent=own, page_size=_SHOWN),
        ),
        calls.call(calls.services.registry.GetOrganization, api.GetOrganizationRequest(name=own)),
    )
    platform = itself.kind == Organization.KIND_PLATFORM
    acted_for = api.ListOrganizationsResponse()
    if platform:
        acted_for = await calls.call(
            calls.services.registry.ListOrganizations,
            api.ListOrganizationsRequest(
                page_size=_SHOWN, page_token=request.query.get("page", "")
            ),
        )
    return await render(
        request,
        "delegations.html",
        status=status,
        delegations=found.delegations,
        names=await _names(request, (each.platform for each in found.delegations)),
        platform=platform,
        own=own,
        acted_for=[each for each in acted_for.organizations if each.name != own],
        next_page=acted_for.next_page_token,
        form=form,
    )


async def _names(request: web.Request, platforms: Iterable[str]) -> dict[str, str]:
    """Return what each platform is called; one that has gone is left out."""
    calls = caller(request)
    wanted = list(platforms)
    answers = await asyncio.gather(
        *(
            calls.call(
                calls.services.registry.GetOrganization, api.GetOrganizationRequest(name=name)
            )
            for name in wanted
        ),
        return_exceptions=True,
    )
    return {
        name: answer.display_name
        for name, answer in zip(wanted, answers, strict=True)
        if isinstance(answer, Organization)
    }


async def agree(request: web.Request) -> web.StreamResponse:
    """Agree that a platform acts for the organization."""
    form, calls = fields.read(await request.post()), caller(request)
    parent = signed_in(request).organization
    code = form.text("platform").removeprefix("organizations/")
    if not _CODE.fullmatch(code):
        form.problems["platform"] = gettext(
            request, "Give the code that the platform has told you, for example chain-hub."
        )
    if not form.checked("agreed"):
        form.problems["agreed"] = gettext(request, "Tick this if you agree.")
    if form.problems:
        return await _page(request, form, 400)
    wanted = Delegation(platform=f"organizations/{code}", evidence=form.text("evidence"))
    try:
        await calls.call(
            calls.services.registry.CreateDelegation,
            api.CreateDelegationRequest(
                parent=parent, delegation=wanted, request_id=form.text("request_id")
            ),
        )
    except (PermissionDenied, Unauthenticated, Unavailable):
        raise
    except DomainError as error:
        form.problems["platform"] = _problem(request, error)
        return await _page(request, form, 400)
    await notify(request, "Agreed. The platform can act for you from now on.")
    raise web.HTTPSeeOther(PAGE)


def _problem(request: web.Request, error: DomainError) -> str:
    if error.reason == reason_pb2.REASON_ALREADY_EXISTS:
        return gettext(request, "This platform acts for you already.")
    if any(each.field == "delegation.platform" for each in error.violations):
        return gettext(request, "There is no partner platform with this code.")
    return refusals.sentences(error, request[LANGUAGE])[0]


async def end(request: web.Request) -> web.StreamResponse:
    """Withdraw an agreement."""
    name = f"{signed_in(request).organization}/delegations/{request.match_info['delegation']}"
    calls = caller(request)
    await calls.call(
        calls.services.registry.DeleteDelegation, api.DeleteDelegationRequest(name=name)
    )
    await notify(request, "Withdrawn. Within seconds the platform can do nothing more for you.")
    raise web.HTTPSeeOther(PAGE)
