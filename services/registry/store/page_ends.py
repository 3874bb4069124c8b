"""Where pages ended that were read before, so that reading one again is a bounded range.

The store reads and sorts all that a range holds, however few documents are asked for, and a page
of a long list has no lower bound of its own. What is remembered is a hint: it may be out of date
and is never what is shown.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 10_000


class PageEnds(Generic[T]):
    """The last item of each page, by whatever says which page it is."""

    def __init__(self) -> None:
        self._ends: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, page: Hashable) -> T | None:
        """Return the last item of a page as it was; None when it was not read yet."""
        return self._ends.get(page)

    def keep(self, page: Hashable, end: T) -> None:
        """Remember where a full page ended."""
        self._ends[page] = end
        self._ends.move_to_end(page)
        if len(self._ends) > _MOST:
            self._ends.popitem(last=False)
