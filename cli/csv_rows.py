"""Postings as CSV: an offer per row, a demand as one row per line. See `csv_columns`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cli import attribute_text, csv_columns
from cli.amounts import WrongAmount
from cli.csv_columns import ATTRIBUTE, Column
from cli.rows import Posting, Problem, Row, Unreadable
from cli.taxonomy import Taxonomy
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer

Kind = Literal["offers", "demands"]


def read(lines: Iterable[str], kind: Kind | Literal["auto"], taxonomy: Taxonomy) -> Iterator[Row]:
    """The rows of a file; the number of a demand is that of its first line.

    Raises:
        Unreadable: the header has an unknown column, or lacks `name` or `capability`.
    """
    reader = csv.DictReader(lines)
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    if kind == "auto":
        kind = "demands" if "line" in header else "offers"
    _check(header, kind)
    if kind == "offers":
        for number, cells in _numbered(reader):
            yield _offer(number, cells, taxonomy)
    else:
        yield from _demands(reader, taxonomy)


def write(postings: Sequence[Posting], kind: Kind, taxonomy: Taxonomy) -> Iterator[str]:
    """The lines of a file, header first; attributes get a column each.

    Raises:
        WrongAmount: an amount cannot be written as a decimal.
    """
    columns = list(csv_columns.known(kind))
    keys = sorted({key for part in _parts(postings) for key in part.attributes})
    buffer = io.StringIO()
    writer = csv.DictWriter(
        buffer, [*columns, *(ATTRIBUTE + key for key in keys)], lineterminator="\n"
    )
    writer.writeheader()
    yield _taken(buffer)
    for posting in postings:
        for cells in _cells(posting, taxonomy):
            writer.writerow(cells)
        yield _taken(buffer)


def _check(header: Sequence[str], kind: Kind) -> None:
    columns = csv_columns.known(kind)
    unknown = [x for x in header if x not in columns and not x.startswith(ATTRIBUTE)]
    if unknown:
        raise Unreadable(
            f"There is no column {unknown[0]} in a file of {kind}. "
            f"`spareline template {kind} --capability CODE` writes a header."
        )
    for needed in ("name", "capability"):
        if needed not in header:
            raise Unreadable(f"The first line lacks the column {needed}.")


def _numbered(reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's cells with the line of the file on which it starts: a cell may hold several."""
    start = reader.line_num + 1
    for cells in reader:
        yield start, _clean(cells)
        start = reader.line_num + 1


def _clean(cells: dict[Any, Any]) -> dict[str, str]:
    """The cells that say something, without the marks of a row that is too long or too short."""
    return {k: v.strip() for k, v in cells.items() if isinstance(v, str) and v.strip()}


@dataclass
class _Reader:
    """Fills messages from cells and collects what is wrong with them."""

    cells: dict[str, str]
    taxonomy: Taxonomy
    problems: list[Problem]
    resolution: str = "1"

    def unit(self, field: str) -> None:
        """Look up the unit of the row's capability, which quantities and prices need."""
        try:
            code = self.cells.get("capability", "")
            self.resolution = self.taxonomy.capability(code).unit.resolution
        except WrongAmount as error:
            self.problems.append(Problem(field, str(error), error.mend))

    def fill(self, message: Any, columns: Iterable[Column]) -> None:
        """Set the fields of a message."""
        for column in columns:
            cell = self.cells.get(column.name, "")
            if not cell:
                continue
            try:
                _set(message, column.path, column.read(cell, self.resolution))
            except WrongAmount as error:
                self.problems.append(Problem(column.name, str(error), error.mend))
            except ValueError:
                mend = "Write a smaller number"
                self.problems.append(Problem(column.name, f"{cell} is too large", mend))

    def attributes(self, message: Offer | Line) -> None:
        """Set the attributes of a message."""
        if message.capability not in self.taxonomy.capabilities:
            return  # told already
        for name, cell in self.cells.items():
            if not name.startswith(ATTRIBUTE):
                continue
            key = name.removeprefix(ATTRIBUTE)
            try:
                schema = self.taxonomy.schema(message.capability, key)
                message.attributes[key].CopyFrom(attribute_text.read(cell, schema))
            except (WrongAmount, ValueError) as error:
                self.problems.append(Problem(name, str(error), getattr(error, "mend", "")))


def _offer(number: int, cells: dict[str, str], taxonomy: Taxonomy) -> Row:
    row = Row(number, Offer())
    assert isinstance(row.posting, Offer)
    reader = _Reader(cells, taxonomy, row.problems)
    reader.unit("capability")
    reader.fill(row.posting, csv_columns.OFFER)
    reader.attributes(row.posting)
    return row


def _demands(reader: csv.DictReader[str], taxonomy: Taxonomy) -> Iterator[Row]:
    row: Row | None = None
    for number, cells in _numbered(reader):
        name = cells.get("name", "")
        if row is None or (name and name != _name(row)):
            if row is not None:
                yield row
            row = Row(number, Demand())
            _Reader(cells, taxonomy, row.problems).fill(row.posting, csv_columns.DEMAND)
        assert isinstance(row.posting, Demand)
        line = row.posting.lines.add()
        told: list[Problem] = []
        part = _Reader(cells, taxonomy, told)
        part.unit("capability")
        part.fill(line, csv_columns.LINE)
        part.attributes(line)
        where = line.id or str(len(row.posting.lines))
        row.problems += [Problem(f"line {where}: {x.field}", x.description, x.mend) for x in told]
    if row is not None:
        yield row


def _name(row: Row) -> str:
    return row.posting.name if row.posting is not None else ""


def _set(message: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    if not isinstance(value, list):
        setattr(message, last, value)
        return
    target = getattr(message, last)
    for each in value:
        if isinstance(each, dict):
            target.add(**each)
        else:
            target.append(each)


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


def _cells(posting: Posting, taxonomy: Taxonomy) -> Iterator[dict[str, str]]:
    if isinstance(posting, Offer):
        yield _written(posting, csv_columns.OFFER, posting, taxonomy)
        return
    for index, line in enumerate(posting.lines):
        head = csv_columns.DEMAND if index == 0 else csv_columns.DEMAND[:1]
        yield _written(posting, head, line, taxonomy) | _written(
            line, csv_columns.LINE, line, taxonomy
        )


def _written(
    message: Any, columns: Iterable[Column], part: Offer | Line, taxonomy: Taxonomy
) -> dict[str, str]:
    resolution = taxonomy.capability(part.capability).unit.resolution
    cells = {}
    for column in columns:
        value = _get(message, column.path)
        if value is not None:
            cells[column.name] = column.write(value, resolution)
    for key, value in part.attributes.items():
        cells[ATTRIBUTE + key] = attribute_text.write(value)
    return cells


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
