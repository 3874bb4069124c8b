"""Pages over lists that fit in memory: an organization's members, keys, delegations, events."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from services.chassis import paging

DEFAULT_SIZE = 50

T = TypeVar("T")


class ListRequest(Protocol):
    """What every list request carries."""

    page_size: int
    page_token: str


def size_of(request: ListRequest, default: int = DEFAULT_SIZE) -> int:
    """Return how many items the page has at most."""
    return request.page_size or default


def cut(
    request: Message, items: Sequence[tuple[str, T]], *, size: int, token: str
) -> tuple[list[T], str]:
    """Return the page after the token, and the token of the next one.

    ``items`` come with the key that each is remembered by. Raises InvalidArgument
    (PAGE_TOKEN_INVALID).
    """
    bound = paging.bound_to(request)
    after = paging.decode(token, bound).get("after", "")
    start = 0
    if after:
        start = next((i + 1 for i, (key, _) in enumerate(items) if key == after), len(items))
    page = items[start : start + size]
    more = start + size < len(items)
    return [item for _, item in page], paging.encode({"after": page[-1][0]}, bound) if more else ""
