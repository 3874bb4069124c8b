"""A row of an import file: the posting it holds, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

Posting = Offer | Demand

OUTPUT_ONLY = ("state", "balances", "create_time", "update_time", "etag", "generation")
"""Fields that the registry sets; files leave them out."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field, and what to change."""

    field: str
    description: str
    mend: str = ""


@dataclass
class Row:
    """One posting of a file. `number` is the line of the file on which it starts, from 1."""

    number: int
    posting: Posting | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing wrong is known."""
        return self.posting is not None and not self.problems


class Unreadable(Exception):  # noqa: N818 - says what is the case
    """The file as a whole can't be read; the message says why and what to change."""


def mark_twins(rows: Iterable[Row]) -> None:
    """Mark every row whose name an earlier row of the file has already."""
    seen: dict[str, int] = {}
    for row in rows:
        if row.posting is None or not row.posting.name:
            continue
        first = seen.setdefault(row.posting.name, row.number)
        if first != row.number:
            mend = "Give it another id, or remove one of the two"
            row.problems.append(Problem("name", f"row {first} has this name already", mend))


def cleared(posting: Posting) -> Posting:
    """A copy without what the registry sets."""
    copy = type(posting)()
    copy.CopyFrom(posting)  # type: ignore[arg-type]
    for name in OUTPUT_ONLY:
        copy.ClearField(name)  # type: ignore[arg-type]
    return copy
