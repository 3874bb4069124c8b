"""Refusals as problem details (RFC 9457)."""

from __future__ import annotations

import json
import re
from functools import cache

from aiohttp import web

from services.chassis import causes
from services.chassis.causes import Said
from services.chassis.errors import DomainError
from services.chassis.grpc_errors import reason_name
from services.gateway.api.contracts import comments
from services.gateway.middleware.failures import status_of
from spareline.errors.v1 import reason_pb2

MEDIA_TYPE = "application/problem+json"
_QUOTED = re.compile(r'("[^"]*")')
_SNAKE = re.compile(r"_([a-z0-9])")


def of_error(error: DomainError, request_id: str, *, guarded: bool = False) -> web.Response:
    """Return the answer for a refusal. `guarded` says that the request carried If-Match."""
    status = status_of(error)
    if error.reason == reason_pb2.REASON_ETAG_MISMATCH and guarded:
        status = 412
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="spareline"'
    if status in (429, 503):
        headers["Retry-After"] = error.metadata.get("retry_seconds", "1")
    body = {
        "type": f"/api#{reason_name(error.reason)}",
        "title": titles().get(error.reason, "Something went wrong."),
        "status": status,
        "detail": error.message,
        "reason": reason_name(error.reason),
        "requestId": request_id,
        "metadata": error.metadata,
        "violations": [
            {"field": json_path(each.field), "description": each.sentence(), **_cause(each.said)}
            for each in error.violations
        ],
        **({} if error.violations else _cause(error.said)),
    }
    return answer(body, status, headers)


def _cause(said: Said) -> dict[str, object]:
    """Return what was said for programs: nothing where there are words alone."""
    if not said.cause:
        return {}
    return {"cause": causes.name(said.cause), "parameters": dict(said.parameters)}


def plain(status: int, title: str, request_id: str, headers: dict[str, str]) -> web.Response:
    """Return the answer for a fault that HTTP itself names: no such address, too large."""
    body = {"type": "about:blank", "title": title, "status": status, "requestId": request_id}
    return answer(body, status, headers)


def answer(body: dict[str, object], status: int, headers: dict[str, str]) -> web.Response:
    """Return a problem document; members that are empty are left out."""
    kept = {key: value for key, value in body.items() if value not in ("", [], {})}
    return web.Response(
        text=json.dumps(kept, ensure_ascii=False),
        status=status,
        content_type=MEDIA_TYPE,
        headers=headers,
    )


@cache
def titles() -> dict[int, str]:
    """Return what each reason means, from the comments of reason.proto."""
    told = comments()
    return {
        value.number: told.get(f"spareline.errors.v1.Reason.{value.name}", value.name)
        for value in reason_pb2.Reason.DESCRIPTOR.values
    }


def json_path(field: str) -> str:
    """Return the path of a field by its JSON names; keys in quotes stay as they are."""
    parts = _QUOTED.split(field)
    return "".join(
        part if part.startswith('"') else _SNAKE.sub(lambda m: m.group(1).upper(), part)
        for part in parts
    )
