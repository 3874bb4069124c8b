"""`spareline template`: a file to fill in, with one example row of a capability."""

from __future__ import annotations

import datetime
import sys
from typing import Annotated

import typer

from cli.client import Settings, connected
from cli.files import FileFormat, PostingKind
from cli.running import Refused, perform
from cli.screen import hint
from cli.taxonomy import taxonomy
from services.files import columns, examples, exports, json_rows
from services.files.wording import WrongCell
from spareline.market.v1.capability_pb2 import Capability


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
    except WrongCell as error:
        raise Refused(f"There is no capability {code}. {error.mend}.") from error
    today = datetime.datetime.now(datetime.UTC).date()
    name = f"organizations/my-firm/{kind.value}/first"
    make = examples.offer if kind is PostingKind.OFFERS else examples.demand
    example = make(capability, today, name)
    if file_format is FileFormat.XLSX:
        sys.stdout.buffer.write(exports.workbook([example], known))
    elif file_format is FileFormat.JSONL:
        sys.stdout.writelines(json_rows.write([example]))
    else:
        sys.stdout.writelines(exports.csv_lines(exports.table([example], kind.value, known)))
    if file_format is not FileFormat.JSONL:
        _explain(kind, capability)
    return 0


def _explain(kind: PostingKind, capability: Capability) -> None:
    for column in columns.known(kind.value).values():
        hint(f"{column.name}: {column.help}")
    unit = capability.unit
    hint(f"Unit: {unit.display_name.en}, in steps of {unit.resolution}")
    for schema in capability.attributes:
        choices = ", ".join(choice.code for choice in schema.choices)
        told = f": {choices}" if choices else f" in {schema.unit}" if schema.unit else ""
        needed = ", needed in offers" if schema.required_in_offer else ""
        hint(f"{columns.ATTRIBUTE}{schema.key}: {schema.display_name.en}{told}{needed}")
