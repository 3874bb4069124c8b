"""Postings written as tables: an offer per line, a demand as one line per line of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from services.files import attribute_text, columns
from services.files.columns import ATTRIBUTE, Column, Kind
from services.files.rows import Posting
from services.files.taxonomy import Taxonomy
from spareline.market.v1.demand_pb2 import Line
from spareline.market.v1.offer_pb2 import Offer


def grid(
    postings: Sequence[Posting], kind: Kind, taxonomy: Taxonomy, language: str = ""
) -> tuple[list[str], Iterator[list[str]]]:
    """The technical header and the lines of a table; with a language choices are called by name.

    Raises:
        WrongCell: while the lines are read, an amount cannot be written as a decimal.
    """
    keys = sorted({key for part in _parts(postings) for key in part.attributes})
    header = [*columns.known(kind), *(ATTRIBUTE + key for key in keys)]

    def lines() -> Iterator[list[str]]:
        for posting in postings:
            for cells in _cells(posting, taxonomy, language):
                yield [cells.get(name, "") for name in header]

    return header, lines()


def _get(message: Any, path: str) -> Any:
    """The value at a path; nothing where the message has none."""
    *parents, last = path.split(".")
    for parent in parents:
        if not message.HasField(parent):
            return None
        message = getattr(message, parent)
    descriptor = message.DESCRIPTOR.fields_by_name[last]
    if descriptor.has_presence and not message.HasField(last):
        return None
    value = getattr(message, last)
    # A zero that had to be set (a budget of 0) is told; one that is just the default is not.
    return value if value or descriptor.has_presence else None


def _parts(postings: Iterable[Posting]) -> Iterator[Offer | Line]:
    for posting in postings:
        if isinstance(posting, Offer):
            yield posting
        else:
            yield from posting.lines


def _cells(posting: Posting, taxonomy: Taxonomy, language: str) -> Iterator[dict[str, str]]:
    if isinstance(posting, Offer):
        yield _written(posting, columns.OFFER, posting, taxonomy, language)
        return
    for index, line in enumerate(posting.lines):
        head = columns.DEMAND if index == 0 else columns.DEMAND[:1]
        yield _written(posting, head, line, taxonomy, language) | _written(
            line, columns.LINE, line, taxonomy, language
        )


def _written(
    message: Any, wanted: Iterable[Column], part: Offer | Line, taxonomy: Taxonomy, language: str
) -> dict[str, str]:
    resolution = taxonomy.capability(part.capability).unit.resolution
    cells = {}
    for column in wanted:
        value = _get(message, column.path)
        if value is None and column.needed and column.content == "number":
            value = 0  # a price of nothing is said, as an empty cell would be asked about
        if value is not None:
            cells[column.name] = column.write(value, resolution)
    for key, value in part.attributes.items():
        schema = taxonomy.schema(part.capability, key) if language else None
        cells[ATTRIBUTE + key] = attribute_text.write(value, schema, language)
    return cells
