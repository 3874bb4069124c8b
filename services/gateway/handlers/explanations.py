"""Why was I not matched? In plain words, with the smallest changes that would have helped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import (
    DomainError,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from services.gateway import refusals
from services.gateway.forms import fields, remedies
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.market import capabilities
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.capability_pb2 import Capability, Unit
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.explanation_pb2 import Counterfactual, Explanation
from spareline.registry.v1 import registry_service_pb2 as registry


@dataclass(frozen=True, slots=True)
class _Subject:
    """A posting of the reader's, with the capability of each line; of an offer under no id."""

    posting: Offer | Demand
    capabilities: dict[str, Capability]

    @property
    def units(self) -> dict[str, Unit]:
        return {line: each.unit for line, each in self.capabilities.items()}

    @property
    def open(self) -> bool:
        if isinstance(self.posting, Offer):
            return self.posting.state == Offer.STATE_OPEN
        return self.posting.state in (Demand.STATE_OPEN, Demand.STATE_MATCHED)


async def show(request: web.Request) -> web.Response:
    """Show the explanation of a posting of mine, from its latest round or a given one."""
    found, subject = await asyncio.gather(_explanation(request), _subject(request))
    return await render(
        request,
        "why.html",
        kind=request.match_info["kind"],
        posting=request.match_info["posting"],
        title=subject.posting.title,
        explanation=found,
        units=subject.units,
        capabilities=subject.capabilities,
        changeable=subject.open and signed_in(request).may_trade,
        key=remedies.key,
    )


def _name(request: web.Request) -> str:
    info = request.match_info
    return f"{signed_in(request).organization}/{info['kind']}/{info['posting']}"


async def _explanation(request: web.Request) -> Explanation | None:
    calls, chosen = caller(request), request.query.get("round", "")
    try:
        found: Explanation = await calls.call(
            calls.services.matching.GetExplanation,
            matching.GetExplanationRequest(
                subject=_name(request), round=f"rounds/{chosen}" if chosen else ""
            ),
        )
    except NotFound:
        return None
    return found


async def _subject(request: web.Request) -> _Subject:
    calls, known = caller(request), await capabilities(request)
    stubs, name = calls.services.registry, _name(request)
    if request.match_info["kind"] == "offers":
        offer = await calls.call(stubs.GetOffer, registry.GetOfferRequest(name=name))
        return _Subject(offer, {"": known[offer.capability]})
    demand = await calls.call(stubs.GetDemand, registry.GetDemandRequest(name=name))
    return _Subject(demand, {line.id: known[line.capability] for line in demand.lines})


async def propose(request: web.Request) -> web.Response:
    """Ask whether a change that would have helped shall be made."""
    query = request.query
    change = await _chosen(request, query.get("field", ""), query.get("line", ""), query.get("to"))
    subject = await _subject(request)
    try:
        _apply(subject, change)  # on a copy of ours alone: it tells whether it can be made
    except remedies.StaleError:
        return await _confirmation(request, change, subject, stale=True)
    return await _confirmation(request, change, subject)


async def make(request: web.Request) -> web.StreamResponse:
    """Make the change, unless the posting has changed since it was shown."""
    form = fields.read(await request.post())
    change = await _chosen(request, form.text("field"), form.text("line"), form.text("to"))
    subject = await _subject(request)
    try:
        paths = _apply(subject, change)
    except remedies.StaleError:
        return await _confirmation(request, change, subject, stale=True)
    subject.posting.etag = form.text("etag")
    calls, stubs = caller(request), caller(request).services.registry
    mask = FieldMask(paths=paths)
    try:
        if isinstance(subject.posting, Offer):
            sent = registry.UpdateOfferRequest(offer=subject.posting, update_mask=mask)
            await calls.call(stubs.UpdateOffer, sent)
        else:
            asked = registry.UpdateDemandRequest(demand=subject.posting, update_mask=mask)
            await calls.call(stubs.UpdateDemand, asked)
    except (PermissionDenied, Unauthenticated, Unavailable):
        raise
    except DomainError as error:
        stale = error.reason == reason_pb2.REASON_ETAG_MISMATCH
        fresh = await _subject(request)
        problem = "" if stale else refusals.sentences(error, request[LANGUAGE])[0]
        return await _confirmation(request, change, fresh, stale=stale, problem=problem)
    await notify(request, "Changed. It takes part in the next round.")
    info = request.match_info
    raise web.HTTPSeeOther(f"/{info['kind']}/{info['posting']}")


async def _chosen(request: web.Request, field: str, line: str, to: str | None) -> Counterfactual:
    """Return the change of the latest explanation that was asked for. Raises NotFound."""
    found = await _explanation(request)
    change = remedies.find(found, field, line, to or "") if found else None
    if change is None:
        raise NotFound(
            reason_pb2.REASON_NOT_FOUND,
            gettext(request, "The latest round does not name this change any more."),
        )
    return change


def _apply(subject: _Subject, change: Counterfactual) -> list[str]:
    unit = subject.units.get(change.line, Unit())
    if isinstance(subject.posting, Offer):
        return remedies.to_offer(subject.posting, change, unit)
    return remedies.to_demand(subject.posting, change, unit)


async def _confirmation(
    request: web.Request,
    change: Counterfactual,
    subject: _Subject,
    *,
    stale: bool = False,
    problem: str = "",
) -> web.Response:
    return await render(
        request,
        "why_change.html",
        status=409 if stale or problem else 200,
        kind=request.match_info["kind"],
        posting=request.match_info["posting"],
        change=change,
        key=remedies.key,
        title=subject.posting.title,
        etag=subject.posting.etag,
        units=subject.units,
        capabilities=subject.capabilities,
        stale=stale,
        problem=problem,
    )
