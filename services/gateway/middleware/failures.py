"""Every refusal and every fault becomes one page, in the reader's words."""

from __future__ import annotations

import uuid

from aiohttp import web
from aiohttp.typedefs import Handler

from services.chassis import logs
from services.chassis.errors import (
    Aborted,
    AlreadyExists,
    DomainError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from services.gateway import refusals
from services.gateway.languages import LANGUAGE
from services.gateway.render import render

_log = logs.get_logger("gateway")

STATUS: dict[type[DomainError], int] = {
    InvalidArgument: 400,
    Unauthenticated: 401,
    PermissionDenied: 403,
    NotFound: 404,
    AlreadyExists: 409,
    Aborted: 409,
    FailedPrecondition: 409,
    ResourceExhausted: 429,
    Unavailable: 503,
}


def status_of(error: DomainError) -> int:
    """Return the HTTP status of an error's kind."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id that its log lines and calls carry, and that error pages show."""
    reset = logs.request_id.set(uuid.uuid4().hex)
    try:
        return await handler(request)
    finally:
        logs.request_id.reset(reset)


@web.middleware
async def failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into pages. What went wrong inside stays in the log, under the request id."""
    try:
        return await handler(request)
    except web.HTTPException as raised:
        if raised.status < 400:
            raise
        return await _page(request, raised.status)
    except Unauthenticated:
        if request.method == "GET" and request.path != "/sign-in":
            url = request.app.router["signin"].url_for().with_query(next=request.rel_url.path_qs)
            raise web.HTTPSeeOther(str(url)) from None
        return await _page(request, 401)
    except DomainError as error:
        status = status_of(error)
        if status >= 500:
            _log.warning("call failed", path=request.path, kind=type(error).__name__)
        return await _page(request, status, error)
    except Exception as error:  # the last guard: a reader never sees a traceback
        _log.error("handler failed", path=request.path, exc_info=error)
        return await _page(request, 500)


async def _page(
    request: web.Request, status: int, error: DomainError | None = None
) -> web.StreamResponse:
    return await render(
        request,
        "error.html",
        status=status,
        said=refusals.sentences(error, request[LANGUAGE]) if error else [],
        code=status,
        request_id=logs.request_id.get()[:12],
    )
