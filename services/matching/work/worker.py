"""A matching worker: takes parts of rounds from the queue, solves them, lays the answers ready.

A unit is acknowledged after its answer is stored, so a worker that dies leaves it to the next. A
unit that does not come to an end is given up after some deliveries and goes to the dead letters;
the round then solves that part itself.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from services.chassis import logs, traces
from services.chassis.delivery import DeadLetters
from services.chassis.work import AWAY, Claim, Taker, WorkQueue
from services.matching import metrics
from services.matching.engine import InfeasiblePins, Progress, SolverDied, SolverProcess
from services.matching.engine.packing import UnreadableUnit
from services.matching.work.ticket import ALL, ANSWERS, MOST_DELIVERIES, OVER, STEPS, Ticket, word
from services.matching.work.version import durable, engine_version

DEAD = "dead.matching-work"
_WAIT_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 5.0
_TELL_SECONDS = 0.5
_RETRY_SECONDS = 1.0

_log = logs.get_logger("worker")


class Worker:
    """Takes one unit at a time; run several workers on a machine of several cores."""

    def __init__(self, queue: WorkQueue, solver: SolverProcess, dead: DeadLetters) -> None:
        self._queue = queue
        self._solver = solver
        self._dead = dead
        self._run = ""  # of the unit at hand
        self._over = False
        self._taking = False

    async def check(self) -> None:
        """Raise while nothing could be taken (for a readiness probe)."""
        if not (self._taking and self._queue.connected):
            raise ConnectionError("the work queue is away")

    async def run(self) -> None:
        """Take and solve for ever; spawn it in the app."""
        pause = 0.2
        while True:
            try:
                await self._queue.prepare(durable(), engine_version())
                async with (
                    self._queue.taker(durable()) as taker,
                    self._queue.heard(f"{OVER}*", self._hear),
                ):
                    self._taking, pause = True, 0.2
                    while True:
                        await self._take(taker)
            except AWAY as error:
                _log.warning("the work queue is away", error=type(error).__name__)
            finally:
                self._taking = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _take(self, taker: Taker) -> None:
        claim = await taker.take(_WAIT_SECONDS)
        if claim is None:
            return
        try:
            async with claim.working():
                await self._handle(claim)
        except asyncio.CancelledError:
            with suppress(*AWAY):  # we are told to end: the next worker has it at once
                await claim.again()
            raise

    async def _handle(self, claim: Claim) -> None:
        if claim.attempt > 1:
            metrics.WORK_UNITS.labels("redelivered").inc()
        try:
            ticket = Ticket.from_bytes(claim.data)
        except ValueError as error:
            await self._bury(claim, None, f"unreadable: {error}")
            return
        if ticket.version != engine_version():
            await claim.again(_RETRY_SECONDS)  # for a worker of that version
            return
        if claim.attempt > MOST_DELIVERIES:
            await self._bury(claim, ticket, f"delivered {claim.attempt} times")
            return
        if time.time() >= ticket.deadline:
            await self._drop(claim)
            return
        started = time.monotonic()
        with traces.span("solve unit", ticket.trace, index=ticket.index, attempt=claim.attempt):
            await self._solve(claim, ticket)
        metrics.WORK_SECONDS.observe(time.monotonic() - started)

    async def _solve(self, claim: Claim, ticket: Ticket) -> None:
        self._run, self._over = ticket.run, False
        try:
            unit = await self._queue.get(ticket.unit)
            if unit is None or self._over:
                await self._drop(claim)  # the round has ended, and cleared it away
                return
            answer = await self._answer(unit, ticket)
            if self._over:
                await self._drop(claim)
                return
            await self._lay_ready(claim, ticket, answer)
        except (UnreadableUnit, InfeasiblePins) as error:
            await self._bury(claim, ticket, f"{type(error).__name__}: {error}")
        except (SolverDied, RuntimeError, MemoryError) as error:
            if claim.attempt >= MOST_DELIVERIES:
                await self._bury(claim, ticket, f"{type(error).__name__}: {error}")
                return
            _log.warning("unit failed", run=ticket.run, index=ticket.index, exc_info=error)
            metrics.WORK_UNITS.labels("retried").inc()
            await claim.again(_RETRY_SECONDS)
        finally:
            self._run = ""

    async def _answer(self, unit: bytes, ticket: Ticket) -> bytes:
        seconds = max(0.1, min(ticket.seconds, ticket.deadline - time.time()))
        told, telling = 0.0, set[asyncio.Future[None]]()

        def show(step: Progress) -> None:
            nonlocal told
            if time.monotonic() - told < _TELL_SECONDS:
                return
            told = time.monotonic()
            said = word(index=ticket.index, value=step.value, bound=step.bound)
            task = asyncio.ensure_future(self._tell(STEPS + ticket.run, said))
            telling.add(task)
            task.add_done_callback(telling.discard)

        return await self._solver.solve_unit(unit, seconds, show)

    async def _lay_ready(self, claim: Claim, ticket: Ticket, answer: bytes) -> None:
        await self._queue.put(ticket.answer, answer)
        if not await self._queue.has(ticket.unit):
            # The round has ended meanwhile and has cleared up behind us.
            await self._queue.drop(ticket.answer)
            await self._drop(claim)
            return
        await self._tell(ANSWERS + ticket.run, word(index=ticket.index, ok=True))
        await claim.done()
        metrics.WORK_UNITS.labels("solved").inc()
        _log.info("unit solved", run=ticket.run, index=ticket.index, attempt=claim.attempt)

    async def _drop(self, claim: Claim) -> None:
        await claim.done()
        metrics.WORK_UNITS.labels("dropped").inc()

    async def _bury(self, claim: Claim, ticket: Ticket | None, why: str) -> None:
        """Keep the ticket and the reason where operators look, and let the round know."""
        _log.error("unit is dead", subject=claim.subject, why=why)
        name = f"dead-{claim.subject}"
        headers = {"Spareline-Subject": claim.subject, "Spareline-Reason": " ".join(why.split())}
        await self._dead.publish(DEAD, claim.data, name, headers=headers)
        await claim.bury()
        metrics.WORK_UNITS.labels("dead").inc()
        if ticket is not None:
            await self._tell(ANSWERS + ticket.run, word(index=ticket.index, ok=False))

    async def _tell(self, subject: str, said: bytes) -> None:
        with suppress(*AWAY):  # the round also looks for itself
            await self._queue.tell(subject, said)

    def _hear(self, subject: str, _: bytes) -> None:
        """A run is over: what we solve for it, nobody needs."""
        if self._run and subject in (OVER + self._run, OVER + ALL):
            self._over = True
            self._solver.cancel()
