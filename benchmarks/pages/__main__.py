"""Page times of the gateway with many readers at once, on a small and on a large market.

`python -m benchmarks.pages --times 1,100 --users 20`: for each size a market of its own is started,
the sample loaded, a round cleared, and copies of the sample posted until there are so many. Then so
many signed-in people (owners of firms, the partner platform, the operator) read every page that
links lead to, at once, each waiting a while before the next page. A row per route as JSON Lines in
artifacts/, and a table: median and 95th percentile in milliseconds to the last byte, the ratio of
the medians, and the weight in KB of the heaviest page with all its files, as sent over the wire on
a first visit. Files come as they are made, so their times to the first byte are told too. The
readers share the machine with the market. With `--keep` a market is loaded once, for many runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.pages import copies
from benchmarks.pages.visits import Known, Reader, Visit, browse, explore
from deploy import sample
from deploy.local.first_round import describe
from deploy.local.operator import Operator, operator
from deploy.local.stack import Stack
from deploy.sample import access
from services.chassis.grpc_client import channel
from spareline.matching.v1 import matching_service_pb2 as matching
from spareline.matching.v1 import round_pb2
from spareline.registry.v1 import identity_service_pb2_grpc, registry_service_pb2_grpc

Row = dict[str, str | int | float]

RESULTS = Path("artifacts") / "benchmarks" / "pages.jsonl"
_BOOK_SECONDS = 600.0
_ADDRESSES = 8
_LOADED = "loaded.json"
console = Console(stderr=True)


def main(
    times: Annotated[str, typer.Option(help="Sizes in samples, by comma.")] = "1,100",
    users: Annotated[int, typer.Option(min=1, help="People who read at once.")] = 20,
    visits: Annotated[int, typer.Option(min=1, help="Visits to each route.")] = 60,
    think: Annotated[float, typer.Option(min=0, help="Mean seconds between two pages.")] = 1.0,
    round_seconds: Annotated[int, typer.Option(min=1, help="Longest time of a solve.")] = 60,
    seed: int = 1,
    out: Annotated[Path, typer.Option(help="JSON Lines, a row per size and route.")] = RESULTS,
    keep: Annotated[Path | None, typer.Option(help="Folder in which markets are kept.")] = None,
) -> None:
    """Measure how fast pages are, and how that changes with the market's size."""
    out.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with out.open("w") as file:
        for size in map(int, times.split(",")):
            with ExitStack() as exits:
                folder = keep / str(size) if keep else _temporary(exits)
                for row in asyncio.run(
                    _size(folder, size, users, visits, think, round_seconds, seed)
                ):
                    rows.append(row)
                    file.write(json.dumps(row) + "\n")
            file.flush()
    Console().print(_table(rows))
    for row in rows:
        if str(row["route"]).endswith(".csv"):
            times = f"{row['first_median_ms']:,} ms at the median, {row['first_p95_ms']:,} at 95 %"
            console.print(f"×{row['samples']} {row['route']}: first byte after {times}")


def _temporary(exits: ExitStack) -> Path:
    return Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="spareline-pages-")))


async def _size(
    folder: Path,
    size: int,
    users: int,
    visits: int,
    think: float,
    round_seconds: int,
    seed: int,
) -> list[Row]:
    """A row per route on a market of this size."""
    loaded = folder / _LOADED
    async with Stack(folder) as stack, AsyncExitStack() as exits:
        if not loaded.exists():
            loaded.write_text(json.dumps(await _market(stack, size, round_seconds)))
        people = [(each, _password(stack, each)) for each in json.loads(loaded.read_text())]
        signed_in = []
        known: dict[str, Known] = {}
        for number in range(users):
            email, password = people[number % len(people)]
            reader = await exits.enter_async_context(Reader(stack.gateway_url))
            await reader.sign_in(email, password)
            if email not in known:
                known[email] = await explore(reader, ["/"], _ADDRESSES)
                for broken in known[email].broken:
                    console.print(f"  [yellow]{email}: {broken}[/]")
            signed_in.append((reader, known[email]))
        await browse(signed_in, 2, 0.0, seed)  # connections, caches
        console.print(f"{size} samples: {users} people read")
        started, load = time.perf_counter(), os.getloadavg()[0]
        done = await browse(signed_in, visits, think, seed)
        spent = time.perf_counter() - started
    rows = _rows(size, done, list(known.values()))
    console.print(f"  {len(done) / spent:.1f} pages/s, load {load:.1f} before")
    return rows


def _password(stack: Stack, email: str) -> str:
    secrets = stack.credentials
    operator = email == stack.settings.operator_email
    return secrets.operator_password if operator else secrets.demo_password


async def _market(stack: Stack, size: int, round_seconds: int) -> list[str]:
    """Load the sample so many times and clear a round; returns who can sign in."""

    def progress(what: str, done: int, total: int) -> None:
        if done == total or done % 5000 == 0:
            console.print(f"  {what} {done} of {total}", highlight=False)

    email = stack.settings.operator_email
    secrets = stack.credentials
    addresses = stack.registry_address, stack.matching_address
    async with operator(*addresses, email, secrets.operator_password) as acting:
        policy = await acting.matching.GetPolicy(matching.GetPolicyRequest())
        policy.ClearField("debounce")  # no round but the one below
        policy.time_limit.FromSeconds(round_seconds)
        await acting.matching.UpdatePolicy(matching.UpdatePolicyRequest(policy=policy))
        report = await sample.load(
            *addresses, email, secrets.operator_password, secrets.demo_password, progress
        )
        await _in_book(acting, report.offers, report.demands)
        name, phase = await acting.run_round("00000000-0000-4000-8000-000000000001"), ""
        async for ended in acting.follow_round(name):
            if ended.progress.phase != phase:
                phase = ended.progress.phase
                console.print(f"  {describe(ended.progress)}", highlight=False)
        if ended.state != round_pb2.Round.STATE_COMPLETED:
            raise RuntimeError(f"the round did not complete: {ended.failure}")
        async with channel(stack.registry_address) as anonymous:
            identity = identity_service_pb2_grpc.IdentityServiceStub(anonymous)
            session = access.with_key(identity, report.api_key)
            async with channel(stack.registry_address, token=session.token) as opened:
                platform = registry_service_pb2_grpc.RegistryServiceStub(opened)
                await copies.post(platform, size, progress)
        await _in_book(acting, size * report.offers, (size - 1) * report.demands)
    return [*(each.email for each in (*report.showcase, report.platform)), email]


async def _in_book(acting: Operator, offers: int, demands: int) -> None:
    """Wait until matching knows of so many; what a round has matched is in the book no more."""
    async with asyncio.timeout(_BOOK_SECONDS):
        while True:
            book = await acting.book()
            if book.current and book.offers >= offers and book.demands >= demands:
                console.print(f"  book: {book.offers} offers, {book.demands} demands")
                return
            await asyncio.sleep(1.0)


def _rows(size: int, done: list[Visit], known: list[Known]) -> list[Row]:
    rows: list[Row] = []
    for route in sorted({visit.route for visit in done}):
        times, first = (
            np.array([getattr(visit, what) for visit in done if visit.route == route]) * 1000
            for what in ("seconds", "first_seconds")
        )
        rows.append(
            {
                "samples": size,
                "route": route,
                "visits": len(times),
                "median_ms": round(float(np.median(times)), 1),
                "p95_ms": round(float(np.percentile(times, 95)), 1),
                "first_median_ms": round(float(np.median(first)), 1),
                "first_p95_ms": round(float(np.percentile(first, 95)), 1),
                "faults": sum(v.status != 200 for v in done if v.route == route),
                "kilobytes": round(max(each.weight.get(route, 0) for each in known) / 1000, 1),
            }
        )
    return rows


def _table(rows: list[Row]) -> Table:
    sizes = sorted({int(row["samples"]) for row in rows})
    by_key = {(row["route"], row["samples"]): row for row in rows}
    table = Table("route", title="Page times in milliseconds")
    for size in sizes:
        table.add_column(f"×{size} median", justify="right")
        table.add_column("95 %", justify="right")
    for name in ("ratio", "KB", "faults"):
        table.add_column(name, justify="right")
    for route in dict.fromkeys(str(row["route"]) for row in rows):
        found = [by_key[route, size] for size in sizes if (route, size) in by_key]
        cells = [f"{row[key]:,}" for row in found for key in ("median_ms", "p95_ms")]
        cells += [""] * (2 * len(sizes) - len(cells))
        ratio = float(found[-1]["median_ms"]) / float(found[0]["median_ms"])
        weight = max(float(row["kilobytes"]) for row in found)
        faults = sum(int(row["faults"]) for row in found)
        table.add_row(route, *cells, f"{ratio:.2f}", f"{weight:.0f}", str(faults))
    return table


if __name__ == "__main__":
    typer.run(main)
