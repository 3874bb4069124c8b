"""Matching workers as processes: the same answer with them, without them, and when they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.chassis import events
from services.chassis.work import WorkQueue
from services.matching import metrics
from services.matching.engine import Options, Result, SolverProcess, solve
from services.matching.engine.packing import pack_unit
from services.matching.engine.units import Unit
from services.matching.rounds.runner import RoundRunner
from services.matching.work.sharing import Sharing
from services.matching.work.ticket import ANSWERS, STEPS, Ticket
from services.matching.work.version import durable, engine_version
from services.matching.work.worker import Worker
from tests import servers
from tests.unit.engine.markets import middling
from tests.unit.matching import books
from tests.unit.matching.test_rounds import inputs

pytestmark = [pytest.mark.e2e, pytest.mark.thorough]

ACK_SECONDS = 1.0
FIRST = asyncio.FIRST_COMPLETED
# Each of its five parts is searched for a moment, and ends by counted work.
MARKET = middling(2)
OPTIONS = Options(deterministic_limit=0.5, time_limit_seconds=240)


class Place:
    """A bus, the queue on it, a solver of our own, and as many workers as a test starts."""

    def __init__(self, nats: servers.Server, bus: events.Bus, folder: Path) -> None:
        self.nats, self.bus = nats, bus
        self.queue: WorkQueue = bus.work(ACK_SECONDS)
        self.solver = SolverProcess()
        self._folder = folder
        self.workers: list[asyncio.subprocess.Process] = []

    async def start_workers(self, count: int) -> None:
        """Start workers and wait until all of them wait for work."""
        environment = {
            **os.environ,
            "SPARELINE_NATS_URL": self.nats.url,
            "SPARELINE_WORK_ACK_SECONDS": str(ACK_SECONDS),
            "SPARELINE_DRAIN_SECONDS": "1",
        }
        log = (self._folder / "workers.log").open("ab")
        for _ in range(count):
            command = (sys.executable, "-m", "services.matching", "--worker")
            self.workers.append(
                await asyncio.create_subprocess_exec(*command, env=environment, stdout=log)
            )
        await self.queue.prepare(durable(), engine_version())
        await self.until(lambda: self.queue.idle(durable()), count)

    async def until(self, measure: Callable[[], Any], least: int) -> None:
        """Wait until what is measured has come so far."""
        async with asyncio.timeout(90):
            while await measure() < least:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def pending(self) -> int:
        """How many units somebody works on."""
        info = await self.queue._js.consumer_info("WORK", durable())
        return info.num_ack_pending or 0

    async def solve(self) -> Result:
        """Solve the market, shared with whoever is there."""
        begun = Sharing(self.queue, 50).begin("rounds/r1", MARKET.variables, 240)
        async with asyncio.timeout(200), begun as shared:
            return await self.solver.solve(MARKET, OPTIONS, None, shared)

    async def left(self) -> tuple[int, list[str]]:
        """What lies in queue and room."""
        state = (await self.queue._js.stream_info("WORK")).state
        room = await self.queue._js.object_store("WORK")
        with contextlib.suppress(Exception):
            return state.messages, [e.name for e in await room.list(ignore_deletes=True)]
        return state.messages, []

    async def close(self) -> None:
        await self.solver.close()
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with servers.nats_server() as nats, events.connect(nats.url) as bus:
        await bus.ensure_streams()
        made = Place(nats, bus, tmp_path)
        try:
            yield made
        finally:
            await made.close()


@pytest.fixture(scope="module")
def alone() -> Result:
    """What a solve in this process gives."""
    return solve(MARKET, OPTIONS)


def told(result: Result) -> tuple[object, ...]:
    c = result.certificate
    prices = [a.tobytes() for a in (c.slot_price, c.cap_price, c.budget_price)]
    return result.quantity.tobytes(), *prices, c.bound, result.upper_bound, result.reproducible


def count(outcome: str) -> int:
    return int(metrics.WORK_UNITS.labels(outcome)._value.get())


async def test_two_workers_and_none_give_the_same_bytes_and_leave_nothing(
    place: Place, alone: Result
) -> None:
    await place.queue.prepare(durable(), engine_version())
    await place.queue.offer(engine_version(), "run.0", b"left by a process that died")
    assert told(await place.solve()) == told(alone)  # nobody is there
    assert count("sent") == 0
    assert await place.left() == (0, [])
    await place.start_workers(2)
    before = {each: count(each) for each in ("sent", "answered", "solved_here", "given_back")}
    assert told(await place.solve()) == told(alone)
    gained = {each: count(each) - value for each, value in before.items()}
    assert gained["sent"] == 5
    assert gained["answered"] > 0
    assert gained["answered"] + gained["solved_here"] == 5
    assert gained["given_back"] == 0
    assert await place.left() == (0, [])

    # A round over the queue, with every part worth sending.
    async def quiet(_: object) -> None:
        return None

    given, sent = replace(inputs(), book=books.random_book(4, 20, 20)), count("sent")
    runner = RoundRunner(place.solver, Sharing(place.queue, 1))
    shared = await runner.run(given, quiet)
    assert count("sent") == sent + shared.size.components > sent + 1
    runner._sharing = None
    by_itself = await runner.run(given, quiet)
    await runner.close()
    assert shared.drafts == by_itself.drafts
    assert shared.outcome.objective == by_itself.outcome.objective


async def test_a_worker_killed_in_the_middle_of_a_unit_leaves_it_to_others(
    place: Place, alone: Result
) -> None:
    await place.start_workers(1)
    before = count("redelivered")
    solving = asyncio.create_task(place.solve())
    await place.until(place.pending, 1)
    place.workers[0].kill()
    assert told(await solving) == told(alone)
    assert count("redelivered") > before
    assert await place.left() == (0, [])


async def test_when_the_bus_goes_away_the_solve_goes_on_alone(place: Place, alone: Result) -> None:
    await place.start_workers(1)
    solving = asyncio.create_task(place.solve())
    await place.until(place.pending, 1)
    await place.nats.kill()
    before = time.monotonic()
    assert told(await solving) == told(alone)
    assert time.monotonic() - before < 120


async def test_what_no_worker_can_solve_goes_to_the_dead_letters(place: Place) -> None:
    await place.start_workers(1)
    version, heard = engine_version(), asyncio.Queue[bytes]()
    good = pack_unit(Unit(middling(3, 5, 4, 2), 1, 0.1, 0.0, 9.0))

    async def offer(name: str, unit: bytes | None, **changed: Any) -> None:
        if unit is not None:
            await place.queue.put(f"run/{name}", unit)
        answer, deadline = f"run/{name}-answer", time.time() + 60
        fields: dict[str, Any] = {
            "version": version,
            "seconds": 9.0,
            "deadline": deadline,
        } | changed
        ticket = Ticket("run", 4, f"run/{name}", answer, **fields | changed)
        await place.queue.offer(version, f"run.{name}", ticket.to_bytes())

    async with place.queue.heard(f"{ANSWERS}run", lambda _, said: heard.put_nowait(said)):
        await offer("wrong", b"nonsense")
        assert await asyncio.wait_for(heard.get(), 60) == b'{"index":4,"ok":false}'
        letter = await place.queue._js.get_last_msg("MARKET_DEAD", "dead.matching-work")
        assert letter.headers is not None
        assert "UnreadableUnit" in letter.headers["Spareline-Reason"]
        assert letter.headers["Spareline-Subject"] == f"work.unit.{version}.run.wrong"

        await offer("gone", None)  # of a round that has cleared up
        await offer("late", good, deadline=time.time() - 1)
        await offer("other", good, version="another")  # under our subject by mistake
        await offer("right", good)
        assert await asyncio.wait_for(heard.get(), 60) == b'{"index":4,"ok":true}'
        assert await place.queue.has("run/right-answer")
        assert not await place.queue.has("run/late-answer")
        assert not await place.queue.has("run/other-answer")
        assert (await place.left())[0] == 1  # the other version's waits for its worker
    assert heard.empty()
    place.workers[0].terminate()
    assert await asyncio.wait_for(place.workers[0].wait(), 30) == 0


async def test_a_unit_that_kills_every_solver_is_given_up_and_says_so(place: Place) -> None:
    worker = Worker(place.queue, place.solver, place.bus.publisher)
    running = asyncio.create_task(worker.run())
    unit = pack_unit(Unit(MARKET, 1, 1000.0, 0.0, 200.0))
    await place.queue.prepare(durable(), engine_version())
    await place.queue.put("run/bad", unit)
    deadline = time.time() + 100
    ticket = Ticket("run", 0, "run/bad", "run/bad-answer", engine_version(), 99.0, deadline)
    killed, said = set[int](), asyncio.Event()
    async with (
        asyncio.timeout(100),
        place.queue.heard(f"{STEPS}run", lambda _, __: said.set()),
        place.queue.heard(f"{ANSWERS}run", lambda _, __: running.cancel()),
    ):
        await place.queue.offer(engine_version(), "run.0", ticket.to_bytes())
        while not running.done():
            await asyncio.wait({running, asyncio.ensure_future(said.wait())}, return_when=FIRST)
            if said.is_set() and not running.done() and (pid := place.solver.pid) is not None:
                os.kill(pid, signal.SIGKILL)  # in the middle of the search
                killed.add(pid)
                said.clear()
    assert len(killed) == 3
    letter = await place.queue._js.get_last_msg("MARKET_DEAD", "dead.matching-work")
    assert letter.headers is not None
    assert "SolverDied" in letter.headers["Spareline-Reason"]
    assert (await place.left())[0] == 0
