"""What changes while a page is open: server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from services.chassis.errors import DomainError
from services.gateway.clients import Caller
from services.gateway.keys import CHASSIS
from services.gateway.people import Person, caller, signed_in
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1 import round_pb2

_SETTLE_SECONDS = 0.3
# A page that was left is only noticed by writing to it; until then its stream costs three services.
_PING_SECONDS = 4.0
_LARGEST_COUNT = 200
_ENDED = frozenset(
    {
        round_pb2.Round.STATE_COMPLETED,
        round_pb2.Round.STATE_CANCELLED,
        round_pb2.Round.STATE_FAILED,
    }
)


async def waiting(calls: Caller, person: Person) -> int:
    """Return how many proposals wait for an answer of the person's organization."""
    answer = await calls.call(
        calls.services.matching.ListProposals,
        matching.ListProposalsRequest(
            parent="rounds/-",
            party=person.organization,
            awaiting_answer=True,
            page_size=_LARGEST_COUNT,
        ),
    )
    return len(answer.proposals)


async def inbox(request: web.Request) -> web.StreamResponse:
    """Send the inbox count, now and whenever a proposal of the organization changes.

    The stream ends when the services go away or the gateway drains; the browser then connects
    again by itself, and starts with the count as it is by then.
    """
    person = signed_in(request)
    calls = caller(request)
    async with sse_response(request) as events:
        events.ping_interval = _PING_SECONDS
        with suppress(DomainError, ConnectionError):
            await _follow_inbox(request, events, calls, person)
    return events


async def _follow_inbox(
    request: web.Request, events: EventSourceResponse, calls: Caller, person: Person
) -> None:
    changed = asyncio.Event()
    changed.set()

    async def watch() -> None:
        requested = matching.WatchProposalsRequest(party=person.organization)
        async for answer in calls.stream(calls.services.matching.WatchProposals, requested):
            if answer.HasField("proposal"):
                changed.set()

    async def report() -> None:
        first = True
        while True:
            await changed.wait()
            await asyncio.sleep(_SETTLE_SECONDS)  # a round changes many at once
            changed.clear()
            count = await waiting(calls, person)
            await events.send(json.dumps({"waiting": count}), event="inbox")
            if not first:
                await events.send("{}", event="changed")
            first = False

    await _until_one_ends(watch(), report(), request.app[CHASSIS].wait_stopped(), events.wait())


async def round_progress(request: web.Request) -> web.StreamResponse:
    """Send how far a round is, until it ends."""
    signed_in(request)
    calls = caller(request)
    name = f"rounds/{request.match_info['round']}"
    async with sse_response(request) as events:
        events.ping_interval = _PING_SECONDS

        async def follow() -> None:
            asked = matching.WatchRoundRequest(name=name)
            async for found in calls.stream(calls.services.matching.WatchRound, asked):
                progress = found.progress
                await events.send(
                    json.dumps(
                        {
                            "state": round_pb2.Round.State.Name(found.state),
                            "phase": progress.phase,
                            "best": progress.best_value,
                            "bound": progress.bound if progress.has_bound else None,
                            "done": progress.components_done,
                            "total": progress.components_total,
                            "elapsed": progress.elapsed_milliseconds,
                            "ended": found.state in _ENDED,
                        }
                    ),
                    event="round",
                )

        with suppress(DomainError, ConnectionError):
            await _until_one_ends(follow(), request.app[CHASSIS].wait_stopped(), events.wait())
    return events


async def _until_one_ends(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run all until the first ends, then end the others. Raises what the first raised."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
