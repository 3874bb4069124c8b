"""My offers: what I can spare."""

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
    calendar,
    choosing,
    drafts,
    fields,
    offers,
    quantities,
)
from services.gateway.languages import LANGUAGE
from services.gateway.market import capabilities, capability
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.draft_pb2 import Draft
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.registry.v1 import registry_service_pb2 as registry

_CHANGEABLE = (
    "title description attributes capacity unit_price setup_price minimum_order minimum_run "
    "lead_time_periods reach requirements disclosure"
)


def _name(request: web.Request) -> str:
    return f"{signed_in(request).organization}/offers/{request.match_info['offer']}"


async def _get(request: web.Request) -> Offer:
    calls = caller(request)
    found: Offer = await calls.call(
        calls.services.registry.GetOffer, registry.GetOfferRequest(name=_name(request))
    )
    return found


async def listing(request: web.Request) -> web.Response:
    """Show all offers of the organization, newest first."""
    calls = caller(request)
    page = await calls.call(
        calls.services.registry.ListOffers,
        registry.ListOffersRequest(
            parent=signed_in(request).organization,
            page_size=50,
            page_token=request.query.get("page", ""),
        ),
    )
    return await render(
        request,
        "offers.html",
        offers=page.offers,
        next_page=page.next_page_token,
        capabilities=await capabilities(request),
    )


async def show(request: web.Request) -> web.Response:
    """Show one offer: its weeks, its terms, and the proposals that use it."""
    offer = await _get(request)
    calls = caller(request)
    used = await calls.call(
        calls.services.matching.ListProposals,
        matching.ListProposalsRequest(
            parent="rounds/-",
            party=signed_in(request).organization,
            posting=offer.name,
            page_size=20,
        ),
    )
    known = await capability(request, offer.capability)
    return await render(
        request,
        "offer.html",
        offer=offer,
        capability=known,
        values=_shown(offer, known, request[LANGUAGE]),
        proposals=used.proposals,
    )


def _shown(offer: Offer, known: Capability, language: str) -> list[tuple[Any, str]]:
    return [
        (a.display_name, attributes.shown(offer.attributes[a.key], a, language))
        for a in known.attributes
        if a.key in offer.attributes
    ]


async def new(request: web.Request) -> web.Response:
    """Ask for the capability first; then show the form that it makes."""
    signed_in(request)
    code = request.query.get("capability", "")
    if not code:
        return await choosing.page(request, choosing.OFFERS)
    known = await capability(request, code)
    if copied := request.query.get("copy"):
        calls = caller(request)
        earlier = await calls.call(
            calls.services.registry.GetOffer,
            registry.GetOfferRequest(name=f"{signed_in(request).organization}/offers/{copied}"),
        )
        form = offers.copy(earlier, known, date.today())
    else:
        form = offers.blank(known, date.today(), request[LANGUAGE])
        form.values |= choosing.understood(request, known)
    form.values |= {"request_id": str(uuid.uuid4()), drafts.FIELD: drafts.new_id()}
    return await _form(request, form, known)


async def resume(request: web.Request, form: fields.Form) -> web.Response:
    """Show the form of a draft. Raises NotFound when its capability is no more."""
    return await _form(request, form, await capability(request, form.text("capability")))


async def _form(
    request: web.Request,
    form: fields.Form,
    known: Capability,
    *,
    offer: Offer | None = None,
    status: int = 200,
) -> web.Response:
    language = request[LANGUAGE]
    weeks = quantities.upcoming(date.today(), offers.HORIZON_WEEKS)
    if offer is not None:
        weeks = sorted({*weeks, *(c.period for c in offer.capacity)})
    market = await prices.summaries(request, [known.code])
    return await render(
        request,
        "offer_form.html",
        status=status,
        form=form,
        capability=known,
        controls=attributes.controls(known, "", "offer", language, form),
        weeks=weeks,
        months=calendar.months(weeks, language),
        summary=market.get(known.code),
        capabilities=await capabilities(request),
        rows=offers.rows(form),
        offer=offer,
        regions=choosing.region_choices(language),
    )


async def create(request: web.Request) -> web.StreamResponse:
    """Post an offer."""
    person = signed_in(request)
    form = fields.read(await request.post())
    known = await capability(request, form.text("capability"))
    if form.text("action") == "draft":
        return await choosing.keep(request, Draft.KIND_OFFER, form)
    if form.text("action") == "fill":
        offers.fill_weeks(form, known, date.today(), request[LANGUAGE])
        return await _form(request, form, known)
    offer = offers.read(form, known, request[LANGUAGE])
    if not form.problems:
        calls = caller(request)
        try:
            posted = await calls.call(
                calls.services.registry.CreateOffer,
                registry.CreateOfferRequest(
                    parent=person.organization, offer=offer, request_id=form.text("request_id")
                ),
            )
        except (PermissionDenied, Unauthenticated, Unavailable):
            raise
        except DomainError as error:
            form.take(error, offers.places(known), request[LANGUAGE])
        else:
            await drafts.drop_posted(request, form)
            await notify(request, "Posted. It takes part in the next round.")
            raise web.HTTPSeeOther(f"/offers/{posted.name.rsplit('/', 1)[-1]}")
    return await _form(request, form, known, status=400)


async def edit(request: web.Request) -> web.Response:
    """Show the form of an offer."""
    offer = await _get(request)
    known = await capability(request, offer.capability)
    return await _form(request, offers.fill(offer, known), known, offer=offer)


async def update(request: web.Request) -> web.StreamResponse:
    """Store the new terms of an offer."""
    stored = await _get(request)
    known = await capability(request, stored.capability)
    form = fields.read(await request.post())
    if form.text("action") == "fill":
        offers.fill_weeks(form, known, date.today(), request[LANGUAGE])
        return await _form(request, form, known, offer=stored)
    offer = offers.read(form, known, request[LANGUAGE])
    if not form.problems:
        offer.name, offer.etag = stored.name, form.text("etag")
        calls = caller(request)
        try:
            await calls.call(
                calls.services.registry.UpdateOffer,
                registry.UpdateOfferRequest(
                    offer=offer, update_mask=FieldMask(paths=_CHANGEABLE.split())
                ),
            )
        except (PermissionDenied, Unauthenticated, Unavailable):
            raise
        except DomainError as error:
            form.take(error, offers.places(known), request[LANGUAGE])
        else:
            await notify(request, "Saved.")
            raise web.HTTPSeeOther(f"/offers/{request.match_info['offer']}")
    return await _form(request, form, known, offer=stored, status=400)


async def withdraw(request: web.Request) -> web.StreamResponse:
    """Take an offer out of the market."""
    calls = caller(request)
    await calls.call(
        calls.services.registry.WithdrawOffer, registry.WithdrawOfferRequest(name=_name(request))
    )
    await notify(request, "Withdrawn. What was agreed stays agreed.")
    raise web.HTTPSeeOther(f"/offers/{request.match_info['offer']}")
