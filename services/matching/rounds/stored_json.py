"""Compressed JSON that names its format: how what came of a round is stored."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from services.matching.domain.book_snapshot import SnapshotError


def to_bytes(form: str, plain: Mapping[str, Any]) -> bytes:
    """Return the bytes of ``plain``; the same in the same order gives the same bytes."""
    text = json.dumps({"format": form, **plain}, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def from_bytes(form: str, data: bytes) -> dict[str, Any]:
    """Read what `to_bytes` wrote.

    Raises:
        SnapshotError: the bytes are not of that format.
    """
    try:
        plain = json.loads(gzip.decompress(data))
    except (OSError, EOFError, ValueError) as error:
        raise SnapshotError(f"these are not the bytes of {form}") from error
    if not isinstance(plain, dict) or plain.get("format") != form:
        raise SnapshotError(f"these are not the bytes of {form}")
    return plain
