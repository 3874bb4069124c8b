"""Several proposals answered at once, with one summary of what came of each."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from services.chassis.errors import DomainError, PermissionDenied, Unauthenticated, Unavailable
from services.gateway import refusals
from services.gateway.forms import fields
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, signed_in
from services.gateway.render import notify, render
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.proposal_pb2 import Proposal

MOST = 50
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """A proposal that was ticked, in the terms that the page showed."""

    name: str
    terms_version: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one: the proposal as it is now, and why it was refused, if it was."""

    proposal: Proposal
    refusal: str


def chosen(form: fields.Form) -> list[Chosen]:
    """Return what was ticked; a form that is sent twice gives the same request ids."""
    found = []
    for value in form.texts("chosen")[:MOST]:
        round_, _, rest = value.partition("/")
        proposal, _, version = rest.partition("/")
        if not (round_ and proposal and version.isdecimal()):
            continue
        name = f"rounds/{round_}/proposals/{proposal}"
        found.append(Chosen(name, int(version[:9]), _request_id(form, name)))
    return found


def _request_id(form: fields.Form, name: str) -> str:
    try:
        space = uuid.UUID(form.text("request_id"))
    except ValueError:
        space = uuid.uuid4()
    return str(uuid.uuid5(space, f"{form.text('answer')} {name}"))


async def answer(request: web.Request) -> web.StreamResponse:
    """Accept or decline all that was ticked; the refusal of one does not touch the others."""
    signed_in(request)
    form = fields.read(await request.post())
    picked = chosen(form)
    if not picked:
        await notify(request, "Nothing was chosen. Tick the proposals first.")
        raise web.HTTPSeeOther("/proposals")
    accepting = form.text("answer") != "decline"
    results = await (_accept(request, picked) if accepting else _decline(request, picked, form))
    return await render(
        request,
        "proposals_answered.html",
        accepting=accepting,
        done=[each for each in results if not each.refusal],
        refused=[each for each in results if each.refusal],
    )


async def _accept(request: web.Request, picked: Sequence[Chosen]) -> list[Result]:
    calls, party = caller(request), signed_in(request).organization
    answered = await calls.call(
        calls.services.matching.BatchAcceptProposals,
        matching.BatchAcceptProposalsRequest(
            requests=[
                matching.AcceptProposalRequest(
                    name=one.name,
                    party=party,
                    terms_version=one.terms_version,
                    request_id=one.request_id,
                )
                for one in picked
            ]
        ),
    )
    results = []
    for one, result in zip(picked, answered.results, strict=True):
        if not result.reason:
            results.append(Result(result.proposal, ""))
            continue
        said = refusals.told(result.words, result.message, "", request[LANGUAGE])
        results.append(await _refused(request, one.name, said))
    return results


async def _decline(
    request: web.Request, picked: Sequence[Chosen], form: fields.Form
) -> list[Result]:
    gate = asyncio.Semaphore(_AT_ONCE)
    calls, party = caller(request), signed_in(request).organization

    async def one(each: Chosen) -> Result:
        message = matching.DeclineProposalRequest(
            name=each.name,
            party=party,
            reason=reason_of(form.text("reason")),
            note=form.text("decline_note"),
            request_id=each.request_id,
        )
        async with gate:
            try:
                done = await calls.call(calls.services.matching.DeclineProposal, message)
            except (PermissionDenied, Unauthenticated, Unavailable):
                raise
            except DomainError as error:
                said = refusals.sentences(error, request[LANGUAGE])[0]
                return await _refused(request, each.name, said)
        return Result(done, "")

    return list(await asyncio.gather(*(one(each) for each in picked)))


async def _refused(request: web.Request, name: str, said: str) -> Result:
    """Return the proposal as it stands, so that the summary can name it."""
    calls = caller(request)
    try:
        found = await calls.call(
            calls.services.matching.GetProposal,
            matching.GetProposalRequest(name=name, party=signed_in(request).organization),
        )
    except (Unauthenticated, Unavailable):
        raise
    except DomainError:
        found = Proposal(name=name, title=gettext(request, "A proposal that is not yours"))
    return Result(found, said)


def reason_of(name: str) -> proposal_pb2.DeclineReason.ValueType:
    """Return the reason of a name that a form sent; unspecified for any other text."""
    known = proposal_pb2.DeclineReason.DESCRIPTOR.values_by_name
    if name not in known:
        return proposal_pb2.DECLINE_REASON_UNSPECIFIED
    return proposal_pb2.DeclineReason.Value(name)
