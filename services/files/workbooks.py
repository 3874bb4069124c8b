"""Workbooks (XLSX) of tables: written so that no cell is run, with choices to pick from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation

from services.files.cells import guarded

_LISTS: Final = "lists"
_HEAD: Final = Font(bold=True, color="FFFFFF")
_FILL: Final = PatternFill("solid", fgColor="0F5B4C")
_WRONG: Final = PatternFill("solid", fgColor="FCE4E2")
_WRAPPED: Final = Alignment(vertical="top", wrap_text=True)
_CHOOSABLE_LINES: Final = 2000
_EXACT_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be picked in a column. Not `strict`: something else may be written too."""

    values: Sequence[str]
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet to write. Columns are counted from 0; a wrong cell is named by line and column."""

    name: str
    header: Sequence[str]
    lines: Iterable[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    choices: Mapping[int, Choices] = field(default_factory=dict)
    wrong: frozenset[tuple[int, int]] = frozenset()


def write(sheets: Sequence[Sheet]) -> bytes:
    """Return a workbook. What is picked from stands on a hidden sheet of its own."""
    book = Workbook(write_only=True)
    lists: list[Sequence[str]] = []
    for sheet in sheets:
        made: Any = book.create_sheet(sheet.name[:31])
        made.freeze_panes = "A2"
        for index, title in enumerate(sheet.header):
            width = min(max(10, sum(2 if ord(x) > 255 else 1 for x in title) + 3), 40)
            made.column_dimensions[get_column_letter(index + 1)].width = width
        _validate(made, sheet.choices, lists)
        made.append([_styled(made, title) for title in sheet.header])
        for number, cells in enumerate(sheet.lines):
            made.append([_cell(made, sheet, number, i, x) for i, x in enumerate(cells)])
    if lists:
        hidden: Any = book.create_sheet(_LISTS)
        hidden.sheet_state = "hidden"
        for place in range(max(len(values) for values in lists)):
            hidden.append([_text(hidden, v[place]) if place < len(v) else None for v in lists])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _validate(made: Any, choices: Mapping[int, Choices], lists: list[Sequence[str]]) -> None:
    for index, choice in choices.items():
        if choice.values not in lists:
            lists.append(choice.values)
        column = get_column_letter(lists.index(choice.values) + 1)
        rule = DataValidation(
            type="list",
            formula1=f"{quote_sheetname(_LISTS)}!${column}$1:${column}${len(choice.values)}",
            allow_blank=True,
            showErrorMessage=choice.strict,
        )
        letter = get_column_letter(index + 1)
        rule.add(f"{letter}2:{letter}{_CHOOSABLE_LINES}")
        made.data_validations.append(rule)


def _cell(made: Any, sheet: Sheet, number: int, index: int, cell: str) -> Any:
    if not cell:
        return _marked(made) if (number, index) in sheet.wrong else None
    if (number, index) in sheet.wrong:
        return _marked(made, cell)
    if index in sheet.numbers:
        try:
            exact = Decimal(cell)
        except InvalidOperation:
            return _text(made, cell)
        if len(exact.as_tuple().digits) <= _EXACT_DIGITS:
            return exact
    return _text(made, cell)


def _text(made: Any, text: str) -> Any:
    """A cell of text, whatever it begins with."""
    # The apostrophe that is taken off a read cell must stand before one that is the text's own.
    cell = WriteOnlyCell(made, value=guarded(text) if text.startswith("'") else text)
    cell.data_type = "s"
    return cell


def _styled(made: Any, title: str) -> Any:
    cell = _text(made, title)
    cell.font, cell.fill, cell.alignment = _HEAD, _FILL, _WRAPPED
    return cell


def _marked(made: Any, text: str = "") -> Any:
    cell = _text(made, text)
    cell.fill = _WRONG
    return cell
