"""A round of several large parts, solved alone and with matching workers over a real NATS server.

`python -m benchmarks.workers --parts 8 --demands 1000 --workers 1,2`: a row per number of workers,
and one without any, as JSON Lines in artifacts/, and a table at the end. Workers are processes of
their own (`python -m services.matching --worker`) on this machine, so its cores bound the speed-up;
the process that runs the round solves too, while it waits. *longest_cpu* is the processor time of
the process that solved longest: with a core for every process, the solve takes so long. *cpu_ratio*
compares that, and so shows the speed-up on a machine that others use too. *Digest* is over the
assignment and the prices: it must be the same in every row.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.markets.book import draw
from benchmarks.markets.problem import eligible, market_of
from benchmarks.markets.side_by_side import side_by_side
from deploy.local import broker
from deploy.local.free_ports import free_ports
from services.chassis import events
from services.chassis.work import WorkQueue
from services.matching import metrics
from services.matching.engine import Market, Options, Progress, Result, SolverProcess, verify
from services.matching.work.sharing import Sharing
from services.matching.work.version import durable, engine_version

Row = dict[str, str | int | float]

RESULTS = Path("artifacts") / "benchmarks" / "workers.jsonl"
COLUMNS = (
    *("workers", "seconds", "ratio", "longest_cpu", "all_cpu", "cpu_ratio"),
    *("sent", "answered", "solved_here", "load", "digest"),
)
ACK_SECONDS = 10.0
START_SECONDS = 120.0
console = Console(stderr=True)


@asynccontextmanager
async def nats_server(folder: Path) -> AsyncIterator[str]:
    """A NATS server with JetStream on a free port; its address."""
    [port] = free_ports(1)
    broker.write_config(folder, folder / "data", port)
    log = (folder / "nats.log").open("wb")
    process = await asyncio.create_subprocess_exec(*broker.command(folder), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    await broker.answers("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def workers(count: int, url: str, queue: WorkQueue, folder: Path) -> AsyncIterator[list[int]]:
    """So many workers, all of them waiting for work; their process ids."""
    environment = {**os.environ, "SPARELINE_NATS_URL": url, "SPARELINE_DRAIN_SECONDS": "1"}
    log = (folder / "workers.log").open("ab")
    command = (sys.executable, "-m", "services.matching", "--worker")
    started = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
        for _ in range(count)
    ]
    try:
        await queue.prepare(durable(), engine_version())
        async with asyncio.timeout(START_SECONDS):
            while await queue.idle(durable()) < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            await process.wait()


class Show:
    """Prints progress when a second has passed."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, step: Progress) -> None:
        """Take one step."""
        if step.seconds - self._last < 1.0:
            return
        self._last = step.seconds
        console.print(
            f"  {step.seconds:6.1f} s  value {step.value:,}  parts done"
            f" {step.components_done}/{step.components}",
            highlight=False,
        )


def digest(result: Result) -> str:
    """Of the assignment and of the prices that prove its bound."""
    prices = result.certificate
    told = hashlib.sha256(result.quantity.tobytes())
    for field in fields(prices):
        if isinstance(array := getattr(prices, field.name), np.ndarray):
            told.update(array.tobytes())
    told.update(f"{prices.bound} {result.upper_bound}".encode())
    return told.hexdigest()[:16]


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process and its children so far."""
    process = psutil.Process(pid)
    each = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(times.user + times.system for times in each))


def units(outcome: str) -> int:
    """Units with this outcome so far."""
    return int(metrics.WORK_UNITS.labels(outcome)._value.get())


async def measure(
    market: Market,
    options: Options,
    count: int,
    least: int,
    solver: SolverProcess,
    url: str,
    folder: Path,
) -> Row:
    """The market solved with so many workers."""
    units_before = {each: units(each) for each in ("sent", "answered", "solved_here")}
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(events.connect(url))
        await bus.ensure_streams()
        queue = bus.work(ACK_SECONDS)
        pids = await stack.enter_async_context(workers(count, url, queue, folder))
        pids.append(solver.pid or 0)
        worked = [cpu_seconds(pid) for pid in pids]
        load, started = os.getloadavg()[0], time.perf_counter()
        sharing = Sharing(queue, least)
        limit = options.time_limit_seconds
        async with sharing.begin("rounds/bench", market.variables, limit) as shared:
            result = await solver.solve(market, options, Show(), shared)
            seconds = time.perf_counter() - started
        spent = [cpu_seconds(pid) - before for pid, before in zip(pids, worked, strict=True)]
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    if not verdict.ok:
        raise RuntimeError(f"the answer does not verify: {verdict.message}")
    return {
        "workers": count,
        "seconds": round(seconds, 2),
        "longest_cpu": round(max(spent), 2),
        "all_cpu": round(sum(spent), 2),
        **{each: units(each) - value for each, value in units_before.items()},
        "objective": result.objective,
        "gap": round(result.gap, 5),
        "reproducible": int(result.reproducible),
        "digest": digest(result),
        "load": round(load, 1),
        "components": result.components,
        "variables": market.variables,
    }


async def run(
    market: Market, options: Options, counts: list[int], least: int, out: Path
) -> list[Row]:
    """A row for each number of workers, the solve alone first."""
    rows: list[Row] = []
    solver = SolverProcess()
    with tempfile.TemporaryDirectory(prefix="spareline-") as name, out.open("w") as file:
        folder = Path(name)
        async with nats_server(folder) as url:
            try:
                await solver.start()
                for count in [0, *counts]:
                    console.print(f"{count} workers")
                    row = await measure(market, options, count, least, solver, url, folder)
                    for column, ratio in (("seconds", "ratio"), ("longest_cpu", "cpu_ratio")):
                        alone = float((rows or [row])[0][column])
                        row[ratio] = round(alone / float(row[column]), 2)
                    rows.append(row)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
            finally:
                await solver.close()
    return rows


def main(
    parts: Annotated[int, typer.Option(help="markets side by side, which share nothing")] = 8,
    demands: Annotated[int, typer.Option(help="demands, and as many offers, of each")] = 1000,
    counts: Annotated[str, typer.Option("--workers", help="numbers of workers, by comma")] = "1,2",
    seed: Annotated[int, typer.Option(help="seed of the first market")] = 1,
    seconds: Annotated[float, typer.Option(help="time limit of a solve")] = 600.0,
    work: Annotated[float, typer.Option(help="deterministic limit of a solve")] = 8.0,
    least: Annotated[int, typer.Option(help="variables from which on a part is sent")] = 500,
    out: Annotated[Path, typer.Option(help="JSON Lines")] = RESULTS,
) -> None:
    """Measure what workers bring, and that they change nothing."""
    numbers = [int(each) for each in counts.split(",") if each.strip()]
    console.print(f"drawing {parts} markets of {demands:,} demands")
    books = [draw(demands, demands, seed + at) for at in range(parts)]
    market = side_by_side([market_of(book, eligible(book)) for book in books])
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = asyncio.run(run(market, Options(seed, seconds, work), numbers, least, out))
    table = Table(*COLUMNS, title=f"{market.variables:,} variables, {os.cpu_count()} cores")
    for row in rows:
        table.add_row(*(str(row[column]) for column in COLUMNS))
    Console(width=max(120, console.width)).print(table)
    if len({row["digest"] for row in rows}) > 1:
        console.print("The answers differ.", style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
