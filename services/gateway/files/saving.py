"""Files that a browser is to save."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aiohttp import web

TYPES: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "jsonl": "application/x-ndjson",
}


def response(content: bytes, name: str, kind: str) -> web.Response:
    """Return a file to be saved under a name that may hold any letters (RFC 6266)."""
    plain = "".join(x if x.isascii() and (x.isalnum() or x in "-_. ") else "_" for x in name)
    quoted = quote(name, safe="")
    return web.Response(
        body=content,
        content_type=TYPES[kind],
        charset=None if kind == "xlsx" else "utf-8",
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
        },
    )
