"""The end of a program's log, in a form for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

_LINES: Final = 12
# Enough to hold the last lines even if one has a long trace.
_BYTES: Final = 64_000


def log_tail(file: Path) -> str:
    """The last lines of a log below its path; lines in JSON are spelled out."""
    try:
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _BYTES))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        text = ""
    lines = [line for raw in text.splitlines() for line in _spelled_out(raw)][-_LINES:]
    return "\n".join([f"Its log is {file}" + (", the end of it:" if lines else "."), *lines])


def _spelled_out(line: str) -> list[str]:
    """A structured line as "level event key=value", its trace on lines of its own."""
    try:
        entry = json.loads(line)
    except ValueError:
        return [line]
    if not isinstance(entry, dict) or "event" not in entry:
        return [line]
    trace = str(entry.pop("exception", "")).splitlines()
    head = f"{entry.pop('timestamp', '')[:19]} {entry.pop('level', '')} {entry.pop('event')}"
    entry.pop("logger", None)
    rest = " ".join(f"{key}={value}" for key, value in entry.items())
    return [f"{head} {rest}".strip(), *(f"  {step}" for step in trace)]
