"""Server streams over HTTP: one JSON object per line, or server-sent events when asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from aiohttp import web
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.chassis import logs
from services.chassis.errors import DomainError
from services.gateway.api import problems
from services.gateway.keys import CHASSIS

LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
# A refusal comes at once and gets its status; after that the stream counts as open.
_REFUSAL_SECONDS = 2.0
_BEAT_SECONDS = 15.0
_END = object()


async def answer(request: web.Request, items: AsyncGenerator[Message, None]) -> web.StreamResponse:
    """Send the items as they come, until the stream, the caller or the gateway ends.

    Raises DomainError for a refusal that comes before the first item.
    """
    as_events = EVENTS in request.headers.get("Accept", "")
    pending: asyncio.Task[Any] = asyncio.ensure_future(_next(items))
    stopped = asyncio.ensure_future(request.app[CHASSIS].wait_stopped())
    try:
        await asyncio.wait({pending, stopped}, timeout=_REFUSAL_SECONDS)
        if pending.done() and pending.exception() is not None:
            pending.result()
        response = web.StreamResponse(
            headers={
                "Content-Type": EVENTS if as_events else LINES,
                "Cache-Control": "no-store",
                "X-Request-Id": logs.request_id.get(),
            }
        )
        await response.prepare(request)
        with suppress(ConnectionError):
            await _follow(response, items, pending, stopped, as_events)
            await response.write_eof()
        return response
    finally:
        stopped.cancel()
        await asyncio.gather(stopped, return_exceptions=True)
        await items.aclose()


async def _next(items: AsyncGenerator[Message, None]) -> Any:
    return await anext(items, _END)


async def _follow(
    response: web.StreamResponse,
    items: AsyncGenerator[Message, None],
    pending: asyncio.Task[Any],
    stopped: asyncio.Task[Any],
    as_events: bool,
) -> None:
    try:
        while True:
            await asyncio.wait(
                {pending, stopped},
                timeout=_BEAT_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if stopped.done():
                return
            if not pending.done():
                await response.write(b": beat\n\n" if as_events else b"\n")
                continue
            item = pending.result()
            if item is _END:
                return
            await response.write(_event(item) if as_events else _line(item))
            pending = asyncio.ensure_future(_next(items))
    except DomainError as error:  # the status is sent already: the last item tells
        await response.write(_failure(error, as_events))
    finally:
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(item: Message) -> bytes:
    return (_dumped(MessageToDict(item)) + "\n").encode()


def _event(item: Message) -> bytes:
    token = getattr(item, "resume_token", "")
    head = f"id: {token}\n" if token else ""
    return f"{head}data: {_dumped(MessageToDict(item))}\n\n".encode()


def _failure(error: DomainError, as_events: bool) -> bytes:
    problem = problems.of_error(error, logs.request_id.get()).text or "{}"
    if as_events:
        return f"event: error\ndata: {problem}\n\n".encode()
    return f'{{"error": {problem}}}\n'.encode()
