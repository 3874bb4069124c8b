"""What the commands write: tables and words for people on one side, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PIPE_WIDTH = 200

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON instead of tables.")]


def console() -> Console:
    """Standard output; made anew so that a redirection set later counts."""
    # A pipe has no width; 80 columns would fold what programs and people want to copy.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, width=width)


def errors() -> Console:
    """Standard error, for complaints and progress."""
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Write a line for people."""
    console().print(escape(text))


def complain(text: str) -> None:
    """Write what went wrong, in one line."""
    errors().print(f"[bold red]✗[/] {escape(text)}", soft_wrap=True)


def hint(text: str) -> None:
    """Write what to do about it."""
    errors().print(f"  {escape(text)}", soft_wrap=True)


def write_json(message: Message) -> None:
    """Write a message as one line of JSON, in the field names of the contract."""
    typer.echo(json_line(message))


def json_line(message: Message) -> str:
    """A message as one line of JSON, in the field names of the contract."""
    content = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(content, ensure_ascii=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; a column named with a leading ">" is aligned to the right."""
    made = Table(title=escape(title), title_justify="left", header_style="bold")
    for column in columns:
        right = column.startswith(">")
        made.add_column(
            column.removeprefix(">"), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    console().print(made)


def money(fen: int) -> str:
    """Minor units as people read them, with two decimals."""
    sign, whole = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"


def moment(time: Timestamp) -> str:
    """A time in UTC to the minute; nothing when it is not set."""
    return time.ToDatetime().strftime("%Y-%m-%d %H:%M") if time.seconds else ""


def state(name: str) -> str:
    """`STATE_OPEN` as `open`."""
    return name.removeprefix("STATE_").removeprefix("ANSWER_").lower().replace("_", " ")
