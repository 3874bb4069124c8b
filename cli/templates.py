"""`spareline template`: a file to fill in, with one example row of a capability."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from cli import attribute_text, csv_columns, csv_rows, json_rows
from cli.amounts import WrongAmount
from cli.client import Settings, connected
from cli.files import FileFormat, PostingKind
from cli.rows import Posting
from cli.running import Refused, perform
from cli.screen import hint
from cli.taxonomy import taxonomy
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand, Line, Sourcing, Window
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity


def template(
    context: typer.Context,
    kind: Annotated[PostingKind, typer.Argument(help="offers or demands")],
    capability: Annotated[str, typer.Option(help="Code of the taxonomy.")],
    file_format: Annotated[FileFormat, typer.Option("--format")] = FileFormat.CSV,
) -> None:
    """Write a file with an example row for a capability, and say what the columns mean.

    The file goes to standard output, the meaning of the columns to standard error.
    """
    perform(_template(context.obj, kind, capability, file_format))


async def _template(
    settings: Settings, kind: PostingKind, code: str, file_format: FileFormat
) -> int:
    async with connected(settings, signed_in=False) as client:
        known = await taxonomy(client)
    try:
        capability = known.capability(code)
    except WrongAmount as error:
        raise Refused(f"There is no capability {code}. {error.mend}.") from error
    example = _offer(capability) if kind is PostingKind.OFFERS else _demand(capability)
    lines: Iterable[str]
    if file_format is FileFormat.JSONL:
        lines = json_rows.write([example])
    else:
        lines = csv_rows.write([example], kind.value, known)
    for line in lines:
        sys.stdout.write(line)
    if file_format is FileFormat.CSV:
        _explain(kind, capability)
    return 0


def _offer(capability: Capability) -> Posting:
    offer = Offer(
        name="organizations/my-firm/offers/first",
        capability=capability.code,
        title=capability.display_name.en,
        capacity=[PeriodQuantity(period=week, quantity=40) for week in _weeks()],
        unit_price=10_000,
    )
    for schema in capability.attributes:
        value = attribute_text.read(attribute_text.example(schema), schema)
        offer.attributes[schema.key].CopyFrom(value)
    return offer


def _demand(capability: Capability) -> Posting:
    first, *_, last = _weeks()
    line = Line(
        id="first",
        capability=capability.code,
        quantity=20,
        window=Window(earliest=first, latest=last),
        limit_price=12_000,
        sourcing=Sourcing(max_partners=1),
    )
    for schema in capability.attributes:
        value = attribute_text.read(attribute_text.example(schema), schema)
        line.attributes[schema.key].CopyFrom(value)
    return Demand(
        name="organizations/my-firm/demands/first",
        title=capability.display_name.en,
        lines=[line],
    )


def _weeks() -> list[str]:
    """The next four ISO weeks."""
    monday = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=7)
    days = [monday + datetime.timedelta(weeks=ahead) for ahead in range(4)]
    return [f"{day.isocalendar().year}-W{day.isocalendar().week:02d}" for day in days]


def _explain(kind: PostingKind, capability: Capability) -> None:
    for column in csv_columns.known(kind.value).values():
        hint(f"{column.name}: {column.help}")
    unit = capability.unit
    hint(f"Unit: {unit.display_name.en}, in steps of {unit.resolution}")
    for schema in capability.attributes:
        choices = ", ".join(choice.code for choice in schema.choices)
        told = f": {choices}" if choices else f" in {schema.unit}" if schema.unit else ""
        needed = ", needed in offers" if schema.required_in_offer else ""
        hint(f"{csv_columns.ATTRIBUTE}{schema.key}: {schema.display_name.en}{told}{needed}")
