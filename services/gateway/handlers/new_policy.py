"""A policy beside those that there are: a copy of one of them, under a name of its own."""

from __future__ import annotations

import uuid
from typing import Final

from aiohttp import web

from services.chassis.errors import AlreadyExists, InvalidArgument
from services.gateway.forms import fields
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, operating
from services.gateway.render import notify, render
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.policy_pb2 import Policy

_SHOWN: Final = 200
_PLACES: Final = {"policy_id": "policy_id", "policy.display_name": "display_name"}


async def show(request: web.Request) -> web.Response:
    """Show the form; `from` is the id of the policy to copy, else it is the one in force."""
    operating(request)
    known = await _known(request)
    wanted = request.query.get("from", "")
    source = next((each for each in known if _id(each) == wanted), known[0] if known else Policy())
    form = fields.Form({"source": _id(source), "request_id": str(uuid.uuid4())})
    return await _form(request, form, known)


async def create(request: web.Request) -> web.StreamResponse:
    """Make the copy; rounds go on under the policy that they use."""
    operating(request)
    form, known = fields.read(await request.post()), await _known(request)
    source = next((each for each in known if _id(each) == form.text("source")), None)
    if source is None:
        form.problems["source"] = gettext(request, "Choose the policy that it starts from.")
    form.require("policy_id", gettext(request, "Give it a short name."))
    form.require("display_name", gettext(request, "Say in a line what it is for."))
    if form.problems or source is None:
        return await _form(request, form, known, status=400)
    copy = Policy()
    copy.CopyFrom(source)
    copy.name, copy.etag, copy.display_name = "", "", form.text("display_name")
    calls = caller(request)
    try:
        made = await calls.call(
            calls.services.matching.CreatePolicy,
            matching.CreatePolicyRequest(
                policy_id=form.text("policy_id"),
                policy=copy,
                request_id=form.text("request_id"),
            ),
        )
    except InvalidArgument as error:
        form.take(error, _PLACES, request[LANGUAGE])
    except AlreadyExists:
        form.problems["policy_id"] = gettext(request, "There is a policy of this name.")
    else:
        await notify(request, "The policy is there. Change and try it now, or adopt it later.")
        raise web.HTTPSeeOther(f"/operator/{made.name}")
    return await _form(request, form, known, status=400)


async def _known(request: web.Request) -> list[Policy]:
    """Return the policies in their current versions, the one in force first."""
    calls = caller(request)
    answer = await calls.call(
        calls.services.matching.ListPolicies, matching.ListPoliciesRequest(page_size=_SHOWN)
    )
    return sorted(answer.policies, key=lambda policy: (not policy.active, policy.name))


def _id(policy: Policy) -> str:
    return policy.name.rpartition("/")[2]


async def _form(
    request: web.Request, form: fields.Form, known: list[Policy], status: int = 200
) -> web.Response:
    choices = [(_id(each), f"{each.display_name} ({_id(each)})") for each in known]
    return await render(request, "new_policy.html", status=status, form=form, choices=choices)
