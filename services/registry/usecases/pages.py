"""Pages over lists that fit in memory: an organization's members, keys, delegations, events."""

from collections.abc import Sequence
from typing import TypeVar

from services.chassis import paging

T = TypeVar("T")


def size_of(request: paging.ListRequest) -> int:
    """Return how many items the page has at most."""
    return request.page_size or paging.DEFAULT_SIZE


def cut(
    request: paging.ListRequest,
    items: Sequence[tuple[str, T]],
    default: int = paging.DEFAULT_SIZE,
) -> tuple[list[T], str]:
    """Return the page that a request asks for, and the token of the next one.

    ``items`` come with the key that each is remembered by. Raises InvalidArgument
    (PAGE_TOKEN_INVALID).
    """
    wanted = paging.Page.of(request, default)
    after, start = wanted.start.get("after", ""), 0
    if after:
        start = next((i + 1 for i, (key, _) in enumerate(items) if key == after), len(items))
    page = items[start : start + wanted.size]
    more = start + wanted.size < len(items)
    return [item for _, item in page], wanted.following(after=page[-1][0]) if more else ""
