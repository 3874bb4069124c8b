"""An uploaded file as rows that the registry takes: opened, understood, and given names."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.files import json_rows, sources, table_rows
from services.files.headers import Headers
from services.files.rows import Problem, Row, mark_twins
from services.files.sources import Table
from services.files.taxonomy import Taxonomy
from services.files.wording import Unreadable, Wording, WrongCell, mark
from spareline.market.v1.import_pb2 import ImportLine, ImportProblem, ImportRow, ImportTable
from spareline.market.v1.offer_pb2 import Offer

MOST_BYTES: Final = 16 * 1024 * 1024
_LONGEST_CELL: Final = 6000
_LARGEST_POSTING: Final = 128 * 1024
_MOST_CELLS: Final = 400
_MOST_PROBLEMS: Final = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was read: its tables and its rows."""

    tables: Sequence[ImportTable]
    rows: Sequence[ImportRow]


def read(content: bytes, name: str, taxonomy: Taxonomy, wording: Wording, key: bytes) -> Upload:
    """Read a file; ``key`` goes into the names of postings that have none.

    Raises:
        Unreadable: it can't be read as a whole, or there is nothing in it.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(
            mark("The file is larger than %(most)s MB."),
            mark("Divide it into several."),
            most=MOST_BYTES // 1024 // 1024,
        )
    found: list[tuple[int, Row]] = []
    tables: list[ImportTable] = []
    kind = sources.format_of(name)
    if kind == "jsonl":
        lines = io.StringIO(sources.decoded(content))
        found = [(0, row) for row in json_rows.read(lines, "auto", wording)]
    else:
        for table, headers in _understood(content, kind, taxonomy, wording):
            made = ImportTable(name=table.name[:100], columns=headers.names)
            made.header.extend(cell[:500] for cell in table.header)
            found += [
                (len(tables), row) for row in table_rows.rows(table, headers, taxonomy, wording)
            ]
            tables.append(made)
    if not found:
        raise Unreadable(mark("There is no row in the file."), mark("Fill in at least one."))
    rows = [row for _, row in found]
    _name(rows, wording.parent, key)
    mark_twins(rows, wording)
    packed = [_packed(index, at, row, wording) for index, (at, row) in enumerate(found)]
    return Upload(tables, packed)


def _understood(
    content: bytes, kind: sources.Format, taxonomy: Taxonomy, wording: Wording
) -> Iterator[tuple[Table, Headers]]:
    """Yield the tables whose header is one. Raises Unreadable when none is."""
    if kind == "csv":
        try:
            table = sources.csv_table(sources.decoded(content))
            yield table, Headers.of(table.header, "auto", taxonomy, wording)
        except csv.Error as error:
            raise Unreadable(mark("The file can't be read as CSV."), "") from error
        return
    refused: Unreadable | None = None
    some = False
    for table in sources.xlsx_tables(content)[:20]:
        try:
            headers = Headers.of(table.header, "auto", taxonomy, wording)
        except Unreadable as error:
            refused = refused or error  # a sheet of notes, if another one is understood
            continue
        some = True
        yield table, headers
    if refused is not None and not some:
        raise refused


def _name(rows: Sequence[Row], parent: str, key: bytes) -> None:
    """Name the postings that have no name: after what they say, so that a file that is sent again
    makes nothing anew. Keyed, as a name that others see must not let them try out what is hidden.
    """
    seen: Counter[bytes] = Counter()
    for row in rows:
        if row.posting is None or row.posting.name:
            continue
        kind = "offers" if isinstance(row.posting, Offer) else "demands"
        content = kind.encode() + b"\n" + row.posting.SerializeToString(deterministic=True)
        count = seen[content]
        seen[content] += 1
        said = f"{parent}\n{count}\n".encode() + content
        row.posting.name = f"{parent}/{kind}/{hmac.new(key, said, hashlib.sha256).hexdigest()[:32]}"


def _packed(index: int, table: int, row: Row, wording: Wording) -> ImportRow:
    made = ImportRow(index=index, table=table)
    for line in row.lines:
        cells = [cell[:_LONGEST_CELL] for cell in line.cells[:_MOST_CELLS]]
        made.lines.append(ImportLine(number=line.number, cells=cells))
    problems = list(row.problems)
    if row.posting is not None and row.posting.ByteSize() > _LARGEST_POSTING:
        told = WrongCell(mark("it is too long"), mark("Shorten its texts"))
        problems.append(Problem("description", *told.told(wording.translate)))
    elif isinstance(row.posting, Offer):
        made.offer.CopyFrom(row.posting)
    elif row.posting is not None:
        made.demand.CopyFrom(row.posting)
    made.problems.extend(
        ImportProblem(
            line=problem.line,
            field=problem.field[:300],
            description=problem.description[:1000],
            mend=problem.mend[:2000],
        )
        for problem in problems[:_MOST_PROBLEMS]
    )
    return made


def chunks(rows: Sequence[ImportRow], most: int, size: int) -> Iterator[Sequence[ImportRow]]:
    """Yield the rows in chunks of at most so many rows and about so many bytes."""
    chunk: list[ImportRow] = []
    weight = 0
    for row in rows:
        if chunk and (len(chunk) == most or weight + row.ByteSize() > size):
            yield chunk
            chunk, weight = [], 0
        chunk.append(row)
        weight += row.ByteSize()
    if chunk:
        yield chunk
