"""The changes to one line that might have matched its demand, kind by kind, from small to large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.matching.domain import periods
from services.matching.domain.participation import OpenLine, open_line
from services.matching.domain.rows import line_row
from services.matching.domain.tables import GRADES, Tables, with_row
from services.matching.explain.steps import (
    Change,
    percent_down,
    percent_up,
    permille,
    price,
    quantity,
)
from spareline.market.v1.demand_pb2 import Line

ANY = "any"
MOST_PERIODS = 8
MOST_PARTNERS = 4
RADIUS_PERCENT = (25, 50, 100, 200, 400)


@dataclass(frozen=True)
class Kind:
    """Changes of one field of a line: the steps, and what each would make of the line."""

    field: str
    steps: Sequence[int]
    make: Callable[[int], Change]
    rules: tuple[str, ...]
    """The rules that it eases; none for one that changes no eligibility."""


class LineChanges:
    """Changes to one line of the tables."""

    def __init__(self, tables: Tables, row: int) -> None:
        self._tables = tables
        self._row = row
        self._line = tables.lines.messages[row]
        self._rest = int(tables.lines.quantity[row])
        self._unit = tables.capabilities[self._line.capability].unit

    def kinds(self) -> Iterator[Kind]:
        """Every kind of change that the line leaves room for."""
        yield from self._price()
        yield from self._window()
        yield from self._sourcing()
        yield from self._quantities()
        yield from self._requirements()
        yield from self._reach()

    def _price(self) -> Iterator[Kind]:
        old = self._line.limit_price

        def make(percent: int) -> Change:
            line = self._copy()
            line.limit_price = percent_up(old, percent)
            size = permille(old, line.limit_price)
            texts = price(old, self._unit), price(line.limit_price, self._unit)
            return self._change("limit_price", *texts, size, line)

        if old:
            yield Kind("limit_price", range(1, 201), make, ("price",))

    def _window(self) -> Iterator[Kind]:
        lines, now = self._tables.lines, self._tables.now_period
        first, last = int(lines.earliest[self._row]), int(lines.latest[self._row])

        def later(weeks: int) -> Change:
            line = self._copy()
            line.window.latest = periods.name(last + now + weeks)
            texts = periods.name(last + now), line.window.latest
            return self._change("window_latest", *texts, weeks, line, latest=last + weeks)

        def earlier(weeks: int) -> Change:
            line = self._copy()
            line.window.earliest = periods.name(first + now - weeks)
            texts = periods.name(first + now), line.window.earliest
            return self._change("window_earliest", *texts, weeks, line, earliest=first - weeks)

        yield Kind("window_latest", range(1, MOST_PERIODS + 1), later, ("window", "size"))
        if first > 0:
            steps = range(1, min(first, MOST_PERIODS) + 1)
            yield Kind("window_earliest", steps, earlier, ("window", "size"))

    def _sourcing(self) -> Iterator[Kind]:
        old = self._line.sourcing.max_partners or 1

        def make(more: int) -> Change:
            line = self._copy()
            line.sourcing.max_partners = old + more
            return self._change("max_partners", str(old), str(old + more), 1, line)

        yield Kind("max_partners", range(1, MOST_PARTNERS + 1), make, ("size",))

    def _quantities(self) -> Iterator[Kind]:
        least = int(self._tables.lines.least[self._row])

        def part(percent: int) -> Change:
            line = self._copy()
            line.least_quantity = max(1, percent_down(least, percent))
            size = permille(least, line.least_quantity)
            texts = quantity(least, self._unit), quantity(line.least_quantity, self._unit)
            return self._change("least_quantity", *texts, size, line)

        def less(percent: int) -> Change:
            line = self._copy()
            rest = max(1, percent_down(self._rest, percent))
            line.quantity -= self._rest - rest
            line.least_quantity = min(line.least_quantity, line.quantity)
            size = permille(self._line.quantity, line.quantity)
            texts = (
                quantity(self._line.quantity, self._unit),
                quantity(line.quantity, self._unit),
            )
            return self._change("quantity", *texts, size, line, rest=rest)

        def more(percent: int) -> Change:
            line = self._copy()
            rest = percent_up(self._rest, percent)
            line.quantity += rest - self._rest
            size = permille(self._line.quantity, line.quantity)
            texts = (
                quantity(self._line.quantity, self._unit),
                quantity(line.quantity, self._unit),
            )
            return self._change("quantity", *texts, size, line, rest=rest)

        if least > 1:
            yield Kind("least_quantity", range(10, 100, 10), part, ("size",))
        if self._rest > 1:
            yield Kind("quantity", range(10, 100, 10), less, ("size",))
        # An offer's minimum order may ask for more.
        yield Kind("quantity", range(10, 101, 10), more, ("size",))

    def _requirements(self) -> Iterator[Kind]:
        for standard in self._line.requirements.standards:
            yield self._without_standard(standard)
        for key in sorted(self._line.attributes):
            yield self._without_attribute(key)
        grade = self._line.requirements.least_credit_grade
        if grade and grade != GRADES[0]:
            at = GRADES.index(grade)

            def make(down: int) -> Change:
                line = self._copy()
                line.requirements.least_credit_grade = GRADES[at - down]
                return self._change("least_credit_grade", grade, GRADES[at - down], 1, line)

            yield Kind("least_credit_grade", range(1, at + 1), make, ("credit",))

    def _without_standard(self, standard: str) -> Kind:
        def make(_: int) -> Change:
            line = self._copy()
            line.requirements.standards.remove(standard)
            return self._change("standards", standard, "", 1, line)

        return Kind("standards", (1,), make, ("standards",))

    def _without_attribute(self, key: str) -> Kind:
        def make(_: int) -> Change:
            line = self._copy()
            del line.attributes[key]
            return self._change("attributes", key, "", 1, line)

        return Kind("attributes", (1,), make, ("attributes",))

    def _reach(self) -> Iterator[Kind]:
        radius = self._line.reach.radius_km

        def wider(percent: int) -> Change:
            line = self._copy()
            line.reach.radius_km = percent_up(radius, percent) if percent else 0
            text = str(line.reach.radius_km) if percent else ANY
            return self._change("radius", str(radius), text, 1, line)

        def anywhere(_: int) -> Change:
            line = self._copy()
            line.reach.ClearField("regions")
            return self._change("regions", ",".join(self._line.reach.regions), ANY, 1, line)

        if radius:
            # 0 stands for no radius at all, the largest step.
            yield Kind("radius", (*RADIUS_PERCENT, 0), wider, ("region",))
        if self._line.reach.regions:
            yield Kind("regions", (1,), anywhere, ("region",))

    def _copy(self) -> Line:
        line = Line()
        line.CopyFrom(self._line)
        return line

    def _change(
        self,
        field: str,
        before: str,
        after: str,
        size: int,
        line: Line,
        *,
        rest: int | None = None,
        earliest: int | None = None,
        latest: int | None = None,
    ) -> Change:
        """The change with the tables that hold it."""
        tables, row = self._tables, self._row
        known, now = tables.lines, tables.now_period
        first = int(known.earliest[row]) if earliest is None else earliest
        last = int(known.latest[row]) if latest is None else latest
        part: OpenLine = open_line(line, rest or self._rest, first + now, last + now)
        values = line_row(part, int(known.demand[row]), now, tables.capabilities, tables.words)
        changed = replace(tables, lines=with_row(known, row, line, values))
        return Change(field, line.id, before, after, size, changed)
