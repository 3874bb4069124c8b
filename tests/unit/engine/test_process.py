"""The solver in a process of its own: a live event loop, cancelling, dying, overrunning."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.matching.engine import (
    InfeasiblePins,
    Options,
    Phase,
    Progress,
    SolverDied,
    SolverProcess,
    Status,
    solve,
)
from tests.unit.engine.markets import middling, small

LONG = Options(deterministic_limit=1000, time_limit_seconds=120)
HARD = {"offers": 60, "demands": 120, "periods": 8}


@pytest_asyncio.fixture
async def process() -> AsyncIterator[SolverProcess]:
    solver = SolverProcess()
    yield solver
    await solver.close()


class Searching:
    """Takes progress, and lets a test wait until the search has begun."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    def __call__(self, step: Progress) -> None:
        if step.phase is Phase.SEARCH:
            self._begun.set()

    async def begun(self) -> None:
        async with asyncio.timeout(60):
            await self._begun.wait()


async def test_answers_as_in_process_and_keeps_the_worker(process: SolverProcess) -> None:
    market, options = middling(2), Options(deterministic_limit=0.2)
    seen: list[Progress] = []
    first = await process.solve(market, options, seen.append)
    pid = process.pid
    second = await process.solve(market, options)
    assert process.pid == pid
    here = solve(market, options)
    assert first.quantity.tobytes() == second.quantity.tobytes() == here.quantity.tobytes()
    assert [seen[0].phase, seen[-1].phase] == ["CUT", "DONE"]


async def test_the_event_loop_stays_live(process: SolverProcess) -> None:
    await process.start()
    task = asyncio.create_task(process.solve(middling(11, **HARD), Options(time_limit_seconds=3)))
    loop, worst = asyncio.get_running_loop(), 0.0
    while not task.done():
        before = loop.time()
        await asyncio.sleep(0.01)
        worst = max(worst, loop.time() - before)
    assert (await task).objective > 0
    assert worst < 1.0


async def test_cancel_hands_in_the_best_so_far(process: SolverProcess) -> None:
    seen = Searching()
    task = asyncio.create_task(process.solve(middling(11, **HARD), LONG, seen))
    await seen.begun()
    process.cancel()
    async with asyncio.timeout(30):
        result = await task
    assert result.status is Status.CANCELLED
    assert result.objective > 0


async def test_cancelling_the_task_stops_the_solve(process: SolverProcess) -> None:
    seen = Searching()
    task = asyncio.create_task(process.solve(middling(11, **HARD), LONG, seen))
    await seen.begun()
    task.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await process.solve(small())).objective == 84


async def test_a_worker_that_dies_is_named_and_replaced(process: SolverProcess) -> None:
    seen = Searching()
    task = asyncio.create_task(process.solve(middling(11, **HARD), LONG, seen))
    await seen.begun()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        with pytest.raises(SolverDied, match="died during the solve"):
            await task
        assert (await process.solve(small())).objective == 84


async def test_a_worker_that_overruns_is_ended() -> None:
    solver = SolverProcess(grace_seconds=0.5)
    await solver.start()
    assert solver.pid is not None
    os.kill(solver.pid, signal.SIGSTOP)
    async with asyncio.timeout(30):
        with pytest.raises(SolverDied, match="overran"):
            await solver.solve(small(), Options(time_limit_seconds=0.5))
    await solver.close()


async def test_errors_of_the_solve_reach_the_caller(process: SolverProcess) -> None:
    with pytest.raises(InfeasiblePins):
        await process.solve(small(pin_x=[6, 7], pin_quantity=[3, 0]))
    assert (await process.solve(small())).objective == 84


async def test_closing_leaves_no_process(process: SolverProcess) -> None:
    await process.start()
    pid = process.pid
    assert pid is not None
    await process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(SolverDied, match="closed"):
        await process.solve(small())
