"""Dead letters: events that a consumer gave up, looked at, handed over once more, or dropped."""

from __future__ import annotations

from aiohttp import web

from services.gateway.forms import fields
from services.gateway.people import caller, operating
from services.gateway.render import notify, render
from spareline.registry.v1 import dead_letter_service_pb2 as api

_SHOWN = 25
_HERE = "/operator/dead-letters"


async def listing(request: web.Request) -> web.Response:
    """Show them, oldest first."""
    operating(request)
    calls = caller(request)
    answer = await calls.call(
        calls.services.dead_letters.ListDeadLetters,
        api.ListDeadLettersRequest(page_size=_SHOWN, page_token=request.query.get("page", "")),
    )
    return await render(
        request,
        "dead_letters.html",
        letters=answer.dead_letters,
        total=answer.total_size,
        next_page=answer.next_page_token,
    )


async def replay(request: web.Request) -> web.StreamResponse:
    """Hand the event to its consumer once more."""
    operating(request)
    calls, form = caller(request), fields.read(await request.post())
    await calls.call(
        calls.services.dead_letters.ReplayDeadLetter,
        api.ReplayDeadLetterRequest(name=_name(request), request_id=form.text("request_id")),
    )
    await notify(request, "It is handed over once more. If it fails again, it comes back here.")
    raise web.HTTPSeeOther(_HERE)


async def drop(request: web.Request) -> web.StreamResponse:
    """Throw it away."""
    operating(request)
    calls, form = caller(request), fields.read(await request.post())
    await calls.call(
        calls.services.dead_letters.DeleteDeadLetter,
        api.DeleteDeadLetterRequest(name=_name(request), request_id=form.text("request_id")),
    )
    await notify(request, "It is thrown away.")
    raise web.HTTPSeeOther(_HERE)


def _name(request: web.Request) -> str:
    return f"deadLetters/{request.match_info['letter']}"
