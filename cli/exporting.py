"""`spareline export`: offers and demands as a file that `spareline import` takes again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli import csv_rows, json_rows
from cli.amounts import WrongAmount
from cli.client import Client, Settings, connected, organization_name
from cli.files import FileFormat, FileKind
from cli.rows import Posting
from cli.running import Refused, WrongUsage, perform
from cli.screen import hint
from cli.taxonomy import taxonomy
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
    """Write offers and demands as JSON Lines or CSV; import takes the file back unchanged."""
    if file_format is None:
        is_table = output is not None and output.suffix.lower() == ".csv"
        file_format = FileFormat.CSV if is_table else FileFormat.JSONL
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
        lines: Iterable[str]
        if file_format is FileFormat.JSONL:
            lines = json_rows.write(postings)
        else:
            noun: csv_rows.Kind = "offers" if kind is FileKind.OFFERS else "demands"
            lines = csv_rows.write(postings, noun, await taxonomy(client))
        _write(output, lines)
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
    while True:
        page = await client.registry.ListOrganizations(request)
        found += [each.name for each in page.organizations]
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def _offers(client: Client, parent: str, with_ended: bool) -> AsyncIterator[Posting]:
    wanted = api.PostingFilter(states=[] if with_ended else ["STATE_OPEN"])
    request = api.ListOffersRequest(parent=parent, filter=wanted, page_size=_PAGE)
    while True:
        page = await client.registry.ListOffers(request)
        for each in page.offers:
            yield each
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def _demands(client: Client, parent: str, with_ended: bool) -> AsyncIterator[Posting]:
    wanted = api.PostingFilter(states=[] if with_ended else ["STATE_OPEN", "STATE_MATCHED"])
    request = api.ListDemandsRequest(parent=parent, filter=wanted, page_size=_PAGE)
    while True:
        page = await client.registry.ListDemands(request)
        for each in page.demands:
            yield each
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _write(output: Path | None, lines: Iterable[str]) -> None:
    try:
        if output is None:
            for line in lines:
                sys.stdout.write(line)
            return
        with output.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(lines)
    except WrongAmount as error:
        raise Refused(f"{error}. {error.mend}") from error
