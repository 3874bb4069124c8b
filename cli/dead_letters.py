"""`spareline dead-letters`: events that a consumer gave up, seen, handed over again, or dropped."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from cli.client import Client, Settings, connected
from cli.running import Refused, perform
from cli.screen import JsonOption, moment, say, table, write_json
from services.chassis.paging import pages
from spareline.registry.v1 import dead_letter_service_pb2 as api

app = typer.Typer(help="Dead letters: list, replay, drop; operators only.", no_args_is_help=True)

_PAGE = 200

Letters = Annotated[
    list[str] | None, typer.Argument(help="Their numbers, as the list has them.", metavar="LETTER…")
]
All = Annotated[bool, typer.Option("--all", help="All of them, or all of one consumer.")]
Consumer = Annotated[str, typer.Option(help="Only those of this consumer.")]


@app.command("list")
def list_letters(
    context: typer.Context, consumer: Consumer = "", as_json: JsonOption = False
) -> None:
    """List dead letters, oldest first."""

    async def job() -> int:
        async with connected(context.obj) as client:
            found = [each async for each in _letters(client, consumer)]
        if as_json:
            for each in found:
                write_json(each)
            return 0
        rows = [
            (
                each.name.removeprefix("deadLetters/"),
                each.consumer,
                each.resource or each.subject,
                moment(each.time),
                "" if each.replayable else "drop it",
                each.reason,
            )
            for each in found
        ]
        columns = (">letter", "for", "about", "given up", "", "why")
        table("Dead letters", columns, rows)
        return 0

    perform(job())


@app.command()
def replay(
    context: typer.Context,
    letters: Letters = None,
    everything: All = False,
    consumer: Consumer = "",
) -> None:
    """Hand events to the consumer that gave them up once more; mend the cause first."""

    async def one(client: Client, name: str) -> str:
        request = api.ReplayDeadLetterRequest(name=name, request_id=str(uuid.uuid4()))
        told = await client.dead_letters.ReplayDeadLetter(request)
        return f"{name}: {told.resource or told.subject} goes to {told.consumer} once more."

    chosen = _Chosen(letters or [], everything, consumer, replayable=True)
    perform(_each(context.obj, chosen, one, "There is none to replay."))


@app.command()
def drop(
    context: typer.Context,
    letters: Letters = None,
    everything: All = False,
    consumer: Consumer = "",
) -> None:
    """Throw dead letters away; they cannot be had back."""

    async def one(client: Client, name: str) -> str:
        request = api.DeleteDeadLetterRequest(name=name, request_id=str(uuid.uuid4()))
        await client.dead_letters.DeleteDeadLetter(request)
        return f"{name} is thrown away."

    chosen = _Chosen(letters or [], everything, consumer)
    perform(_each(context.obj, chosen, one, "There is none to drop."))


@dataclass(frozen=True)
class _Chosen:
    """Which letters a command is for."""

    letters: list[str]
    everything: bool
    consumer: str
    replayable: bool = False
    """Without those that can only be dropped."""

    async def names(self, client: Client) -> list[str]:
        """Return their names. Raises Refused when it is not said which."""
        if bool(self.letters) == (self.everything or bool(self.consumer)):
            raise Refused("Name the letters, or give --all or --consumer.")
        if self.letters:
            return [each if "/" in each else f"deadLetters/{each}" for each in self.letters]
        found = [each async for each in _letters(client, self.consumer)]
        return [each.name for each in found if each.replayable or not self.replayable]


async def _each(
    settings: Settings,
    chosen: _Chosen,
    one: Callable[[Client, str], Awaitable[str]],
    none: str,
) -> int:
    """Do something with each of the chosen and say what came of it, or that there are none."""
    async with connected(settings) as client:
        names = await chosen.names(client)
        for name in names:
            say(await one(client, name))
    if not names:
        say(none)
    return 0


async def _letters(client: Client, consumer: str) -> AsyncIterator[api.DeadLetter]:
    request = api.ListDeadLettersRequest(consumer=consumer, page_size=_PAGE)
    async for page in pages(client.dead_letters.ListDeadLetters, request):
        for each in page.dead_letters:
            yield each
