"""`spareline import`: a file of offers and demands into the market, whole or not at all."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.client import Client, Settings, connected
from cli.files import FileFormat, FileKind, format_of
from cli.posting import post
from cli.report import report
from cli.running import REFUSED, Refused, perform
from cli.screen import errors, say
from cli.taxonomy import taxonomy
from services.files import json_rows, sources, table_rows
from services.files.rows import Row, mark_twins
from services.files.wording import Unreadable


def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file.")],
    kind: Annotated[FileKind, typer.Option(help="What is in it.")] = FileKind.AUTO,
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="By the file's name when left out.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check; post nothing.")] = False,
    good_only: Annotated[
        bool, typer.Option("--good-only", help="Post the good rows though others are bad.")
    ] = False,
) -> None:
    """Post the offers or demands of a file. Nothing is posted when any row is bad.

    Every row is checked first, the way the registry will check it. Bad rows are listed with
    the field, what is wrong, and what to change; the exit code is then 1. A row that was posted
    before with the same content is left alone, so an import can be repeated.
    """
    perform(_import(context.obj, file, kind, file_format, check, good_only))


async def _import(
    settings: Settings,
    file: Path,
    kind: FileKind,
    file_format: FileFormat | None,
    check: bool,
    good_only: bool,
) -> int:
    file_format = file_format or format_of(file)
    async with connected(settings) as client:
        rows = await _read(client, file, kind, file_format)
        mark_twins(rows)
        with _progress() as progress:
            checked = await post(client, rows, progress, validate_only=True)
            bad = [row for row in rows if not row.good]
            counts = checked
            if not check and (good_only or not bad):
                counts = await post(client, rows, progress, validate_only=False)
                bad = [row for row in rows if not row.good]
    report(bad)
    if check:
        say(f"{checked.total} of {len(rows)} rows are good; nothing was posted.")
    elif bad and not good_only:
        say(f"{len(bad)} of {len(rows)} rows are bad, so nothing was posted.")
        say("Mend them, or post the good ones with --good-only.")
    else:
        unchanged = f", {counts.unchanged} were there already" if counts.unchanged else ""
        say(f"{counts.taken} of {len(rows)} rows were posted{unchanged}.")
    return REFUSED if bad else 0


async def _read(client: Client, file: Path, kind: FileKind, file_format: FileFormat) -> list[Row]:
    """Read the whole file.

    Raises:
        Refused: it can't be read as what it is said to be.
    """
    try:
        content = await asyncio.to_thread(file.read_bytes)
        if file_format is FileFormat.JSONL:
            return list(json_rows.read(io.StringIO(sources.decoded(content)), kind.value))
        known = await taxonomy(client)
        if file_format is FileFormat.CSV:
            tables = [sources.csv_table(sources.decoded(content))]
        else:
            tables = sources.xlsx_tables(content)
        return [row for each in tables for row in table_rows.read(each, kind.value, known)]
    except Unreadable as error:
        raise Refused(str(error)) from error


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors(),
    )
