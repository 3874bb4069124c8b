"""What is wrong with a row, at the cell where it is, in the reader's language.

What was found while a file was read is told in the words of its reader already; what the registry
finds comes with its cause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.chassis import causes
from services.files import columns, taxonomy
from services.files.columns import ATTRIBUTE, Kind
from services.files.taxonomy import Taxonomy
from services.files.wording import WrongCell
from services.gateway import refusals
from services.gateway.languages import translations
from spareline.market.v1.import_pb2 import ImportProblem, ImportRow, ImportTable

_LINE: Final = re.compile(r"lines\[(\d+)\]\.?")
_INDEX: Final = re.compile(r"\[[^\]]*\]")
_ATTRIBUTE: Final = re.compile(r"attributes\[?\"?([^\]\"]+)\"?\]?")


@dataclass(frozen=True, slots=True)
class Told:
    """A problem at its cell. ``place`` is the column's, -1 where there is none."""

    name: str
    line: int
    number: int
    place: int
    title: str
    cell: str
    description: str
    mend: str


def told(
    row: ImportRow, tables: Sequence[ImportTable], known: Taxonomy, language: str
) -> list[Told]:
    """Return what is wrong with a row, in the order of its cells."""
    table = tables[row.table] if row.table < len(tables) else ImportTable()
    found = [_told(problem, row, table, known, language) for problem in row.problems]
    return sorted(found, key=lambda each: (each.line, each.place < 0, each.place))


def _told(
    problem: ImportProblem, row: ImportRow, table: ImportTable, known: Taxonomy, language: str
) -> Told:
    line, name = _column(problem, row)
    line = min(line, max(len(row.lines) - 1, 0))
    code = _code(row, line)
    place = _place(name, table, known, code)
    here = row.lines[line] if row.lines else None
    cell = here.cells[place] if here is not None and 0 <= place < len(here.cells) else ""
    title = table.header[place] if place >= 0 else _title(name, row, known, code, language)
    return Told(
        name,
        line,
        here.number if here is not None else 0,
        place,
        title,
        cell,
        *refusals.parts(
            causes.from_message(problem.words, problem.description, problem.mend), language
        ),
    )


def _column(problem: ImportProblem, row: ImportRow) -> tuple[int, str]:
    """Return the line and the technical name of the column that a problem is about."""
    path, line = problem.field, problem.line
    if path in columns.known(_kind(row)) or path.startswith(ATTRIBUTE):
        return line, path
    if found := _LINE.match(path):
        line, path = int(found[1]), path[found.end() :]
    if (found := _ATTRIBUTE.match(path)) and path.startswith("attributes"):
        return line, ATTRIBUTE + found[1]
    if (found := re.match(r"capacity\[(\d+)\]", path)) and row.HasField("offer"):
        at = int(found[1])
        return line, row.offer.capacity[at].period if at < len(row.offer.capacity) else "capacity"
    bare = _INDEX.sub("", path)
    return line, _BY_PATH[_kind(row)].get(bare) or _BY_PATH[_kind(row)].get(
        bare.rpartition(".")[0], bare
    )


def _by_path(kind: Kind) -> Mapping[str, str]:
    found = {column.path: column.name for column in columns.known(kind).values()}
    return found | {"id": "line", "window": "earliest"}


_BY_PATH: Final[Mapping[Kind, Mapping[str, str]]] = {
    "offers": _by_path("offers"),
    "demands": _by_path("demands"),
}


def _kind(row: ImportRow) -> Kind:
    return "demands" if row.HasField("demand") else "offers"


def _code(row: ImportRow, line: int) -> str:
    if row.HasField("offer"):
        return row.offer.capability
    lines = row.demand.lines
    return lines[line].capability if line < len(lines) else ""


def _place(name: str, table: ImportTable, known: Taxonomy, code: str) -> int:
    """Return where a column stands: by its name, or for an attribute by its schema."""
    for place, column in enumerate(table.columns):
        if column == name:
            return place
    if name.startswith(ATTRIBUTE):
        wanted = name.removeprefix(ATTRIBUTE)
        for place, column in enumerate(table.columns):
            if not column.startswith(ATTRIBUTE):
                continue
            try:
                schema = known.schema(code, column.removeprefix(ATTRIBUTE))
            except WrongCell:
                continue
            if schema.key == wanted:
                return place
    return -1


def _title(name: str, row: ImportRow, known: Taxonomy, code: str, language: str) -> str:
    """Return what people call a column that the file does not have."""
    column = columns.known(_kind(row)).get(name)
    if column is not None:
        return translations(language).gettext(column.title)
    if name.startswith(ATTRIBUTE):
        try:
            return taxonomy.label(known.schema(code, name.removeprefix(ATTRIBUTE)), language)
        except WrongCell:
            return name.removeprefix(ATTRIBUTE)
    return name
