"""Headers that tell the browser what a page may do, and the guard against forged posts."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp_session import get_session

from services.chassis.errors import PermissionDenied
from services.gateway.languages import gettext
from spareline.errors.v1 import reason_pb2

FIELD = "csrf_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME = frozenset({"same-origin", "none"})
_HEADERS = {
    # No inline script or style anywhere: what a page may run comes from us, as a file.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the security headers; pages of somebody signed in are not kept by caches."""
    try:
        response = await handler(request)
    except web.HTTPException as raised:
        raised.headers.update(_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(_HEADERS)
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
    return response


async def token(request: web.Request) -> str:
    """Return the token that every form of this session carries."""
    session = await get_session(request)
    found = session.get(FIELD)
    if not isinstance(found, str):
        found = secrets.token_urlsafe(24)
        session[FIELD] = found
    return found


@web.middleware
async def csrf(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a change that another site may have sent: by Sec-Fetch-Site, Origin and a token.

    Raises PermissionDenied.
    """
    # The JSON API knows no cookie: nothing can be forged in a reader's name.
    if request.method in _SAFE or request.path.startswith("/api/v1/"):
        return await handler(request)
    origin = request.headers.get("Origin", "")
    foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in _SAME or (
        origin not in {"", "null"} and urlsplit(origin).netloc != request.host
    )
    form = await request.post()
    given = form.get(FIELD, "")
    expected = await token(request)
    if foreign or not isinstance(given, str) or not hmac.compare_digest(given, expected):
        raise PermissionDenied(
            reason_pb2.REASON_UNAUTHENTICATED,
            gettext(request, "This form was open for too long. Go back, reload and send it again."),
        )
    return await handler(request)
