"""The report of bad rows: number, field, what is wrong, what to change."""

from __future__ import annotations

from collections.abc import Sequence

from cli.rows import Row
from cli.screen import table

_MOST = 500


def report(bad: Sequence[Row]) -> None:
    """Write a table with a line per problem; nothing when no row is bad."""
    if not bad:
        return
    lines = [
        (str(row.number), problem.field, problem.description, problem.mend)
        for row in sorted(bad, key=lambda row: row.number)
        for problem in row.problems
    ]
    title = "Bad rows"
    if len(lines) > _MOST:
        title += f" (the first {_MOST} of {len(lines)} problems)"
    table(title, (">row", "field", "what is wrong", "what to change"), lines[:_MOST])
