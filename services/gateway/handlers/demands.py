"""My demands: what I need."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import DomainError, PermissionDenied, Unauthenticated, Unavailable
from services.gateway import prices
from services.gateway.forms import (
    attributes,
    choosing,
    demands,
    drafts,
    fields,
    lines,
    quantities,
)
from services.gateway.languages import LANGUAGE
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.draft_pb2 import Draft
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import registry_service_pb2 as registry

_CHANGEABLE = "title description lines bundle precedences budget priority_class disclosure"


def _name(request: web.Request) -> str:
    return f"{signed_in(request).organization}/demands/{request.match_info['demand']}"


async def _get(request: web.Request) -> Demand:
    return await _stored(request, request.match_info["demand"])


async def _stored(request: web.Request, demand: str) -> Demand:
    calls = caller(request)
    name = f"{signed_in(request).organization}/demands/{demand}"
    found: Demand = await calls.call(
        calls.services.registry.GetDemand, registry.GetDemandRequest(name=name)
    )
    return found


async def listing(request: web.Request) -> web.Response:
    """Show all demands of the organization, newest first."""
    calls = caller(request)
    page = await calls.call(
        calls.services.registry.ListDemands,
        registry.ListDemandsRequest(
            parent=signed_in(request).organization,
            page_size=50,
            page_token=request.query.get("page", ""),
        ),
    )
    return await render(
        request,
        "demands.html",
        demands=page.demands,
        next_page=page.next_page_token,
        capabilities=await capabilities(request),
    )


async def show(request: web.Request) -> web.Response:
    """Show one demand: its lines, where it stands, and the proposals for it."""
    demand = await _get(request)
    calls = caller(request)
    made = await calls.call(
        calls.services.matching.ListProposals,
        matching.ListProposalsRequest(
            parent="rounds/-",
            party=signed_in(request).organization,
            posting=demand.name,
            page_size=20,
        ),
    )
    known = await capabilities(request)
    language = request[LANGUAGE]
    values: dict[str, list[tuple[Any, str]]] = {
        line.id: [
            (a.display_name, attributes.shown(line.attributes[a.key], a, language))
            for a in known[line.capability].attributes
            if a.key in line.attributes
        ]
        for line in demand.lines
    }
    return await render(
        request,
        "demand.html",
        demand=demand,
        capabilities=known,
        values=values,
        balances={balance.line: balance for balance in demand.balances},
        proposals=made.proposals,
    )


async def new(request: web.Request) -> web.Response:
    """Ask for the capability first; then show the form that it makes."""
    signed_in(request)
    known = await capabilities(request)
    code = request.query.get("capability", "")
    if copied := request.query.get("copy"):
        form = demands.copy(await _stored(request, copied), known, date.today())
    elif code not in known:
        return await choosing.page(request, choosing.DEMANDS)
    else:
        form = demands.blank(known[code], date.today(), request[LANGUAGE])
        form.values |= choosing.understood(request, known[code], "l0_")
    form.values |= {"request_id": str(uuid.uuid4()), drafts.FIELD: drafts.new_id()}
    return await _form(request, form)


async def resume(request: web.Request, form: fields.Form) -> web.Response:
    """Show the form of a draft."""
    return await _form(request, form)


async def _form(
    request: web.Request, form: fields.Form, *, demand: Demand | None = None, status: int = 200
) -> web.Response:
    language = request[LANGUAGE]
    known = await capabilities(request)
    shown = []
    for index in range(lines.count(form)):
        capability = known.get(form.text(f"l{index}_capability"))
        controls = (
            attributes.controls(capability, f"l{index}_", "demand", language, form)
            if capability
            else []
        )
        shown.append((index, capability, controls))
    market = await prices.summaries(request, [known.code for _, known, _ in shown if known])
    weeks = quantities.upcoming(date.today(), 52)
    if demand is not None:
        used = (w for line in demand.lines for w in (line.window.earliest, line.window.latest))
        weeks = sorted({*weeks, *used})
    return await render(
        request,
        "demand_form.html",
        status=status,
        form=form,
        lines=shown,
        summaries=market,
        capabilities=known,
        most_lines=lines.MOST,
        weeks=weeks,
        demand=demand,
        choices=choosing.capability_choices(
            known, language, keep={each.code for _, each, _ in shown if each}
        ),
        regions=choosing.region_choices(language),
    )


async def _reshape(request: web.Request, form: fields.Form, demand: Demand | None) -> web.Response:
    """Show the same form with a line more or less, or with the fields of a new capability."""
    count = lines.count(form)
    action = form.text("action")
    if action == "add-line" and count < lines.MOST:
        form.values["lines"] = str(count + 1)
        form.values |= demands.line_defaults(count, None, date.today())
    elif action.startswith("drop-line-") and action[10:].isdecimal():
        lines.drop(form, int(action[10:14]))
    elif action == "refresh":
        demands.complete_lines(form, date.today())
        await choosing.name_lines(request, form)
    return await _form(request, form, demand=demand)


async def create(request: web.Request) -> web.StreamResponse:
    """Post a demand."""
    person = signed_in(request)
    form = fields.read(await request.post())
    if form.text("action") == "draft":
        return await choosing.keep(request, Draft.KIND_DEMAND, form)
    if form.text("action") != "post":
        return await _reshape(request, form, None)
    known = await capabilities(request)
    demand = demands.read(form, known, request[LANGUAGE])
    if not form.problems:
        calls = caller(request)
        try:
            posted = await calls.call(
                calls.services.registry.CreateDemand,
                registry.CreateDemandRequest(
                    parent=person.organization, demand=demand, request_id=form.text("request_id")
                ),
            )
        except (PermissionDenied, Unauthenticated, Unavailable):
            raise
        except DomainError as error:
            _take(request, form, error, demand, known)
        else:
            await drafts.drop_posted(request, form)
            await notify(request, "Posted. It takes part in the next round.")
            raise web.HTTPSeeOther(f"/demands/{posted.name.rsplit('/', 1)[-1]}")
    return await _form(request, form, status=400)


def _take(
    request: web.Request, form: fields.Form, error: DomainError, demand: Demand, known: Any
) -> None:
    asked = [known.get(line.capability) for line in demand.lines]
    form.take(
        error, demands.places(len(asked)) | demands.attribute_places(asked), request[LANGUAGE]
    )


async def edit(request: web.Request) -> web.Response:
    """Show the form of a demand."""
    demand = await _get(request)
    return await _form(request, demands.fill(demand, await capabilities(request)), demand=demand)


async def update(request: web.Request) -> web.StreamResponse:
    """Store the new terms of a demand."""
    stored = await _get(request)
    form = fields.read(await request.post())
    if form.text("action") != "post":
        return await _reshape(request, form, stored)
    known = await capabilities(request)
    demand = demands.read(form, known, request[LANGUAGE])
    if not form.problems:
        demand.name, demand.etag = stored.name, form.text("etag")
        calls = caller(request)
        try:
            await calls.call(
                calls.services.registry.UpdateDemand,
                registry.UpdateDemandRequest(
                    demand=demand, update_mask=FieldMask(paths=_CHANGEABLE.split())
                ),
            )
        except (PermissionDenied, Unauthenticated, Unavailable):
            raise
        except DomainError as error:
            _take(request, form, error, demand, known)
        else:
            await notify(request, "Saved.")
            raise web.HTTPSeeOther(f"/demands/{request.match_info['demand']}")
    return await _form(request, form, demand=stored, status=400)


async def withdraw(request: web.Request) -> web.StreamResponse:
    """Take a demand out of the market."""
    calls = caller(request)
    await calls.call(
        calls.services.registry.WithdrawDemand,
        registry.WithdrawDemandRequest(name=_name(request)),
    )
    await notify(request, "Withdrawn. What was agreed stays agreed.")
    raise web.HTTPSeeOther(f"/demands/{request.match_info['demand']}")
