"""The one handler of the JSON API: find the RPC, call it in the caller's name, answer in JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from services.chassis import logs
from services.chassis.causes import Said
from services.chassis.errors import DomainError, InvalidArgument, Unauthenticated, Violation
from services.gateway.api import problems, requests, streams
from services.gateway.api.bindings import PREFIX, Binding, table
from services.gateway.clients import Caller
from services.gateway.people import SERVICES
from spareline.errors.v1 import reason_pb2

_log = logs.get_logger("api")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


async def serve(request: web.Request) -> web.StreamResponse:
    """Answer a request to the JSON API; every refusal and fault is a problem document."""
    given = request.headers.get("X-Request-Id", "")
    if _REQUEST_ID.fullmatch(given):
        logs.request_id.set(given)
    request_id = logs.request_id.get()
    try:
        response = await _answer(request)
    except DomainError as error:
        guarded = "If-Match" in request.headers
        response = problems.of_error(error, request_id, guarded=guarded)
    except web.HTTPException as raised:
        allow = {key: value for key, value in raised.headers.items() if key == "Allow"}
        response = problems.plain(raised.status, raised.reason, request_id, allow)
    except Exception as error:  # the last guard: a caller never sees a traceback
        _log.error("call failed", path=request.path, exc_info=error)
        response = problems.plain(500, "A fault of ours", request_id, {})
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
    return response


async def _answer(request: web.Request) -> web.StreamResponse:
    raw = request.rel_url.raw_path.removeprefix(PREFIX)
    found = table().find(request.method, raw)
    if found is None:
        verbs = table().verbs(raw)
        if verbs:
            raise web.HTTPMethodNotAllowed(request.method, verbs)
        raise web.HTTPNotFound
    binding, values = found
    body = await request.read() if binding.body else b""
    message = requests.build(binding, values, request.query, body)
    _take_headers(request, binding, message)
    services = request.app[SERVICES]
    calls = Caller(services, _token(request), address=request.remote or "")
    method = services.method(binding.method)
    if binding.method.server_streaming:
        return await streams.answer(request, calls.stream(method, message))
    sent: Any = [message] if binding.method.client_streaming else message
    return _json(request, await calls.call(method, sent))


def _token(request: web.Request) -> str:
    given = request.headers.get("Authorization", "")
    if not given:
        return ""
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
        raise Unauthenticated(reason_pb2.REASON_UNAUTHENTICATED, "Send a bearer token")
    return token.strip()


def _take_headers(request: web.Request, binding: Binding, message: Message) -> None:
    """Put If-Match, Idempotency-Key and Last-Event-ID into the fields that mean the same."""
    fields = message.DESCRIPTOR.fields_by_name
    key = request.headers.get("Idempotency-Key", "")
    if key and "request_id" in fields:
        _put(message, "request_id", key)
    resume = request.headers.get("Last-Event-ID", "")
    if resume and "resume_token" in fields:
        _put(message, "resume_token", resume)
    match = request.headers.get("If-Match", "").strip()
    if match and match != "*" and request.method != "GET":
        _put(_holder(binding, message), "etag", match.removeprefix("W/"))


def _put(message: Message, field: str, value: str) -> None:
    try:
        setattr(message, field, value)
    except ValueError:  # bytes that are no text
        wrong = Violation(field, Said("the header is not plain text", "Send printable ASCII"))
        raise InvalidArgument(
            reason_pb2.REASON_FIELD_INVALID, wrong.description, violations=[wrong]
        ) from None


def _holder(binding: Binding, message: Message) -> Message:
    """Return what holds the etag: the request or the resource in it. Raises InvalidArgument."""
    if "etag" in message.DESCRIPTOR.fields_by_name:
        return message
    if binding.body not in ("", "*"):
        resource: Message = getattr(message, binding.body)
        if "etag" in resource.DESCRIPTOR.fields_by_name:
            return resource
    wrong = Violation("If-Match", Said("this method compares no etag", "Leave the header out"))
    raise InvalidArgument(reason_pb2.REASON_FIELD_INVALID, wrong.description, violations=[wrong])


def _json(request: web.Request, answer: Message) -> web.Response:
    headers = {}
    etag = getattr(answer, "etag", "")
    if etag:
        headers["ETag"] = etag  # it is an entity tag already, quotes included (AIP-154)
        if request.method == "GET" and request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
    return web.json_response(
        as_json(answer),
        headers=headers,
        dumps=lambda value: json.dumps(value, ensure_ascii=False),
    )


def as_json(message: Message) -> dict[str, Any]:
    """Return a message by the JSON mapping of protobuf: fields at their default are left out.

    So nothing that is hidden from the reader looks like a zero. Only lists at the top are there
    even if empty, so that a program can go through them unasked.
    """
    found: dict[str, Any] = MessageToDict(message)
    for field in message.DESCRIPTOR.fields:
        if _is_list(field):
            found.setdefault(field.json_name, [])
    return found


def _is_list(field: Any) -> bool:
    inside = field.message_type
    return bool(field.is_repeated) and not (inside and inside.GetOptions().map_entry)
