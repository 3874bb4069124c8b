"""Postings as JSON Lines: one offer or demand per line, in proto-JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Literal

from google.protobuf import json_format

from cli.rows import Posting, Problem, Row, cleared
from cli.screen import json_line
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

Kind = Literal["offers", "demands", "auto"]


def read(lines: Iterable[str], kind: Kind) -> Iterator[Row]:
    """The rows of a file, empty lines left out. With `auto` each line is taken for what it is."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _row(number, line, kind)


def write(postings: Iterable[Posting]) -> Iterator[str]:
    """The lines of a file, each with its end, without what the registry sets."""
    for posting in postings:
        yield json_line(cleared(posting)) + "\n"


def _row(number: int, line: str, kind: Kind) -> Row:
    try:
        content = json.loads(line)
    except ValueError as error:
        mend = "Write one JSON object per line"
        return Row(number, problems=[Problem("", f"it is no JSON: {error}", mend)])
    if not isinstance(content, dict):
        return Row(number, problems=[Problem("", "it is no JSON object", "Write {…}")])
    wanted = kind if kind != "auto" else _kind_of(content)
    posting: Posting = Offer() if wanted == "offers" else Demand()
    try:
        json_format.ParseDict(content, posting)
    except json_format.ParseError as error:
        where, description = _told(str(error))
        mend = f"See `spareline template {wanted} --format jsonl`"
        return Row(number, problems=[Problem(where, description, mend)])
    return Row(number, posting)


def _kind_of(content: dict[str, object]) -> Literal["offers", "demands"]:
    is_demand = "lines" in content or "/demands/" in str(content.get("name", ""))
    return "demands" if is_demand else "offers"


def _told(error: str) -> tuple[str, str]:
    """The field that a parse error names, and the error without the parser's own words."""
    if 'no field named "' in error:
        field = error.partition('no field named "')[2].partition('"')[0]
        return field, "there is no such field"
    if error.startswith("Failed to parse ") and ": " in error:
        head, _, told = error.partition(": ")
        return head.removeprefix("Failed to parse ").removesuffix(" field"), told.rstrip(".")
    return "", error.rstrip(".")
