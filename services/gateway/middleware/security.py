"""Headers that tell the browser what a page may do, and the guard against forged posts."""

from __future__ import annotations

import base64
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
        elif "v" in request.query:  # such an address changes with the file, see render.asset
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


async def token(request: web.Request) -> str:
    """Return the token that every form of this session carries, masked anew for each page.

    Pages are compressed, and the length of what is compressed tells of a text that comes again and
    again (BREACH, Gluck, Harris and Prado 2013); under a new mask each time it never does.
    """
    secret = await _secret(request)
    mask = secrets.token_bytes(len(secret))
    return base64.urlsafe_b64encode(mask + _xor(mask, secret)).decode()


async def _secret(request: web.Request) -> bytes:
    session = await get_session(request)
    found = session.get(FIELD)
    if not isinstance(found, str):
        found = secrets.token_urlsafe(24)
        session[FIELD] = found
    return found.encode()


def _unmasked(token: object) -> bytes:
    """Return the secret that a token carries; something else than any secret if it is none."""
    try:
        both = base64.urlsafe_b64decode(str(token).encode())
    except ValueError:
        return b""
    half = len(both) // 2
    return _xor(both[:half], both[half:])


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


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
    given = _unmasked(form.get(FIELD, ""))
    if foreign or not hmac.compare_digest(given, await _secret(request)):
        raise PermissionDenied(
            reason_pb2.REASON_UNAUTHENTICATED,
            gettext(request, "This form was open for too long. Go back, reload and send it again."),
        )
    return await handler(request)
