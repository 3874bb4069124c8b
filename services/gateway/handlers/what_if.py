"""A policy that was tried, beside what it is compared with, and its adoption."""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web

from services.chassis.errors import NotFound
from services.gateway.clients import Caller
from services.gateway.forms import fields, policies
from services.gateway.people import caller, operating
from services.gateway.render import notify, render
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1.policy_pb2 import Policy
from spareline.matching.v1.round_pb2 import Outcome, Round

_UNDER_WAY = frozenset({Round.STATE_PENDING, Round.STATE_RUNNING})


async def show(request: web.Request) -> web.Response:
    """Show both results side by side once both rounds have ended; until then, how far they are."""
    operating(request)
    calls = caller(request)
    other, base = await asyncio.gather(
        _round(calls, request.match_info["round"]), _round(calls, request.query.get("base", ""))
    )
    running = next((each for each in (base, other) if each.state in _UNDER_WAY), None)
    failed = [each for each in (base, other) if each.state != Round.STATE_COMPLETED]
    before, after = await asyncio.gather(_policy_of(calls, base), _policy_of(calls, other))
    compared = None
    if not failed:
        compared = await calls.call(
            calls.services.matching.GetRoundComparison,
            matching.GetRoundComparisonRequest(name=other.name, base=base.name),
        )
    return await render(
        request,
        "what_if.html",
        base=base,
        other=other,
        running=running,
        failed=failed,
        compared=compared,
        surplus=(_surplus(base.outcome, before), _surplus(other.outcome, after)),
        before=before,
        after=after,
        changed=policies.changes(before, after),
        fields={field.name: field for field in policies.FIELDS},
        request_id=str(uuid.uuid4()),
    )


async def adopt(request: web.Request) -> web.StreamResponse:
    """Make the policy that a round tried a new version, and the one that rounds use."""
    operating(request)
    form = fields.read(await request.post())
    calls = caller(request)
    tried = (await _round(calls, request.match_info["round"])).trial_policy
    if not tried.name:
        raise NotFound(reason_pb2.REASON_NOT_FOUND, "This round tried no policy.")
    kept = await calls.call(
        calls.services.matching.UpdatePolicy,
        matching.UpdatePolicyRequest(policy=tried, request_id=form.text("request_id")),
    )
    if not kept.active:
        await calls.call(
            calls.services.matching.ActivatePolicy,
            matching.ActivatePolicyRequest(
                name=kept.name, etag=kept.etag, request_id=form.text("request_id")
            ),
        )
    await notify(request, "Rounds use this policy from now on.")
    raise web.HTTPSeeOther(f"/operator/{kept.name}")


async def _round(calls: Caller, identity: str) -> Round:
    found: Round = await calls.call(
        calls.services.matching.GetRound, matching.GetRoundRequest(name=f"rounds/{identity}")
    )
    return found


async def _policy_of(calls: Caller, round_: Round) -> Policy:
    if round_.HasField("trial_policy"):
        return round_.trial_policy
    found: Policy = await calls.call(
        calls.services.matching.GetPolicy,
        matching.GetPolicyRequest(name=round_.policy, version=round_.policy_version),
    )
    return found


def _surplus(outcome: Outcome, policy: Policy) -> int | None:
    """Value less price and transport, without the policy's weight; None where it weighs nothing."""
    weighed = next((term.value for term in outcome.terms if term.name == "surplus"), 0)
    return 1000 * weighed // policy.surplus_permille if policy.surplus_permille else None
