"""A row of an import file: the posting it holds, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.files.wording import Wording, WrongCell, mark
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
    line: int = 0
    """Which of the row's lines it is about; a demand may take up several."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table as it stands in the file; `number` counts from 1."""

    number: int
    cells: Sequence[str]


@dataclass
class Row:
    """One posting of a file. `number` is the line of the file on which it starts, from 1."""

    number: int
    posting: Posting | None = None
    problems: list[Problem] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing wrong is known."""
        return self.posting is not None and not self.problems


def mark_twins(rows: Iterable[Row], wording: Wording | None = None) -> None:
    """Mark every row whose name an earlier row of the file has already."""
    translate = (wording or Wording()).translate
    seen: dict[str, int] = {}
    for row in rows:
        if row.posting is None or not row.posting.name:
            continue
        first = seen.setdefault(row.posting.name, row.number)
        if first != row.number:
            told = WrongCell(
                mark("row %(number)s has this name already"),
                mark("Give it another id, or remove one of the two"),
                number=first,
            ).told(translate)
            row.problems.append(Problem("name", *told))


def cleared(posting: Posting) -> Posting:
    """A copy without what the registry sets."""
    copy = type(posting)()
    copy.CopyFrom(posting)  # type: ignore[arg-type]
    for name in OUTPUT_ONLY:
        copy.ClearField(name)  # type: ignore[arg-type]
    return copy
