"""`spareline dead-letters`: events that a consumer gave up, seen, handed over again, or dropped."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from cli.client import Client, connected
from cli.running import Refused, perform
from cli.screen import JsonOption, moment, say, table, write_json
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

    async def job() -> int:
        async with connected(context.obj) as client:
            names = await _chosen(client, letters or [], everything, consumer, replayable=True)
            for name in names:
                request = api.ReplayDeadLetterRequest(name=name, request_id=str(uuid.uuid4()))
                told = await client.dead_letters.ReplayDeadLetter(request)
                say(f"{name}: {told.resource or told.subject} goes to {told.consumer} once more.")
        if not names:
            say("There is none to replay.")
        return 0

    perform(job())


@app.command()
def drop(
    context: typer.Context,
    letters: Letters = None,
    everything: All = False,
    consumer: Consumer = "",
) -> None:
    """Throw dead letters away; they cannot be had back."""

    async def job() -> int:
        async with connected(context.obj) as client:
            names = await _chosen(client, letters or [], everything, consumer, replayable=False)
            for name in names:
                request = api.DeleteDeadLetterRequest(name=name, request_id=str(uuid.uuid4()))
                await client.dead_letters.DeleteDeadLetter(request)
                say(f"{name} is thrown away.")
        if not names:
            say("There is none to drop.")
        return 0

    perform(job())


async def _chosen(
    client: Client, letters: list[str], everything: bool, consumer: str, *, replayable: bool
) -> list[str]:
    """Return the names of those that are meant. Raises Refused when it is not said which."""
    if bool(letters) == (everything or bool(consumer)):
        raise Refused("Name the letters, or give --all or --consumer.")
    if letters:
        return [each if "/" in each else f"deadLetters/{each}" for each in letters]
    found = [each async for each in _letters(client, consumer)]
    return [each.name for each in found if each.replayable or not replayable]


async def _letters(client: Client, consumer: str) -> AsyncIterator[api.DeadLetter]:
    token = ""
    while True:
        request = api.ListDeadLettersRequest(consumer=consumer, page_size=_PAGE, page_token=token)
        answer = await client.dead_letters.ListDeadLetters(request)
        for each in answer.dead_letters:
            yield each
        token = answer.next_page_token
        if not token:
            return
