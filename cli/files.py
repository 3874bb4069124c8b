"""What files may hold and how they are written, for import, export and templates."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from cli.running import WrongUsage


class FileFormat(StrEnum):
    """How postings are written."""

    JSONL = "jsonl"
    CSV = "csv"
    XLSX = "xlsx"


class FileKind(StrEnum):
    """What a file holds."""

    OFFERS = "offers"
    DEMANDS = "demands"
    AUTO = "auto"


class PostingKind(StrEnum):
    """One kind of posting."""

    OFFERS = "offers"
    DEMANDS = "demands"


_ENDINGS = {
    ".csv": FileFormat.CSV,
    ".xlsx": FileFormat.XLSX,
    ".jsonl": FileFormat.JSONL,
    ".ndjson": FileFormat.JSONL,
    ".json": FileFormat.JSONL,
}


def format_of(file: Path) -> FileFormat:
    """The format that a file's name tells.

    Raises:
        WrongUsage: it tells none.
    """
    found = _ENDINGS.get(file.suffix.lower())
    if found is None:
        raise WrongUsage(
            f"{file.name}: is it CSV, XLSX or JSON Lines? Say --format csv, xlsx or jsonl."
        )
    return found
