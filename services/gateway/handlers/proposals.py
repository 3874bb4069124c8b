"""Proposals: what Spareline has found for me, and my answer to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from aiohttp import web

from services.chassis.errors import (
    DomainError,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from services.gateway import refusals, terms
from services.gateway.agreement import AGREED
from services.gateway.forms import fields, quantities
from services.gateway.handlers.many import reason_of
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.proposal_pb2 import Party, Proposal
from spareline.registry.v1 import registry_service_pb2 as registry

_State = Proposal.State
GROUPS: Mapping[str, tuple[int, ...]] = {
    "open": (_State.STATE_PROPOSED, _State.STATE_CONFIRMING),
    "agreed": tuple(sorted(AGREED)),
    "past": (
        _State.STATE_DECLINED,
        _State.STATE_EXPIRED,
        _State.STATE_CANCELLED,
        _State.STATE_SUPERSEDED,
    ),
}
_WEEKS_TO_CHOOSE = 26
_AT_ONCE = 50


def name_of(request: web.Request) -> str:
    """Return the resource name of the proposal that a page is about."""
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
    wanted = matching.ListProposalsRequest(
        parent="rounds/-",
        party=person.organization,
        states=[_State.Name(state) for state in states],  # type: ignore[arg-type]
        page_size=_AT_ONCE,
        page_token=request.query.get("page", ""),
    )
    calls = caller(request)
    page, reports = await asyncio.gather(
        calls.call(calls.services.matching.ListProposals, wanted), _reports_due(request)
    )
    mine = [proposal for proposal in page.proposals if waits_for_me(proposal)]
    return await render(
        request,
        "proposals.html",
        proposals=page.proposals,
        mine=mine,
        together=person.may_trade and sum(not p.HasField("counter") for p in mine) > 1,
        reports=reports,
        others=[proposal for proposal in page.proposals if not waits_for_me(proposal)],
        next_page=page.next_page_token,
        group=group if group in GROUPS else "open",
        capabilities=await capabilities(request),
        weeks=terms.weeks,
        reasons=_reasons(request),
        request_id=str(uuid.uuid4()),
        form=fields.Form(),
    )


async def _reports_due(request: web.Request) -> Sequence[Proposal]:
    """Return the agreed proposals of which the reader was asked how they went."""
    if request.query.get("show", "open") != "open" or request.query.get("page"):
        return ()
    calls = caller(request)
    wanted = matching.ListProposalsRequest(
        parent="rounds/-",
        party=signed_in(request).organization,
        states=[_State.Name(_State.STATE_CONFIRMED)],
        awaiting_answer=True,
        page_size=_AT_ONCE,
    )
    found = await calls.call(calls.services.matching.ListProposals, wanted)
    return tuple(found.proposals)


async def show(request: web.Request) -> web.Response:
    """Show one proposal whole, with the forms that answer it."""
    return await page(request, await get(request), fields.Form())


async def get(request: web.Request) -> Proposal:
    """Return the proposal that a page is about, as the reader's firm sees it."""
    calls = caller(request)
    found: Proposal = await calls.call(
        calls.services.matching.GetProposal,
        matching.GetProposalRequest(name=name_of(request), party=signed_in(request).organization),
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


async def _limits(request: web.Request, proposal: Proposal) -> dict[str, int]:
    """Return what the reader would pay per tick at most, by line, while there is a choice."""
    if proposal.state != _State.STATE_PROPOSED or own_index(proposal) or not proposal.demand:
        return {}
    calls = caller(request)
    try:
        demand = await calls.call(
            calls.services.registry.GetDemand, registry.GetDemandRequest(name=proposal.demand)
        )
    except NotFound:
        return {}
    return {line.id: line.limit_price for line in demand.lines}


async def page(
    request: web.Request, proposal: Proposal, form: fields.Form, status: int = 200
) -> web.Response:
    """Show a proposal with what was typed into one of its forms, and what is wrong with it."""
    own = own_index(proposal)
    known, limits = await asyncio.gather(capabilities(request), _limits(request, proposal))
    reasons = _reasons(request)
    return await render(
        request,
        "proposal.html",
        status=status,
        proposal=proposal,
        own=own,
        me=proposal.parties[own],
        waiting=waits_for_me(proposal),
        agreed=proposal.state in AGREED,
        counter=terms.counter(proposal) if proposal.HasField("counter") else None,
        amount=terms.amount,
        ticks=terms.quantity,
        limits=limits,
        weeks=quantities.upcoming(date.today(), _WEEKS_TO_CHOOSE),
        form=_counter_form(proposal, form),
        request_id=str(uuid.uuid4()),
        capabilities=known,
        reasons=reasons,
        why_declined={proposal_pb2.DeclineReason.Value(name): text for name, text in reasons},
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


async def send_answer(
    request: web.Request, method: str, message: Any, said: str
) -> web.StreamResponse:
    """Make one call that answers the proposal, and show the proposal as it then is."""
    refused = await _refused(request, method, message)
    if refused is not None:
        return refused
    await notify(request, said)
    raise web.HTTPSeeOther(f"/{path_of(request)}")


async def _refused(request: web.Request, method: str, message: Any) -> web.StreamResponse | None:
    calls = caller(request)
    try:
        await calls.call(getattr(calls.services.matching, method), message)
    except (PermissionDenied, Unauthenticated, Unavailable):
        raise
    except DomainError as error:
        # Somebody was faster, or time ran out: show how it stands, and say why.
        said = refusals.sentences(error, request[LANGUAGE])[0]
        return await page(request, await get(request), fields.Form(general=[said]), 409)
    return None


def path_of(request: web.Request) -> str:
    """Return the address of the proposal's page, without its first slash."""
    return f"proposals/{request.match_info['round']}/{request.match_info['proposal']}"


async def accept(request: web.Request) -> web.StreamResponse:
    """Accept the terms that the page showed."""
    form = fields.read(await request.post())
    version = form.text("terms_version")
    message = matching.AcceptProposalRequest(
        name=name_of(request),
        party=signed_in(request).organization,
        terms_version=int(version[:9]) if version.isdecimal() else 0,
        request_id=form.text("request_id"),
    )
    return await send_answer(request, "AcceptProposal", message, "Accepted.")


async def decline(request: web.Request) -> web.StreamResponse:
    """Decline, with a reason that teaches the matcher."""
    form = fields.read(await request.post())
    message = matching.DeclineProposalRequest(
        name=name_of(request),
        party=signed_in(request).organization,
        reason=reason_of(form.text("reason")),
        note=form.text("decline_note"),
        request_id=form.text("request_id"),
    )
    refused = await _refused(request, "DeclineProposal", message)
    if refused is not None:
        return refused
    await notify(request, "Declined. The capacity is free again.")
    if message.reason == proposal_pb2.DECLINE_REASON_NO_LONGER_NEEDED:
        await notify(
            request, "Change or withdraw it here, so that nothing more is proposed for it."
        )
        raise web.HTTPSeeOther(_own_posting(await get(request)))
    raise web.HTTPSeeOther(f"/{path_of(request)}")


def _own_posting(proposal: Proposal) -> str:
    """Return the page of the reader's own demand or offer in a proposal."""
    if own_index(proposal) == 0:
        return f"/demands/{proposal.demand.rsplit('/', 1)[-1]}"
    return f"/offers/{proposal.legs[0].offer.rsplit('/', 1)[-1]}"


async def report(request: web.Request) -> web.StreamResponse:
    """Report how an agreed proposal went, and how content one is with the other side."""
    form = fields.read(await request.post())
    rating, outcome = form.text("rating"), form.text("outcome")
    message = matching.ReportProposalRequest(
        name=name_of(request),
        party=signed_in(request).organization,
        fulfilled=outcome in ("fulfilled", "late"),
        late=outcome == "late",
        rating=int(rating) if rating in ("1", "2", "3", "4", "5") else 0,
        note=form.text("note"),
        request_id=form.text("request_id"),
    )
    if outcome not in ("fulfilled", "late", "failed"):
        problem = gettext(request, "Say how it went.")
        form.problems["outcome"] = problem
        return await page(request, await get(request), form, 400)
    return await send_answer(request, "ReportProposal", message, "Thank you. It is noted.")
