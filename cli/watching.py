"""`spareline watch`: follow proposals as they change, and go on after any interruption."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import grpc
import typer

from cli.client import Client, connected
from cli.running import perform
from cli.screen import JsonOption, hint, money, say, state, write_json
from services.chassis.errors import Unavailable
from services.chassis.grpc_errors import from_rpc_error
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.proposal_pb2 import Proposal

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0


def watch(
    context: typer.Context,
    party: Annotated[str, typer.Option(help="Your own organization when left out.")] = "",
    keep: Annotated[
        Path | None,
        typer.Option(help="A file that remembers how far you have seen; a later watch goes on."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow proposals: those that are there, then every change. Ctrl-C ends it."""

    async def job() -> int:
        async with connected(context.obj) as client:
            await _watch(client, await client.party(party), keep, as_json)
        return 0

    perform(job())


async def _watch(client: Client, party: str, keep: Path | None, as_json: bool) -> None:
    """Follow for ever; a break of the line is waited out."""
    token = _kept(keep)
    pause = _FIRST_PAUSE
    while True:
        try:
            request = api.WatchProposalsRequest(party=party, resume_token=token)
            async for change in client.matching.WatchProposals(request):
                pause = _FIRST_PAUSE
                if change.HasField("proposal"):
                    _show(change.proposal, as_json)
                if change.resume_token:
                    token = change.resume_token
                    _keep(keep, token)
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            if not isinstance(refusal, Unavailable):
                raise
            hint(f"The line broke ({refusal.message}); trying again in {pause:.0f} s.")
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _kept(file: Path | None) -> str:
    return file.read_text().strip() if file is not None and file.exists() else ""


def _keep(file: Path | None, token: str) -> None:
    if file is not None:
        file.write_text(token)


def _show(found: Proposal, as_json: bool) -> None:
    if as_json:
        write_json(found)
        return
    last = found.history[-1].event if found.history else ""
    standing = state(Proposal.State.Name(found.state))
    event = f" ({last})" if last and last != standing else ""
    say(f"{found.name}  {standing}{event}  {found.title}  {money(found.total_price)} CNY")
