"""Policies as operators see them: versions, who adopted which, and a form that tries first."""

from __future__ import annotations

import asyncio
import secrets
import uuid

from aiohttp import web

from services.chassis.errors import InvalidArgument
from services.gateway.clients import Caller
from services.gateway.forms import fields, policies
from services.gateway.languages import LANGUAGE, gettext
from services.gateway.people import caller, operating
from services.gateway.render import notify, render
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.policy_pb2 import Policy
from spareline.matching.v1.round_pb2 import Round
from spareline.registry.v1 import identity_service_pb2 as identity

_SEEDS = 2**31 - 1
_LOOKED_THROUGH = 50
_SHOWN = 200


def _name(request: web.Request) -> str:
    return f"policies/{request.match_info['policy']}"


async def listing(request: web.Request) -> web.Response:
    """Show the policies in their current versions, the one in force first."""
    operating(request)
    calls = caller(request)
    answer = await calls.call(
        calls.services.matching.ListPolicies, matching.ListPoliciesRequest(page_size=_SHOWN)
    )
    ordered = sorted(answer.policies, key=lambda policy: (not policy.active, policy.name))
    return await render(
        request, "market_policies.html", policies=ordered, people=await _people(request)
    )


async def show(request: web.Request) -> web.Response:
    """Show one policy in plain words, its versions, and what each changed."""
    operating(request)
    calls, name = caller(request), _name(request)
    current, answer, people = await asyncio.gather(
        calls.call(calls.services.matching.GetPolicy, matching.GetPolicyRequest(name=name)),
        calls.call(
            calls.services.matching.ListPolicies,
            matching.ListPoliciesRequest(versions_of=name, page_size=1000),
        ),
        _people(request),
    )
    found = list(answer.policies)
    versions = [
        (version, policies.changes(found[at - 1], version) if at else [])
        for at, version in enumerate(found)
    ]
    return await render(
        request,
        "market_policy.html",
        policy=current,
        versions=versions[::-1],
        fields=policies.FIELDS,
        people=people,
        request_id=str(uuid.uuid4()),
    )


async def edit(request: web.Request) -> web.Response:
    """Show the form: with the current version, or with the one that a what-if round tried."""
    operating(request)
    calls = caller(request)
    policy = await _current(request)
    if tried := request.query.get("tried", ""):
        found = await calls.call(
            calls.services.matching.GetRound, matching.GetRoundRequest(name=f"rounds/{tried}")
        )
        if found.trial_policy.name == policy.name:
            policy = found.trial_policy
    return await _form(request, policies.fill(policy), policy)


async def save(request: web.Request) -> web.StreamResponse:
    """Try what the form says in a round that commits nothing, or make it a new version."""
    operating(request)
    form = fields.read(await request.post())
    calls = caller(request)
    base = await _current(request)
    wrong = gettext(request, "Give a number that is not negative.")
    policy = policies.read(form, base, wrong)
    if form.problems:
        return await _form(request, form, base, status=400)
    try:
        if form.text("action") == "save":
            await calls.call(
                calls.services.matching.UpdatePolicy,
                matching.UpdatePolicyRequest(policy=policy, request_id=form.text("request_id")),
            )
            await notify(request, "The new version is kept.")
            raise web.HTTPSeeOther(f"/operator/{policy.name}")
        base_round, other = await _try(calls, policy, now=form.text("market") == "now")
    except InvalidArgument as error:
        form.take(error, policies.PLACES, request[LANGUAGE])
        return await _form(request, form, base, status=400)
    raise web.HTTPSeeOther(f"/operator/what-if/{other}?base={base_round}")


async def adopt(request: web.Request) -> web.StreamResponse:
    """Make a policy the one that rounds use."""
    operating(request)
    form = fields.read(await request.post())
    calls = caller(request)
    await calls.call(
        calls.services.matching.ActivatePolicy,
        matching.ActivatePolicyRequest(
            name=_name(request), etag=form.text("etag"), request_id=form.text("request_id")
        ),
    )
    await notify(request, "Rounds use this policy from now on.")
    raise web.HTTPSeeOther(f"/operator/{_name(request)}")


async def _current(request: web.Request) -> Policy:
    calls = caller(request)
    found: Policy = await calls.call(
        calls.services.matching.GetPolicy, matching.GetPolicyRequest(name=_name(request))
    )
    return found


async def _form(
    request: web.Request, form: fields.Form, policy: Policy, status: int = 200
) -> web.Response:
    return await render(
        request,
        "market_policy_form.html",
        status=status,
        form=form,
        policy=policy,
        fields=policies.FIELDS,
        rates=policies.rows(form, "rate_capability", "rate_tick", "rate_shipment"),
        classes=policies.rows(form, "class_name", "class_bonus"),
        last=await _last_round(caller(request)),
        request_id=str(uuid.uuid4()),
    )


async def _last_round(calls: Caller) -> Round | None:
    """Return the newest round that cleared the market, if there is one among the latest."""
    answer = await calls.call(
        calls.services.matching.ListRounds, matching.ListRoundsRequest(page_size=_LOOKED_THROUGH)
    )
    done = [each for each in answer.rounds if each.state == Round.STATE_COMPLETED]
    return max(done, key=lambda each: each.outcome.proposals > 0) if done else None


async def _try(calls: Caller, policy: Policy, *, now: bool) -> tuple[str, str]:
    """Begin the rounds that a policy is tried in; return the one to compare with, and its own.

    On the market of the last round one is enough. On the market as it is, the policy in force
    has to be tried as well, from the same seed.
    """
    last = None if now else await _last_round(calls)
    if last is not None:
        asked = matching.RunRoundRequest(
            what_if=True, trial_policy=policy, inputs_of=last.name, seed=last.seed
        )
        return _id(last.name), _id((await _run(calls, asked)).name)
    seed = secrets.randbelow(_SEEDS) + 1
    base = await _run(calls, matching.RunRoundRequest(what_if=True, seed=seed))
    other = await _run(
        calls, matching.RunRoundRequest(what_if=True, seed=seed, trial_policy=policy)
    )
    return _id(base.name), _id(other.name)


async def _run(calls: Caller, asked: matching.RunRoundRequest) -> Round:
    asked.request_id = str(uuid.uuid4())
    started: Round = await calls.call(calls.services.matching.RunRound, asked)
    return started


def _id(name: str) -> str:
    return name.rsplit("/", 1)[-1]


async def _people(request: web.Request) -> dict[str, str]:
    """Return the names of the operator's colleagues, by resource name."""
    person, calls = operating(request), caller(request)
    answer = await calls.call(
        calls.services.identity.ListMembers,
        identity.ListMembersRequest(parent=person.organization, page_size=1000),
    )
    return {each.name: each.display_name or each.email for each in answer.members}
