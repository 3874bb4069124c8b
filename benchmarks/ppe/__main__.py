"""`make replay-ppe`: the 2020 protective-equipment data against the running market."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console

from benchmarks.ppe import policy, results
from benchmarks.ppe.beside import end, give_way
from benchmarks.ppe.clearing import ReplayFailed
from benchmarks.ppe.data import Data, load, sites
from benchmarks.ppe.decisions import as_frame
from benchmarks.ppe.market import Access, opened
from benchmarks.ppe.published import STRATEGIES, Metrics, metrics_of, run_strategy_on_file
from benchmarks.ppe.replay import Replay, Result
from deploy.local.stack import Stack
from services.chassis.grpc_errors import from_rpc_error
from spareline.matching.v1.policy_pb2 import Policy

_ALL_WEEKS = 99
_SELDOM_SECONDS = 10.0


@dataclass(frozen=True)
class _Options:
    weeks: int
    radius_miles: float
    per_request: int
    emergency: Policy
    artifacts: Path
    own_stack: bool
    access: Access


def main(
    weeks: Annotated[int, typer.Option(min=1, help="Only the first weeks.")] = _ALL_WEEKS,
    own_stack: Annotated[
        bool, typer.Option("--own-stack", help="Start a market of its own for the replay.")
    ] = False,
    registry: Annotated[str, typer.Option(envvar="SPARELINE_REGISTRY_ADDRESS")] = "127.0.0.1:7101",
    matching: Annotated[str, typer.Option(envvar="SPARELINE_MATCHING_ADDRESS")] = "127.0.0.1:7102",
    operator_email: Annotated[
        str, typer.Option(envvar="SPARELINE_OPERATOR_EMAIL")
    ] = "operator@spareline.example",
    var: Annotated[
        Path, typer.Option(envvar="SPARELINE_VAR", help="Where the operator's password lies.")
    ] = Path("var"),
    radius_miles: Annotated[
        float, typer.Option(min=1, help="How far from a request a donor may be.")
    ] = 100.0,
    per_request: Annotated[
        int, typer.Option(min=1, help="Worth of a request served whole, in fen.")
    ] = 100_000_000,
    per_item_mile: Annotated[
        int, typer.Option(min=0, help="Price of moving an item a mile, in fen.")
    ] = 20_000,
    per_shipment: Annotated[int, typer.Option(min=0, help="Penalty of a shipment, in fen.")] = 0,
    round_seconds: Annotated[
        int, typer.Option(min=1, max=600, help="Longest time to solve a week.")
    ] = 15,
    artifacts: Annotated[Path, typer.Option(help="Where the results go.")] = Path("artifacts"),
) -> None:
    """Replay real donations and requests week by week, and compare with published strategies."""
    emergency = policy.emergency(
        per_item_mile=per_item_mile,
        per_shipment=per_shipment,
        seconds=round_seconds,
    )
    password = os.environ.get("SPARELINE_OPERATOR_PASSWORD") or _kept_password(var)
    access = Access(registry, matching, operator_email, password)
    options = _Options(weeks, radius_miles, per_request, emergency, artifacts, own_stack, access)
    console = Console(highlight=False)
    try:
        asyncio.run(_run(console, options))
    except grpc.aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            console.print(f"[red]✗[/] No market answers at {registry} and {matching}.")
            console.print("  Start one with `make run`, or let the replay do it with --own-stack.")
            raise typer.Exit(3) from error
        console.print(f"✗ {from_rpc_error(error).message}", style="red", markup=False)
        raise typer.Exit(1) from error
    except (ReplayFailed, LookupError, RuntimeError) as error:
        console.print(f"✗ {error}", style="red", markup=False)
        raise typer.Exit(1) from error


def _kept_password(var: Path) -> str:
    file = var / "secrets" / "operator-password"
    return file.read_text().strip() if file.exists() else ""


async def _run(console: Console, options: _Options) -> None:
    started = time.monotonic()
    async with AsyncExitStack() as exits:
        access = options.access
        if options.own_stack:
            access = await exits.enter_async_context(_own(console))
        if not access.operator_password:
            raise ReplayFailed(
                "The operator's password is not known: set SPARELINE_OPERATOR_PASSWORD, "
                "or say --var for the market's data directory."
            )
        # Before the long part, so that a market that is away is told at once.
        market = await exits.enter_async_context(opened(access))
        status = exits.enter_context(console.status("reading the data"))
        data = await asyncio.to_thread(load)
        weeks = list(data.weeks())[: options.weeks]
        if options.weeks < _ALL_WEEKS:
            data = data.until(options.weeks)
        # A fresh process, not a fork: gRPC's threads do not survive a fork.
        pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=give_way)
        exits.callback(end, pool)
        published = [pool.submit(run_strategy_on_file, name, options.weeks) for name in STRATEGIES]
        status.update("recovering coordinates from the distances")
        places = await asyncio.to_thread(sites, data.distances)
        console.print(results.residual_line(places.residual))
        tell = status.update if console.is_terminal else _Seldom(console)
        replay = Replay(market, data, places, options.radius_miles, options.per_request, tell)
        result = await replay.run(
            options.emergency,
            weeks,
            lambda week: console.print(results.week_line(week), soft_wrap=True),
        )
        seconds = time.monotonic() - started
        status.update("waiting for the published strategies")
        metrics = await _metrics(data, result, published)
    results.show(console, metrics, result, seconds)
    file = results.write(
        options.artifacts, metrics, result, places.residual, _settings(options), seconds
    )
    console.print(f"Results: {file}", soft_wrap=True)
    if result.ledger.breaches:
        raise ReplayFailed("The ledger's invariant is broken.")


class _Seldom:
    """Progress where no line can be rewritten: one line in ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = 0.0

    def __call__(self, text: str) -> None:
        if time.monotonic() - self._last > _SELDOM_SECONDS:
            self._last = time.monotonic()
            self._console.print(f"  {text} …", markup=False, soft_wrap=True)


async def _metrics(data: Data, result: Result, published: list[Future[Metrics]]) -> list[Metrics]:
    decisions = as_frame(result.decisions, data.distances)
    ours = await asyncio.to_thread(metrics_of, results.OURS, data, decisions)
    return [ours, *[await asyncio.wrap_future(each) for each in published]]


def _settings(options: _Options) -> dict[str, Any]:
    emergency = options.emergency
    return {
        "weeks": options.weeks if options.weeks < _ALL_WEEKS else "all",
        "radius_miles": options.radius_miles,
        "worth_of_a_request": options.per_request,
        "locality_per_tick_1000km": emergency.locality_per_tick_1000km,
        "partner_penalty": emergency.partner_penalty,
        "time_limit_seconds": emergency.time_limit.seconds,
    }


@asynccontextmanager
async def _own(console: Console) -> AsyncIterator[Access]:
    """A market of its own in a temporary folder, gone with all its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="spareline-ppe-") as folder:
        async with Stack(Path(folder), report=console.print) as stack:
            yield Access(
                stack.registry_address,
                stack.matching_address,
                stack.settings.operator_email,
                stack.credentials.operator_password,
            )


if __name__ == "__main__":
    typer.run(main)
