"""Other terms: asked for, agreed to, or refused."""

from __future__ import annotations

from decimal import Decimal

from aiohttp import web

from services.chassis.errors import (
    DomainError,
    InvalidArgument,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from services.gateway import refusals
from services.gateway.forms import fields, partners, quantities
from services.gateway.handlers import proposals
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.proposal_pb2 import CounterLeg, Delivery, Leg, Proposal


async def counter(request: web.Request) -> web.StreamResponse:
    """Ask for other terms: only what differs from the present ones is sent."""
    form = fields.read(await request.post())
    proposal = await proposals.get(request)
    legs = _changes(request, form, proposal)
    if not legs and not form.problems:
        form.general.append(gettext(request, "Nothing was changed. Change a price or a quantity."))
    if form.problems or form.general:
        return await proposals.page(request, proposal, form, 400)
    message = matching.CounterProposalRequest(
        name=proposals.name_of(request),
        party=signed_in(request).organization,
        legs=legs,
        note=form.text("note"),
        request_id=form.text("request_id"),
    )
    calls = caller(request)
    try:
        await calls.call(calls.services.matching.CounterProposal, message)
    except InvalidArgument as error:
        form.take(
            error,
            {f"legs[{i}]": f"price_{leg.leg_index}" for i, leg in enumerate(legs)},
            request[LANGUAGE],
        )
        return await proposals.page(request, await proposals.get(request), form, 400)
    except (PermissionDenied, Unauthenticated, Unavailable):
        raise
    except DomainError as error:
        form.general.append(refusals.sentences(error, request[LANGUAGE])[0])
        return await proposals.page(request, await proposals.get(request), form, 409)
    await notify(request, "Your counter-proposal is with the other side. The capacity stays held.")
    raise web.HTTPSeeOther(f"/{proposals.path_of(request)}")


def _changes(request: web.Request, form: fields.Form, proposal: Proposal) -> list[CounterLeg]:
    language = request[LANGUAGE]
    number = gettext(request, "Give a number, such as 40 or 12.5.")
    legs: list[CounterLeg] = []
    for i, leg in enumerate(proposal.legs):
        if f"price_{i}" not in form.values:
            continue
        changed = CounterLeg(leg_index=i)
        price = form.decimal(f"price_{i}", number)
        with partners.whole(form, f"price_{i}", language):
            per_tick = quantities.price_per_tick(price or Decimal(), leg.unit)
            if price is not None and per_tick != leg.unit_price:
                changed.unit_price = per_tick
        deliveries = []
        for delivery in leg.deliveries:
            name = f"q_{i}_{delivery.period}"
            with partners.whole(form, name, language):
                wanted = quantities.ticks(form.decimal(name, number) or Decimal(), leg.unit)
                if wanted:
                    deliveries.append(Delivery(period=delivery.period, quantity=wanted))
        deliveries += _another_week(form, i, leg, number, language)
        deliveries.sort(key=lambda each: each.period)
        if deliveries != list(leg.deliveries):
            changed.deliveries.extend(deliveries)
        if changed.HasField("unit_price") or changed.deliveries:
            legs.append(changed)
    return legs


def _another_week(
    form: fields.Form, i: int, leg: Leg, number: str, language: str
) -> list[Delivery]:
    """Return what is asked for in a week that the leg does not have yet."""
    week = form.text(f"week_{i}")
    if not quantities.exists(week) or any(each.period == week for each in leg.deliveries):
        return []
    with partners.whole(form, f"more_{i}", language):
        amount = form.decimal(f"more_{i}", number) or Decimal()
        wanted = quantities.ticks(amount, leg.unit)
        return [Delivery(period=week, quantity=wanted)] if wanted else []
    return []


async def accept_counter(request: web.Request) -> web.StreamResponse:
    """Agree to the other side's counter."""
    form = fields.read(await request.post())
    message = matching.AcceptCounterRequest(
        name=proposals.name_of(request),
        party=signed_in(request).organization,
        request_id=form.text("request_id"),
    )
    return await proposals.send_answer(request, "AcceptCounter", message, "Agreed.")


async def decline_counter(request: web.Request) -> web.StreamResponse:
    """Refuse the other side's counter; the earlier terms stand again."""
    form = fields.read(await request.post())
    message = matching.DeclineCounterRequest(
        name=proposals.name_of(request),
        party=signed_in(request).organization,
        note=form.text("note"),
        request_id=form.text("request_id"),
    )
    return await proposals.send_answer(
        request, "DeclineCounter", message, "Refused. The earlier terms stand again."
    )
