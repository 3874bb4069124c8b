"""Cells of tables: several values in one, and text that a spreadsheet would run as a formula."""

from __future__ import annotations

import re

# Spreadsheets of East Asia run the wide signs too (OWASP, CSV injection).
_RUN = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r＝＋－＠]")
_SEPARATOR = re.compile(r"[;；\n]")


def split(cell: str) -> list[str]:
    """The values of a cell that are divided by semicolons or stand on lines of their own."""
    return [part.strip() for part in _SEPARATOR.split(cell) if part.strip()]


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs: with an apostrophe before what could be a formula."""
    return f"'{cell}" if _RUN.match(cell) else cell


def bare(cell: str) -> str:
    """What `guarded` was given."""
    cell = cell.strip()
    return cell[1:] if _GUARDED.match(cell) else cell
