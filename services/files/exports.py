"""Postings as files that can be imported again: CSV and workbooks, in technical words or not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.files import columns, grids, headers, taxonomy
from services.files.cells import guarded
from services.files.columns import ATTRIBUTE, Kind
from services.files.rows import Posting
from services.files.taxonomy import Taxonomy
from services.files.wording import Translate, same
from spareline.market.v1.offer_pb2 import Offer


@dataclass(frozen=True, slots=True)
class Titled:
    """A table to write: its header as people read it, its technical names, and its lines."""

    header: Sequence[str]
    names: Sequence[str]
    lines: Iterator[list[str]]

    @property
    def numbers(self) -> frozenset[int]:
        """The columns that hold numbers."""
        every = {**columns.known("offers"), **columns.known("demands")}
        return frozenset(
            index
            for index, name in enumerate(self.names)
            if name in every and every[name].content == "number"
        )


def table(
    postings: Sequence[Posting],
    kind: Kind,
    known: Taxonomy,
    translate: Translate = same,
    language: str = "",
) -> Titled:
    """Return a table; with a language its header and its choices are in that language.

    Raises:
        WrongCell: while its lines are read, an amount cannot be written as a decimal.
    """
    names, lines = grids.grid(postings, kind, known, language)
    if not language:
        return Titled(names, names, lines)
    called = _called(postings, known, language)
    header = headers.titles(
        names, kind, translate, lambda key: called.get(key) or f"{ATTRIBUTE}{key}"
    )
    return Titled(header, names, lines)


def csv_lines(wanted: Titled) -> Iterator[str]:
    """The lines of a CSV file, header first; no cell of it is run by a spreadsheet."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")

    def line(cells: Sequence[str]) -> str:
        writer.writerow([guarded(cell) for cell in cells])
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    yield line(wanted.header)
    for cells in wanted.lines:
        yield line(cells)


def workbook(
    postings: Sequence[Posting],
    known: Taxonomy,
    names: tuple[str, str] = ("offers", "demands"),
    translate: Translate = same,
    language: str = "",
) -> bytes:
    """A workbook with a sheet of offers and one of demands."""
    # Here, as it loads openpyxl: only who writes a workbook waits for that.
    from services.files import workbooks

    offers = [each for each in postings if isinstance(each, Offer)]
    demands = [each for each in postings if not isinstance(each, Offer)]
    sheets = []
    kinds: tuple[tuple[str, Kind, Sequence[Posting]], ...] = (
        (names[0], "offers", offers),
        (names[1], "demands", demands),
    )
    for name, kind, some in kinds:
        if some or (kind == "offers" and not demands):
            made = table(some, kind, known, translate, language)
            sheets.append(workbooks.Sheet(name, made.header, made.lines, made.numbers))
    return workbooks.write(sheets)


def _called(postings: Sequence[Posting], known: Taxonomy, language: str) -> dict[str, str]:
    """What heads each attribute; none where capabilities call the same key differently."""
    found: dict[str, str] = {}
    codes = {
        part.capability
        for posting in postings
        for part in ([posting] if isinstance(posting, Offer) else posting.lines)
    }
    for code in codes:
        for schema in known.capability(code).attributes:
            name = taxonomy.label(schema, language)
            found[schema.key] = name if found.get(schema.key, name) == name else ""
    return found
