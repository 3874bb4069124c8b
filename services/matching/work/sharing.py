"""Sharing a solve with workers: large parts go to the queue, and we take from it as they do.

Whoever is free takes the next part, this process among them, so with no worker left the round goes
on alone. When the queue fails us, or time is up, whatever is still out is solved here.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from services.chassis import logs, traces
from services.chassis.work import AWAY, Claim, WorkQueue
from services.matching import metrics
from services.matching.engine.process import Desk
from services.matching.work.ticket import ALL, ANSWERS, OVER, STEPS, Ticket, read_word, word
from services.matching.work.version import durable, engine_version

# A worker that looks for work again is not seen for a moment: we look a few times.
_LOOKS, _LOOK_SECONDS = 3, 0.1
_TAKE_SECONDS = 1.0
_LOOK_EACH_SECONDS = 1.0
# How long answers may be on their way after the time is up.
GRACE_SECONDS = 3.0
_CLEAR_SECONDS = 10.0

_log = logs.get_logger("sharing")


@dataclass(frozen=True)
class _Out:
    """A part that is out: under which names it and its answer lie in the room."""

    unit: str
    answer: str


class Sharing:
    """Shares solves over a work queue."""

    def __init__(self, queue: WorkQueue, least_variables: int) -> None:
        """``least_variables``: smaller parts are not worth the way; 0 shares nothing."""
        self._queue = queue
        self._least = least_variables

    @asynccontextmanager
    async def begin(
        self, name: str, variables: int, seconds: float
    ) -> AsyncIterator[Shared | None]:
        """Share one solve of ``seconds``, or none when it is not worth it or nobody is there.

        ``name`` tells it apart in logs; a market of so many ``variables`` is to be solved. On
        leaving, nothing of it stays in queue and room. One at a time over all processes.
        """
        worth = self._least > 0 and variables >= 2 * self._least
        idle = await self._idle() if worth else 0
        if not idle:
            yield None
            return
        shared = Shared(self._queue, name, 1 + idle, self._least, seconds)
        with traces.span("shared solve", hands=shared.hands):
            async with shared.working():
                yield shared

    async def _idle(self) -> int:
        """How many workers of our version wait for work; none when the queue is away."""
        if not self._queue.connected:
            return 0
        try:
            await self._queue.prepare(durable(), engine_version())
            # One round runs at a time: what is still there is of a process that died.
            await self._queue.withdraw(engine_version(), ">")
            await self._queue.tell(OVER + ALL, word())
            most = 0
            for _ in range(_LOOKS):
                await asyncio.sleep(_LOOK_SECONDS)
                most = max(most, await self._queue.idle(durable()))
        except AWAY as error:
            _log.warning("the work queue is away", error=type(error).__name__)
            return 0
        return most


class Shared:
    """One solve that is shared, as `process.Exchange`."""

    def __init__(
        self, queue: WorkQueue, name: str, hands: int, least_variables: int, seconds: float
    ) -> None:
        self.hands, self.least_variables = hands, least_variables
        self._queue = queue
        self._run = f"{name.rpartition('/')[2]}-{uuid.uuid4().hex[:12]}"
        self._deadline = time.time() + seconds
        self._desk: Desk | None = None
        self._out: dict[int, _Out] = {}
        self._ours: dict[int, asyncio.Event] = {}  # claimed by us; set once solved
        self._laid: list[_Out] = []
        self._sending: asyncio.Queue[tuple[int, bytes, float]] = asyncio.Queue()
        self._came: asyncio.Queue[int] = asyncio.Queue()
        self._wanted = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, desk: Desk) -> None:
        """The solve that may send parts; what comes back is handed in at its desk."""
        self._desk = desk

    def sent(self, index: int, unit: bytes, seconds: float) -> None:
        """Queue a part."""
        name = f"{self._run}/{hashlib.sha256(unit).hexdigest()[:32]}"
        self._out[index] = _Out(name, f"{name}-answer")
        self._sending.put_nowait((index, unit, seconds))

    def asked(self) -> None:
        """The solve is free for a part."""
        self._wanted.set()

    def kept(self, index: int) -> None:
        """The solve has done a part itself."""
        metrics.WORK_UNITS.labels("solved_here").inc()
        self._out.pop(index, None)
        if (solved := self._ours.pop(index, None)) is not None:
            solved.set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Send, take and fetch until the block ends; then clear up."""
        for work in (self._send(), self._take(), self._fetch(), self._look()):
            self._background(work)
        try:
            async with (
                self._queue.heard(ANSWERS + self._run, self._hear_answer),
                self._queue.heard(STEPS + self._run, self._hear_step),
            ):
                yield
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._clear()

    async def _send(self) -> None:
        while True:
            index, unit, seconds = await self._sending.get()
            out = self._out.get(index)
            if out is None:
                continue
            ticket = Ticket(
                self._run,
                index,
                out.unit,
                out.answer,
                engine_version(),
                seconds,
                self._deadline,
                traces.carried(),
            )
            self._laid.append(out)
            try:
                await self._queue.put(out.unit, unit)
                await self._queue.offer(engine_version(), self._name(index), ticket.to_bytes())
            except AWAY as error:
                self._give_back(index, type(error).__name__)
            else:
                metrics.WORK_UNITS.labels("sent").inc()

    async def _take(self) -> None:
        """Take parts of ours while the solve has nothing else to do."""
        while True:
            await self._wanted.wait()
            try:
                async with self._queue.taker(durable()) as taker:
                    while True:
                        await self._wanted.wait()
                        if (claim := await taker.take(_TAKE_SECONDS)) is not None:
                            await self._turn(claim)
            except AWAY as error:
                self._give_all_back(type(error).__name__)
            await asyncio.sleep(_TAKE_SECONDS)

    async def _turn(self, claim: Claim) -> None:
        try:
            ticket = Ticket.from_bytes(claim.data)
        except ValueError:
            await claim.again(_TAKE_SECONDS)  # for a worker, which buries it
            return
        if ticket.run != self._run:
            await claim.again(_TAKE_SECONDS)  # of a solve that another process has begun
            return
        if self._out.pop(ticket.index, None) is None:
            await claim.done()
            return
        self._wanted.clear()
        if claim.attempt > 1:
            metrics.WORK_UNITS.labels("redelivered").inc()
            _log.warning("unit comes back", run=self._run, index=ticket.index, by=claim.attempt)
        solved = self._ours[ticket.index] = asyncio.Event()
        self._background(_hold(claim, solved))
        self._hand_in(ticket.index, None)

    async def _fetch(self) -> None:
        while True:
            index = await self._came.get()
            if (out := self._out.get(index)) is None:
                continue  # told twice, or too late
            with suppress(*AWAY):  # it is looked for again
                answer = await self._queue.get(out.answer)
                if answer is not None and self._out.pop(index, None) is not None:
                    metrics.WORK_UNITS.labels("answered").inc()
                    self._hand_in(index, answer)

    async def _look(self) -> None:
        """Look for answers that nobody told us of, and at the clock."""
        while True:
            await asyncio.sleep(_LOOK_EACH_SECONDS)
            if time.time() > self._deadline + GRACE_SECONDS:
                self._give_all_back("time is up")
            with suppress(*AWAY):
                for index, out in list(self._out.items()):
                    if await self._queue.has(out.answer):
                        self._came.put_nowait(index)

    def _hear_answer(self, _: str, said: bytes) -> None:
        index, ok = read_word(said, "index", "ok")
        assert index is not None
        if ok:
            self._came.put_nowait(index)
        else:
            self._give_back(index, "no worker could solve it")

    def _hear_step(self, _: str, said: bytes) -> None:
        index, value, bound = read_word(said, "index", "value", "bound")
        if index in self._out and value is not None and self._desk is not None:
            self._desk.step(index, value, bound)

    def _give_all_back(self, why: str) -> None:
        for index in list(self._out):
            self._give_back(index, why)

    def _give_back(self, index: int, why: str) -> None:
        """Have the solve do a part itself."""
        if self._out.pop(index, None) is None:
            return
        _log.warning("unit is solved here", run=self._run, index=index, why=why)
        metrics.WORK_UNITS.labels("given_back").inc()
        self._hand_in(index, None)
        self._background(self._withdraw(self._name(index)))

    def _hand_in(self, index: int, answer: bytes | None) -> None:
        assert self._desk is not None
        self._desk.answer(index, answer)

    async def _withdraw(self, names: str) -> None:
        with suppress(*AWAY):
            await self._queue.withdraw(engine_version(), names)

    def _name(self, index: int) -> str:
        return f"{self._run}.{index}"

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("sharing failed", run=self._run, exc_info=error)
            self._give_all_back(type(error).__name__)

    async def _clear(self) -> None:
        """Nobody is to work on for us, and nothing of ours stays."""
        if not self._queue.connected:
            return  # it is forgotten by itself, in some hours
        with suppress(*AWAY):
            async with asyncio.timeout(_CLEAR_SECONDS):
                await self._queue.withdraw(engine_version(), f"{self._run}.>")
                await self._queue.tell(OVER + self._run, word())
                # First the units: who finds his gone takes his answer away again.
                for name in [out.unit for out in self._laid] + [out.answer for out in self._laid]:
                    await self._queue.drop(name)


async def _hold(claim: Claim, solved: asyncio.Event) -> None:
    """Keep a claim for as long as we solve its part."""
    async with claim.working():
        await solved.wait()
    with suppress(*AWAY):
        await claim.done()
