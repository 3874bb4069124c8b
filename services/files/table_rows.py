"""Tables read as postings: an offer per line, a demand as one line per line of it (`columns`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from services.files import amounts, attribute_text, columns
from services.files.cells import bare, split
from services.files.columns import ATTRIBUTE, Column, Kind
from services.files.headers import Headers
from services.files.rows import Line as FileLine
from services.files.rows import Problem, Row
from services.files.sources import Table, csv_table
from services.files.taxonomy import Taxonomy
from services.files.wording import Wording, Wrong, WrongCell, folded, mark
from spareline.market.v1.capability_pb2 import AttributeSchema, AttributeValue
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity

_PLAIN = Wording()
_REMEMBERED = 20_000


def read(
    source: Table | Iterable[str],
    kind: Kind | Literal["auto"],
    taxonomy: Taxonomy,
    wording: Wording = _PLAIN,
) -> Iterator[Row]:
    """The rows of a table, or of the lines of a CSV file; a demand counts from its first line.

    Raises:
        Unreadable: the header has an unknown column, or lacks one that is needed.
    """
    table = source if isinstance(source, Table) else csv_table("".join(source))
    yield from rows(table, Headers.of(table.header, kind, taxonomy, wording), taxonomy, wording)


def rows(table: Table, headers: Headers, taxonomy: Taxonomy, wording: Wording) -> Iterator[Row]:
    """The rows of a table whose header was understood."""
    reading = _Reading(headers, taxonomy, wording, table.decimal_comma)
    return reading.offers(table.lines) if headers.kind == "offers" else reading.demands(table.lines)


@dataclass
class _Cells:
    """Fills messages from one line of a table and collects what is wrong with it."""

    reading: _Reading
    cells: dict[str, str]
    index: int
    problems: list[Problem] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    resolution: str = "1"
    code: str = ""

    def wrong(self, name: str, error: Wrong) -> None:
        """Note what is wrong with a cell."""
        told = error.told(self.reading.wording.translate)
        self.problems.append(Problem(name, *told, line=self.index))

    def unit(self) -> None:
        """Look up the unit of the line's capability, which quantities and prices need."""
        taxonomy = self.reading.taxonomy
        try:
            self.code = taxonomy.code(self.cells.get("capability", ""))
            if self.code or not self.reading.assists:
                self.resolution = taxonomy.capability(self.code).unit.resolution
        except WrongCell as error:
            self.wrong("capability", error)

    def fill(self, message: Any, wanted: Iterable[Column]) -> None:
        """Set the fields of a message."""
        for column in wanted:
            cell = self.cells.get(column.name, "")
            if not cell:
                if column.needed and self.reading.assists and not self._by_week(column):
                    self.wrong(column.name, WrongCell(attribute_text.EMPTY, _ask(column)))
                continue
            try:
                value = column.read(self._clear(column, cell), self.resolution)
                _set(message, column.path, value)
            except WrongCell as error:
                self.wrong(column.name, self._by_names(column, error))
            except ValueError:
                told = WrongCell(
                    mark("%(text)s is too large"), mark("Write a smaller number"), text=cell
                )
                self.wrong(column.name, told)

    def _by_names(self, column: Column, error: WrongCell) -> WrongCell:
        """Name the levels as people do, where a person reads it."""
        if column.content != "level" or not self.reading.assists:
            return error
        names = [self.reading.wording.translate(name) for name in columns.LEVELS.values()]
        mend = mark("Write one of: %(known)s")
        return WrongCell(error.message, mend, **error.values, known="; ".join(names))

    def weeks(self, offer: Offer) -> None:
        """Add the quantities of the columns that are headed by weeks."""
        for name in self.reading.headers.weeks:
            cell = self.cells.get(name, "")
            if not cell:
                continue
            try:
                if self.reading.decimal_comma:
                    amounts.require_clear(cell)
                ticks = amounts.ticks(cell, self.resolution)
                if ticks:
                    offer.capacity.append(PeriodQuantity(period=name, quantity=ticks))
            except WrongCell as error:
                self.wrong(name, error)
            except ValueError:
                told = WrongCell(
                    mark("%(text)s is too large"), mark("Write a smaller number"), text=cell
                )
                self.wrong(name, told)

    def attributes(self, message: Offer | Line) -> None:
        """Set the attributes of a message."""
        taxonomy, reading = self.reading.taxonomy, self.reading
        if message.capability not in taxonomy.capabilities:
            return  # told already
        for name, cell in self.cells.items():
            if not name.startswith(ATTRIBUTE):
                continue
            try:
                schema = taxonomy.schema(message.capability, name.removeprefix(ATTRIBUTE))
                self.tried.add(schema.key)
                value = reading.value(message.capability, schema, cell)
                message.attributes[schema.key].CopyFrom(value)
            except WrongCell as error:
                self.wrong(name, error)
            except ValueError as error:
                self.wrong(name, WrongCell("%(error)s", error=error))

    def needed_attributes(self, offer: Offer) -> None:
        """Ask a person for the attributes that an offer has to state."""
        capability = self.reading.taxonomy.capabilities.get(offer.capability)
        if capability is None or not self.reading.assists:
            return
        for schema in capability.attributes:
            if schema.required_in_offer and schema.key not in self.tried:
                told = attribute_text.missing(schema, self.reading.wording.language)
                self.wrong(ATTRIBUTE + schema.key, told)

    def _by_week(self, column: Column) -> bool:
        return column.content == "capacity" and any(
            self.cells.get(name) for name in self.reading.headers.weeks
        )

    def _clear(self, column: Column, cell: str) -> str:
        """The cell in technical words. Raises WrongCell for a number that can be read two ways."""
        wording = self.reading.wording
        if column.content in ("flag", "level"):
            return wording.technical(cell)
        if column.content == "regions":
            return ";".join(wording.regions.get(folded(part), part) for part in split(cell))
        if column.name == "capability":
            return self.code or cell
        if column.content == "number" and self.reading.decimal_comma:
            amounts.require_clear(cell)
        return cell


def _ask(column: Column) -> str:
    if column.content == "number" and column.path.endswith("price"):
        return mark("Write a price; 0 is one too")
    return mark("Fill it in")


@dataclass
class _Reading:
    """One table being read."""

    headers: Headers
    taxonomy: Taxonomy
    wording: Wording
    decimal_comma: bool
    _values: dict[tuple[str, str, str], AttributeValue] = field(default_factory=dict)

    def value(self, code: str, schema: AttributeSchema, cell: str) -> AttributeValue:
        """The value of an attribute's cell; the same cells come again and again in a large file.

        Raises:
            WrongCell: it does not fit.
        """
        key = code, schema.key, cell
        found = self._values.get(key)
        if found is None:
            found = attribute_text.read(cell, schema, self.wording.language)
            if len(self._values) < _REMEMBERED:
                self._values[key] = found
        return found

    @property
    def assists(self) -> bool:
        """Whether the file is a person's, who may leave ids to us."""
        return bool(self.wording.parent)

    def offers(self, lines: Iterable[FileLine]) -> Iterator[Row]:
        """An offer per line."""
        for line in lines:
            cells = self._cells(line, 0)
            offer = Offer()
            cells.unit()
            cells.fill(offer, columns.OFFER)
            cells.weeks(offer)
            cells.attributes(offer)
            cells.needed_attributes(offer)
            self._name(offer, "offers", cells)
            yield Row(line.number, offer, cells.problems, [line])

    def demands(self, lines: Iterable[FileLine]) -> Iterator[Row]:
        """A demand of lines that follow each other."""
        row: Row | None = None
        last = ""
        for line in lines:
            cells = self._cells(line, len(row.lines) if row else 0)
            name = cells.cells.get("name", "")
            if row is None or self._starts(name, last, cells.cells):
                if row is not None:
                    yield row
                row, last = Row(line.number, Demand()), name
                cells.index = 0
                cells.fill(row.posting, columns.DEMAND)
                self._name(row.posting, "demands", cells)
            row.lines.append(line)
            assert isinstance(row.posting, Demand)
            part = row.posting.lines.add()
            cells.unit()
            cells.fill(part, columns.LINE)
            cells.attributes(part)
            if self.assists and not part.id:
                part.id = f"line-{len(row.posting.lines)}"
            row.problems += cells.problems
        if row is not None:
            yield row

    def _starts(self, name: str, last: str, cells: dict[str, str]) -> bool:
        """Tell whether a line begins another demand than the line before it."""
        if name:
            return name != last
        return self.assists and bool(cells.get("title"))

    def _name(self, posting: Any, kind: Kind, cells: _Cells) -> None:
        """Make a short id whole. A missing one is for whoever takes the rows to give."""
        if self.assists and posting.name and "/" not in posting.name:
            posting.name = f"{self.wording.parent}/{kind}/{posting.name}"
        if self.assists and posting.name and not posting.name.startswith(f"{self.wording.parent}/"):
            told = WrongCell(
                mark("%(name)s belongs to another organization"),
                mark("Write a short id such as mill-1, or leave it empty"),
                name=posting.name,
            )
            cells.wrong("name", told)

    def _cells(self, line: FileLine, index: int) -> _Cells:
        """The cells that say something, by column."""
        found: dict[str, str] = {}
        for name, cell in zip(self.headers.names, line.cells, strict=False):
            if name and (text := bare(cell)):
                found.setdefault(name, text)
        return _Cells(self, found, index)


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
