"""The report of bad rows: number, field, what is wrong, what to change."""

from __future__ import annotations

from collections.abc import Sequence

from cli.screen import table
from services.files.columns import ATTRIBUTE, LINE
from services.files.rows import Problem, Row
from spareline.market.v1.demand_pb2 import Demand

_MOST = 500
_OF_LINES = frozenset(column.name for column in LINE)


def report(bad: Sequence[Row]) -> None:
    """Write a table with a line per problem; nothing when no row is bad."""
    if not bad:
        return
    lines = [
        (str(row.number), _place(row, problem), problem.description, problem.mend)
        for row in sorted(bad, key=lambda row: row.number)
        for problem in row.problems
    ]
    title = "Bad rows"
    if len(lines) > _MOST:
        title += f" (the first {_MOST} of {len(lines)} problems)"
    table(title, (">row", "field", "what is wrong", "what to change"), lines[:_MOST])


def _place(row: Row, problem: Problem) -> str:
    """The field, and of a demand with several lines the line as well."""
    if not isinstance(row.posting, Demand) or (
        problem.field not in _OF_LINES and not problem.field.startswith(ATTRIBUTE)
    ):
        return problem.field
    line = row.posting.lines[problem.line].id or str(problem.line + 1)
    return f"line {line}: {problem.field}"
