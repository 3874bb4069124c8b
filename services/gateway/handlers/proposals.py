"""Proposals: what Spareline has found for me, and my answer to it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from services.chassis.errors import (
    DomainError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from services.gateway.forms import fields, partners, quantities
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.proposal_pb2 import CounterLeg, Delivery, Party, Proposal

_State = Proposal.State
GROUPS: Mapping[str, tuple[int, ...]] = {
    "open": (_State.STATE_PROPOSED, _State.STATE_CONFIRMING),
    "agreed": (_State.STATE_CONFIRMED, _State.STATE_FULFILLED, _State.STATE_DISPUTED),
    "past": (
        _State.STATE_DECLINED,
        _State.STATE_EXPIRED,
        _State.STATE_CANCELLED,
        _State.STATE_SUPERSEDED,
    ),
}


def _name(request: web.Request) -> str:
    return f"rounds/{request.match_info['round']}/proposals/{request.match_info['proposal']}"


def own_index(proposal: Proposal) -> int:
    """Return the index of the reader's own party. Raises NotFound when there is none."""
    for index, party in enumerate(proposal.parties):
        if party.own:
            return index
    raise NotFound(0, "This proposal is not yours")


def waits_for_me(proposal: Proposal) -> bool:
    """Return whether the reader has to answer: the proposal, or a counter to it."""
    if proposal.state != _State.STATE_PROPOSED:
        return False
    own = own_index(proposal)
    if proposal.HasField("counter"):
        return proposal.counter.party_index != own and own not in proposal.counter.agreed
    return proposal.parties[own].answer == Party.ANSWER_UNSPECIFIED


async def listing(request: web.Request) -> web.Response:
    """Show the proposals of a group: to answer, agreed, or past."""
    person = signed_in(request)
    group = request.query.get("show", "open")
    states = GROUPS.get(group, GROUPS["open"])
    calls = caller(request)
    page = await calls.call(
        calls.services.matching.ListProposals,
        matching.ListProposalsRequest(
            parent="rounds/-",
            party=person.organization,
            states=[_State.Name(state) for state in states],  # type: ignore[arg-type]
            page_size=50,
            page_token=request.query.get("page", ""),
        ),
    )
    return await render(
        request,
        "proposals.html",
        proposals=page.proposals,
        mine=[proposal for proposal in page.proposals if waits_for_me(proposal)],
        others=[proposal for proposal in page.proposals if not waits_for_me(proposal)],
        next_page=page.next_page_token,
        group=group if group in GROUPS else "open",
        capabilities=await capabilities(request),
    )


async def show(request: web.Request) -> web.Response:
    """Show one proposal whole, with the forms that answer it."""
    return await _page(request, await _get(request), fields.Form())


async def _get(request: web.Request) -> Proposal:
    calls = caller(request)
    found: Proposal = await calls.call(
        calls.services.matching.GetProposal,
        matching.GetProposalRequest(name=_name(request), party=signed_in(request).organization),
    )
    return found


def _counter_form(proposal: Proposal, form: fields.Form) -> fields.Form:
    """Return the counter form with the present terms where nothing was typed yet."""
    values: dict[str, object] = {}
    for i, leg in enumerate(proposal.legs):
        values[f"price_{i}"] = quantities.typed_price(leg.unit_price, leg.unit)
        for delivery in leg.deliveries:
            values[f"q_{i}_{delivery.period}"] = quantities.typed_quantity(
                delivery.quantity, leg.unit
            )
    return fields.Form(values | form.values, form.problems, form.general)


async def _page(
    request: web.Request, proposal: Proposal, form: fields.Form, status: int = 200
) -> web.Response:
    own = own_index(proposal)
    changeable = [i for i, leg in enumerate(proposal.legs) if own == 0 or leg.party_index == own]
    return await render(
        request,
        "proposal.html",
        status=status,
        proposal=proposal,
        own=own,
        me=proposal.parties[own],
        waiting=waits_for_me(proposal),
        changeable=changeable,
        form=_counter_form(proposal, form),
        request_id=str(uuid.uuid4()),
        capabilities=await capabilities(request),
        reasons=_reasons(request),
        why_declined={
            proposal_pb2.DeclineReason.Value(name): text for name, text in _reasons(request)
        },
    )


def _reasons(request: web.Request) -> list[tuple[str, str]]:
    return [
        ("DECLINE_REASON_PRICE", gettext(request, "The price does not suit")),
        ("DECLINE_REASON_TIMING", gettext(request, "The weeks do not suit")),
        ("DECLINE_REASON_QUANTITY", gettext(request, "The quantity does not suit")),
        ("DECLINE_REASON_PARTNER", gettext(request, "Not with this partner")),
        (
            "DECLINE_REASON_NO_LONGER_NEEDED",
            gettext(request, "No longer needed, or no longer free"),
        ),
        ("DECLINE_REASON_OTHER", gettext(request, "Something else")),
    ]


async def _answer(request: web.Request, method: str, message: Any, said: str) -> web.StreamResponse:
    """Make one call that answers the proposal, and show the proposal as it then is."""
    calls = caller(request)
    try:
        await calls.call(getattr(calls.services.matching, method), message)
    except (PermissionDenied, Unauthenticated, Unavailable):
        raise
    except DomainError as error:
        # Somebody was faster, or time ran out: show how it stands, and say why.
        form = fields.Form(general=[error.message])
        return await _page(request, await _get(request), form, 409)
    await notify(request, said)
    raise web.HTTPSeeOther(f"/{_path(request)}")


def _path(request: web.Request) -> str:
    return f"proposals/{request.match_info['round']}/{request.match_info['proposal']}"


async def accept(request: web.Request) -> web.StreamResponse:
    """Accept the terms that the page showed."""
    form = fields.read(await request.post())
    version = form.text("terms_version")
    message = matching.AcceptProposalRequest(
        name=_name(request),
        party=signed_in(request).organization,
        terms_version=int(version) if version.isdigit() else 0,
        request_id=form.text("request_id"),
    )
    return await _answer(request, "AcceptProposal", message, "Accepted.")


async def decline(request: web.Request) -> web.StreamResponse:
    """Decline, with a reason that teaches the matcher."""
    form = fields.read(await request.post())
    reasons = proposal_pb2.DeclineReason
    reason = form.text("reason")
    message = matching.DeclineProposalRequest(
        name=_name(request),
        party=signed_in(request).organization,
        reason=reasons.Value(reason)
        if reason in reasons.keys()  # noqa: SIM118  (an enum wrapper, not a dict)
        else proposal_pb2.DECLINE_REASON_UNSPECIFIED,
        note=form.text("decline_note"),
        request_id=form.text("request_id"),
    )
    return await _answer(
        request, "DeclineProposal", message, "Declined. The capacity is free again."
    )


async def counter(request: web.Request) -> web.StreamResponse:
    """Ask for other terms: only what differs from the present ones is sent."""
    form = fields.read(await request.post())
    proposal = await _get(request)
    legs = _changes(request, form, proposal)
    if not legs and not form.problems:
        form.general.append(gettext(request, "Nothing was changed. Change a price or a quantity."))
    if form.problems or form.general:
        return await _page(request, proposal, form, 400)
    message = matching.CounterProposalRequest(
        name=_name(request),
        party=signed_in(request).organization,
        legs=legs,
        note=form.text("note"),
        request_id=form.text("request_id"),
    )
    calls = caller(request)
    try:
        await calls.call(calls.services.matching.CounterProposal, message)
    except InvalidArgument as error:
        form.take(error, {f"legs[{i}]": f"price_{leg.leg_index}" for i, leg in enumerate(legs)})
        return await _page(request, await _get(request), form, 400)
    except (PermissionDenied, Unauthenticated, Unavailable):
        raise
    except DomainError as error:
        form.general.append(error.message)
        return await _page(request, await _get(request), form, 409)
    await notify(request, "Your counter-proposal is with the other side. The capacity stays held.")
    raise web.HTTPSeeOther(f"/{_path(request)}")


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
        if deliveries != list(leg.deliveries):
            changed.deliveries.extend(deliveries)
        if changed.HasField("unit_price") or changed.deliveries:
            legs.append(changed)
    return legs


async def accept_counter(request: web.Request) -> web.StreamResponse:
    """Agree to the other side's counter."""
    form = fields.read(await request.post())
    message = matching.AcceptCounterRequest(
        name=_name(request),
        party=signed_in(request).organization,
        request_id=form.text("request_id"),
    )
    return await _answer(request, "AcceptCounter", message, "Agreed.")


async def decline_counter(request: web.Request) -> web.StreamResponse:
    """Refuse the other side's counter; the earlier terms stand again."""
    form = fields.read(await request.post())
    message = matching.DeclineCounterRequest(
        name=_name(request),
        party=signed_in(request).organization,
        note=form.text("note"),
        request_id=form.text("request_id"),
    )
    return await _answer(
        request, "DeclineCounter", message, "Refused. The earlier terms stand again."
    )


async def report(request: web.Request) -> web.StreamResponse:
    """Report how an agreed proposal went."""
    form = fields.read(await request.post())
    message = matching.ReportProposalRequest(
        name=_name(request),
        party=signed_in(request).organization,
        fulfilled=form.text("fulfilled") == "yes",
        note=form.text("note"),
        request_id=form.text("request_id"),
    )
    return await _answer(request, "ReportProposal", message, "Thank you. It is noted.")
