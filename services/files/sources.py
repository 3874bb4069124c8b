"""Files as they come, opened: tables from CSV and XLSX, lines from JSON Lines.

CSV comes in any of the forms that spreadsheets write: UTF-8 with or without a mark, UTF-16, GBK
(Chinese Excel), Latin-1; divided by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from defusedxml import DefusedXmlException

from services.files.rows import Line
from services.files.wording import Unreadable, mark

Format = Literal["csv", "xlsx", "jsonl"]

MOST_LINES: Final = 50_000
MOST_COLUMNS: Final = 400
UNPACKED: Final = 128 * 1024 * 1024
"""Bytes that a workbook may unfold to: those of 10,000 full rows are a tenth of it."""
_MOST_PARTS: Final = 1000
_EMPTY_AFTER_EMPTY: Final = 1000
_HIGH = re.compile(rb"[\x80-\xff]+")
_ENDINGS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "csv",
    ".xlsx": "xlsx",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet: its header, and its lines, which can be read once."""

    name: str
    header: Sequence[str]
    lines: Iterable[Line]
    decimal_comma: bool = False
    """Whether a comma may be the decimal point, as where semicolons divide the cells."""


def format_of(name: str) -> Format:
    """The format that a file's name tells. Raises Unreadable."""
    for ending, found in _ENDINGS.items():
        if name.lower().endswith(ending):
            return found
    raise Unreadable(
        mark("%(name)s is neither CSV, XLSX nor JSON Lines."),
        mark("Save it as one of these; its name then ends in .csv, .xlsx or .jsonl."),
        name=name or "–",
    )


def decoded(content: bytes) -> str:
    """The text of a file, whatever it was written in. Raises Unreadable."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        runs = _HIGH.findall(content[: 1 << 20])
        # Letters with accents stand alone among others, bytes of Chinese come in pairs.
        lone = sum(len(run) == 1 for run in runs) * 2 > len(runs)
        encodings = ["utf-8-sig", "cp1252" if lone else "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable(
        mark("The text of the file is in no encoding that is known here."),
        mark("Save it as CSV UTF-8, or as XLSX."),
    )


def csv_table(text: str, name: str = "") -> Table:
    """The table of a CSV file. Raises Unreadable, then and while its lines are read."""
    first, _, rest = text.partition("\n")
    if told := re.fullmatch(r"sep=(.)\s*", first):
        divider, text = told[1], rest
    else:
        divider = _divider(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=divider)
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise _broken(error) from error
    _require_width(header)
    return Table(name, header, _csv_lines(reader), divider == ";")


def _csv_lines(reader: Any) -> Iterator[Line]:
    """Lines with the number at which each starts: a cell may hold several lines of the file."""
    count = 0
    start = reader.line_num + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                count += 1
                _require_length(count)
                yield Line(start, cells)
            start = reader.line_num + 1
    except csv.Error as error:
        raise _broken(error) from error


def xlsx_tables(content: bytes) -> list[Table]:
    """The visible sheets of a workbook that have a header. Raises Unreadable."""
    # Here, as it takes a fifth of a second to load: only who opens a workbook waits for it.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    _require_small(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        return [table for sheet in sheets if (table := _sheet(sheet)) is not None]
    except (
        InvalidFileException,
        DefusedXmlException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        SyntaxError,  # what the parser of XML raises
    ) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(
            mark("The workbook can't be opened."),
            mark("Open it in your spreadsheet and save it again as XLSX, without a password."),
        ) from error


def _sheet(sheet: Any) -> Table | None:
    reader: Iterator[Sequence[object]] = sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS + 1)
    lines: list[Line] = []
    empty = 0
    for number, values in enumerate(reader, start=1):
        cells = [_cell(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            empty = 0
            lines.append(Line(number, cells))
            _require_length(len(lines))
        else:
            empty += 1
            if empty > _EMPTY_AFTER_EMPTY:
                break
    if not lines:
        return None
    header = [cell.strip() for cell in lines[0].cells]
    _require_width(header)
    return Table(str(sheet.title), header, lines[1:])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Sums of tenths in a spreadsheet are a little beside what it shows.
        return f"{value:.15g}" if abs(value) < 1e15 else f"{value:.0f}"
    if isinstance(value, datetime | date):
        return value.strftime("%Y-%m-%d")
    return str(value).strip()


def _divider(text: str) -> str:
    """What divides the cells of the first line, outside of quotes."""
    first = re.sub(r'"[^"]*"', "", text[:20_000]).partition("\n")[0]
    return max(",;\t", key=first.count)


def _require_small(content: bytes) -> None:
    """Raise Unreadable for what is no workbook, or unfolds to more than memory should hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            sizes = [part.file_size for part in parts.infolist()]
    except zipfile.BadZipFile as error:
        raise Unreadable(
            mark("The file is no XLSX workbook."),
            mark("Older ones (.xls) have to be saved as XLSX or CSV first."),
        ) from error
    if len(sizes) > _MOST_PARTS or sum(sizes) > UNPACKED:
        raise Unreadable(
            mark("The workbook unfolds to more than %(most)s MB."),
            mark("Keep only the sheets that are needed, or save it as CSV."),
            most=UNPACKED // 1024 // 1024,
        )


def _require_width(header: Sequence[str]) -> None:
    if len(header) > MOST_COLUMNS:
        raise Unreadable(
            mark("There are more than %(most)s columns."),
            mark("Leave only those that are needed."),
            most=MOST_COLUMNS,
        )


def _require_length(count: int) -> None:
    if count > MOST_LINES:
        raise Unreadable(
            mark("There are more than %(most)s lines."),
            mark("Divide the file into several."),
            most=MOST_LINES,
        )


def _broken(error: csv.Error) -> Unreadable:
    return Unreadable(
        mark("The file can't be read as CSV: %(reason)s."),
        mark("Save it again from your spreadsheet, as CSV UTF-8."),
        reason=error,
    )
