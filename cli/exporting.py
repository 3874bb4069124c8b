"""`spareline export`: offers and demands as a file that `spareline import` takes again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.client import Client, Settings, connected, organization_name
from cli.files import FileFormat, FileKind, format_of
from cli.running import Refused, WrongUsage, perform
from cli.screen import hint
from cli.taxonomy import taxonomy
from services.chassis.paging import pages
from services.files import exports, json_rows
from services.files.columns import Kind
from services.files.rows import Posting
from services.files.taxonomy import Taxonomy
from services.files.wording import WrongCell
from spareline.registry.v1 import registry_service_pb2 as api

_PAGE = 500


def export(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; the terminal when left out.")
    ] = None,
    kind: Annotated[FileKind, typer.Option(help="Both with auto.")] = FileKind.AUTO,
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="By the file's name, else JSON Lines.")
    ] = None,
    organization: Annotated[
        str, typer.Option(help="Only of this organization; all that you act for when left out.")
    ] = "",
    with_ended: Annotated[
        bool, typer.Option("--all", help="Also what is withdrawn or expired.")
    ] = False,
) -> None:
    """Write offers and demands as JSON Lines, CSV or XLSX; import takes the file back unchanged."""
    if file_format is None:
        named = output is not None and output.suffix.lower() in (".csv", ".xlsx")
        file_format = format_of(output) if output is not None and named else FileFormat.JSONL
    perform(_export(context.obj, output, kind, file_format, organization, with_ended))


async def _export(
    settings: Settings,
    output: Path | None,
    kind: FileKind,
    file_format: FileFormat,
    organization: str,
    with_ended: bool,
) -> int:
    if file_format is FileFormat.CSV and kind is FileKind.AUTO:
        raise WrongUsage("A CSV file holds one kind: say --kind offers or --kind demands.")
    async with connected(settings) as client:
        parents = await _parents(client, organization)
        postings: list[Posting] = []
        if kind is not FileKind.DEMANDS:
            for parent in parents:
                postings += [each async for each in _offers(client, parent, with_ended)]
        if kind is not FileKind.OFFERS:
            for parent in parents:
                postings += [each async for each in _demands(client, parent, with_ended)]
        known = Taxonomy({}) if file_format is FileFormat.JSONL else await taxonomy(client)
    _write(output, _content(postings, kind, file_format, known))
    if output is not None:
        hint(f"{len(postings)} postings in {output}")
    return 0


async def _parents(client: Client, organization: str) -> list[str]:
    """The organizations to export; one wildcard for operators, who may read all."""
    if organization:
        return [organization_name(organization)]
    if (await client.who()).role == "operator":
        return ["organizations/-"]
    found: list[str] = []
    request = api.ListOrganizationsRequest(page_size=_PAGE)
    async for page in pages(client.registry.ListOrganizations, request):
        found += [each.name for each in page.organizations]
    return found


async def _offers(client: Client, parent: str, with_ended: bool) -> AsyncIterator[Posting]:
    wanted = api.PostingFilter(states=[] if with_ended else ["STATE_OPEN"])
    request = api.ListOffersRequest(parent=parent, filter=wanted, page_size=_PAGE)
    async for page in pages(client.registry.ListOffers, request):
        for each in page.offers:
            yield each


async def _demands(client: Client, parent: str, with_ended: bool) -> AsyncIterator[Posting]:
    wanted = api.PostingFilter(states=[] if with_ended else ["STATE_OPEN", "STATE_MATCHED"])
    request = api.ListDemandsRequest(parent=parent, filter=wanted, page_size=_PAGE)
    async for page in pages(client.registry.ListDemands, request):
        for each in page.demands:
            yield each


def _content(
    postings: Sequence[Posting], kind: FileKind, file_format: FileFormat, known: Taxonomy
) -> Iterator[bytes]:
    if file_format is FileFormat.XLSX:
        yield exports.workbook(postings, known)
        return
    if file_format is FileFormat.JSONL:
        lines = json_rows.write(postings)
    else:
        noun: Kind = "offers" if kind is FileKind.OFFERS else "demands"
        lines = exports.csv_lines(exports.table(postings, noun, known))
    for line in lines:
        yield line.encode()


def _write(output: Path | None, content: Iterator[bytes]) -> None:
    try:
        if output is None:
            for part in content:
                sys.stdout.buffer.write(part)
            return
        with output.open("wb") as stream:
            stream.writelines(content)
    except WrongCell as error:
        raise Refused(f"{error}. {error.mend}") from error
