"""Postings as JSON Lines: one offer or demand per line, in proto-JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Literal

from google.protobuf import json_format

from services.files.columns import Kind
from services.files.rows import Line, Posting, Problem, Row, cleared
from services.files.wording import Wording, Wrong, WrongCell, mark
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

_PLAIN = Wording()


def read(
    lines: Iterable[str], kind: Kind | Literal["auto"], wording: Wording = _PLAIN
) -> Iterator[Row]:
    """The rows of a file, empty lines left out. With `auto` each line is taken for what it is."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row = _row(number, line, kind, wording)
            row.lines.append(Line(number, [line.strip()]))
            yield row


def write(postings: Iterable[Posting]) -> Iterator[str]:
    """The lines of a file, each with its end, without what the registry sets."""
    for posting in postings:
        content = json_format.MessageToDict(cleared(posting), preserving_proto_field_name=True)
        yield json.dumps(content, ensure_ascii=False) + "\n"


def _row(number: int, line: str, kind: Kind | Literal["auto"], wording: Wording) -> Row:
    def wrong(field: str, error: Wrong) -> Row:
        return Row(number, problems=[Problem(field, *error.told(wording.translate))])

    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        mend = mark("Write one JSON object per line")
        return wrong("", WrongCell(mark("it is no JSON: %(error)s"), mend, error=error))
    if not isinstance(content, dict):
        return wrong("", WrongCell(mark("it is no JSON object"), mark("Write {…}")))
    wanted = kind if kind != "auto" else _kind_of(content)
    posting: Posting = Offer() if wanted == "offers" else Demand()
    try:
        json_format.ParseDict(content, posting)
    except json_format.ParseError as error:
        where, description = _told(str(error))
        mend = mark("Export a %(kind)s file as JSON Lines to see how it is written")
        return wrong(
            where, WrongCell("%(description)s", mend, description=description, kind=wanted)
        )
    return Row(number, posting, _misplaced(posting, wording))


def _misplaced(posting: Posting, wording: Wording) -> list[Problem]:
    if not wording.parent or not posting.name or posting.name.startswith(f"{wording.parent}/"):
        return []
    told = WrongCell(
        mark("%(name)s belongs to another organization"),
        mark("Write a short id such as mill-1, or leave it empty"),
        name=posting.name,
    )
    return [Problem("name", *told.told(wording.translate))]


def _kind_of(content: dict[str, object]) -> Kind:
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
