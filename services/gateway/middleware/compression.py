"""Pages and documents are sent compressed: a phone's line is slower than our processor."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

_LEAST_BYTES = 1024
_KINDS = ("text/", "application/json", "application/problem+json", "image/svg+xml")


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress a whole answer of text. Streams and files are sent as they are.

    What a page tells nobody else may be guessed from compressed lengths only where the same secret
    comes again; the one secret in pages, the token of their forms, is masked anew in each.
    """
    response = await handler(request)
    if (
        isinstance(response, web.Response)
        and response.content_type.startswith(_KINDS)
        and isinstance(response.body, bytes | bytearray)
        and len(response.body) >= _LEAST_BYTES
        and "gzip" in request.headers.get("Accept-Encoding", "")
    ):
        response.enable_compression(web.ContentCoding.gzip)
        response.headers["Vary"] = "Accept-Encoding"
    return response
