"""`spareline round`: run a round and watch it, list, show, cancel and verify rounds."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration

from cli.client import Client, Settings, connected, policy_name, round_name
from cli.round_progress import RoundScreen, ended
from cli.round_quality import quality
from cli.running import REFUSED, perform
from cli.screen import JsonOption, complain, moment, money, say, state, table, write_json
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.round_pb2 import Round

app = typer.Typer(help="Rounds: run, watch, list, cancel, verify.", no_args_is_help=True)

RoundArgument = Annotated[str, typer.Argument(metavar="ROUND", help="Its name or id.")]


@app.command()
def run(
    context: typer.Context,
    policy: Annotated[str, typer.Option(help="The active one when left out.")] = "",
    what_if: Annotated[bool, typer.Option("--what-if", help="Propose nothing.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the solver; 0: any.")] = 0,
    time_limit: Annotated[
        int, typer.Option(min=0, max=3600, help="Seconds to solve; 0: the policy's.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Clear the market and follow the round. Ctrl-C asks whether to cancel it."""
    request = api.RunRoundRequest(
        policy=policy_name(policy), what_if=what_if, seed=seed, request_id=str(uuid.uuid4())
    )
    if time_limit:
        request.time_limit.CopyFrom(Duration(seconds=time_limit))
    perform(_run(context.obj, request, as_json))


async def _run(settings: Settings, request: api.RunRoundRequest, as_json: bool) -> int:
    async with connected(settings) as client:
        operation = await client.matching.RunRound(request)
        asked = Round()
        operation.metadata.Unpack(asked)
        name = asked.name or round_name(operation.name.rpartition("/")[2])
        return _told(await _follow(client, name, as_json), as_json)


@app.command("watch")
def watch_round(context: typer.Context, name: RoundArgument, as_json: JsonOption = False) -> None:
    """Follow a running round to its end."""

    async def job() -> int:
        async with connected(context.obj) as client:
            return _told(await _follow(client, round_name(name), as_json), as_json)

    perform(job())


async def _follow(client: Client, name: str, quiet: bool) -> Round:
    """Show a round's progress until it ends; Ctrl-C may cancel it."""
    last = Round()
    with RoundScreen(quiet) as screen:
        while not ended(last):
            last = await _until_interrupted(client, name, screen)
            if ended(last):
                break
            screen.pause()
            question = f"Cancel {name}? It proposes nothing then"
            if await asyncio.to_thread(typer.confirm, question, err=True):
                await client.matching.CancelRound(
                    api.CancelRoundRequest(name=name, request_id=str(uuid.uuid4()))
                )
            screen.resume()
    return last


async def _until_interrupted(client: Client, name: str, screen: RoundScreen) -> Round:
    """The round when it has ended, or as it was when Ctrl-C came."""
    last = Round()
    with screen.interruption() as interrupted:
        stream = client.matching.WatchRound(api.WatchRoundRequest(name=name))
        stop = asyncio.create_task(interrupted.wait())
        try:
            changes = aiter(stream)
            while not ended(last):
                change = asyncio.ensure_future(anext(changes, None))
                await asyncio.wait({change, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not change.done():
                    change.cancel()
                    return last
                found = await change
                if found is None:
                    return await client.matching.GetRound(api.GetRoundRequest(name=name))
                last = found
                screen.show(last)
        finally:
            stop.cancel()
            stream.cancel()
    return last


def _told(last: Round, as_json: bool) -> int:
    if as_json:
        write_json(last)
    else:
        _summary(last)
    return 0 if last.state == Round.STATE_COMPLETED else REFUSED


@app.command("list")
def list_rounds(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    what_if: Annotated[bool, typer.Option("--what-if", help="Also what-if rounds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List rounds, newest first."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.ListRoundsRequest(page_size=limit, include_what_if=what_if)
            found = (await client.matching.ListRounds(request)).rounds
        if as_json:
            for each in found:
                write_json(each)
            return 0
        columns = ("round", "state", "policy", "start", ">proposals", ">served", ">fill", ">gap")
        table("Rounds", columns, [_row(each) for each in found])
        return 0

    perform(job())


@app.command()
def show(context: typer.Context, name: RoundArgument, as_json: JsonOption = False) -> None:
    """Show what a round reached, term by term."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.GetRoundRequest(name=round_name(name))
            found = await client.matching.GetRound(request)
        if as_json:
            write_json(found)
        else:
            _summary(found)
            terms = [(each.name, money(each.value)) for each in found.outcome.terms]
            table("Objective by term", ("term", ">CNY"), terms)
            if terms:  # told to operators only, as is most of the rest
                table("Quality beyond value", ("measure", ">figure"), quality(found.outcome))
        return 0

    perform(job())


@app.command()
def cancel(context: typer.Context, name: RoundArgument) -> None:
    """Stop a running round; it proposes nothing."""

    async def job() -> int:
        request = api.CancelRoundRequest(name=round_name(name), request_id=str(uuid.uuid4()))
        async with connected(context.obj) as client:
            found = await client.matching.CancelRound(request)
        say(f"{found.name} is {state(Round.State.Name(found.state))}.")
        return 0

    perform(job())


@app.command()
def verify(
    context: typer.Context,
    name: RoundArgument,
    replay: Annotated[bool, typer.Option("--replay", help="Also solve it again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a stored round from its stored book and prices, without trusting the solver."""

    async def job() -> int:
        async with connected(context.obj) as client:
            request = api.VerifyRoundRequest(name=round_name(name), replay=replay)
            # Solving again takes as long as the round took, up to an hour.
            found = await client.matching.VerifyRound(request, timeout=3900)
        if as_json:
            write_json(found)
        else:
            rows = [("✓" if c.ok else "✗", c.name, c.detail) for c in found.checks]
            table(f"Verification of {found.round}", ("", "check", "found"), rows)
        if not found.ok:
            complain("The round does not verify.")
            return REFUSED
        return 0

    perform(job())


def _row(found: Round) -> tuple[str, ...]:
    outcome = found.outcome
    return (
        found.name.removeprefix("rounds/"),
        state(Round.State.Name(found.state)) + (" (what-if)" if found.what_if else ""),
        f"{found.policy.removeprefix('policies/')} v{found.policy_version}",
        moment(found.start_time or found.create_time),
        str(outcome.proposals),
        str(outcome.demands_served),
        f"{outcome.fill_permille / 10:.1f} %",
        f"{outcome.gap_ppm / 10_000:.2f} %",
    )


def _summary(found: Round) -> None:
    outcome, size = found.outcome, found.size
    say(f"{found.name}: {state(Round.State.Name(found.state))}. {found.failure}".rstrip())
    if found.state != Round.STATE_COMPLETED:
        return
    say(
        f"  book: {size.offers} offers, {size.demands} demands, {size.pairs} eligible pairs "
        f"in {size.components} parts"
    )
    if size.pairs_left_out:
        say(
            f"  {size.pairs_left_out} of the pairs were not weighed, as the market is dense: "
            "the bound is for the others"
        )
    say(
        f"  served: {outcome.demands_served} demands ({outcome.demands_partly_served} in part), "
        f"fill {outcome.fill_permille / 10:.1f} %, {outcome.offers_used} offers used"
    )
    say(
        f"  worth {money(outcome.objective)} of at most {money(outcome.upper_bound)} CNY "
        f"({outcome.status}, gap {outcome.gap_ppm / 10_000:.4f} %)"
    )
    failed = f", {outcome.proposals_failed} no longer fitted" if outcome.proposals_failed else ""
    say(f"  proposals: {outcome.proposals}{failed}; solved in {outcome.solve_milliseconds} ms")
    say(
        f"  fairness: Gini {outcome.gini_permille / 10:.1f} %, largest share "
        f"{outcome.concentration_permille / 10:.1f} %, {outcome.blocking_pairs} blocking pairs"
    )
