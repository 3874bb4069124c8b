"""Pages of lists: opaque tokens that are bound to the request they continue, made and followed."""

import base64
import binascii
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from services.chassis.causes import said
from services.chassis.errors import Violation, invalid
from spareline.errors.v1 import cause_pb2, reason_pb2

DEFAULT_SIZE = 50
"""Items of a page where the caller does not say how many."""

_PAGING_FIELDS = ("page_token", "page_size")


class ListRequest(Protocol):
    """What every list request carries."""

    page_size: int
    page_token: str


class ListResponse(Protocol):
    """What every answer to one carries."""

    @property
    def next_page_token(self) -> str:
        """The token of the page that follows; empty at the end."""


Asked = TypeVar("Asked", bound=ListRequest)
Found = TypeVar("Found", bound=ListResponse)


@dataclass(frozen=True, slots=True)
class Page:
    """The page that a list request asks for."""

    size: int
    start: Mapping[str, Any]
    """Where it begins, as the page before it has told (``following``); empty for the first."""
    _bound: str

    @classmethod
    def of(cls, request: ListRequest, default: int = DEFAULT_SIZE, reader: str = "") -> "Page":
        """Read a request. With ``reader`` nobody else can go on from the page.

        Raises InvalidArgument (PAGE_TOKEN_INVALID) when its token was made for another one.
        """
        assert isinstance(request, Message)
        bound = bound_to(request) + reader
        return cls(request.page_size or default, decode(request.page_token, bound), bound)

    def following(self, **start: Any) -> str:
        """Return the token of the page that begins there."""
        return encode(start, self._bound)


async def pages(call: Callable[[Asked], Awaitable[Found]], request: Asked) -> AsyncIterator[Found]:
    """Yield page after page of a list, to its end; the request's token goes on with it."""
    while True:
        page = await call(request)
        yield page
        request.page_token = page.next_page_token
        if not request.page_token:
            return


def bound_to(request: Message) -> str:
    """Return what binds a token to a list request: all its fields but those of the page."""
    copy = type(request)()
    copy.CopyFrom(request)
    for field in _PAGING_FIELDS:
        if field in copy.DESCRIPTOR.fields_by_name:
            copy.ClearField(field)
    name: str = copy.DESCRIPTOR.full_name
    return f"{name}:{copy.SerializeToString(deterministic=True).hex()}"


def _digest(filter_: str, body: str) -> str:
    return hashlib.sha256(f"{filter_}\n{body}".encode()).hexdigest()[:16]


def encode(fields: Mapping[str, Any], filter_: str) -> str:
    """Return a token that carries the fields (JSON values: where the next page starts)."""
    body = json.dumps(dict(fields), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode((_digest(filter_, body) + body).encode()).decode().rstrip("=")


def decode(token: str, filter_: str) -> dict[str, Any]:
    """Return the fields of a token; an empty token (the first page) has none.

    Raises InvalidArgument (PAGE_TOKEN_INVALID) when it was not made for this filter.
    """
    if not token:
        return {}
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        digest, body = text[:16], text[16:]
        if digest != _digest(filter_, body):
            raise ValueError("made for another filter")
        fields = json.loads(body)
    except (ValueError, binascii.Error):
        wrong = Violation("page_token", said(cause_pb2.CAUSE_PAGE_TOKEN_FOREIGN))
        raise invalid(wrong, reason=reason_pb2.REASON_PAGE_TOKEN_INVALID) from None
    if not isinstance(fields, dict):
        raise TypeError("a page token carries an object")
    return fields
