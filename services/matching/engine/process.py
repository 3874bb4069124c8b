"""Solving in a process of its own, so that an event loop never waits for a model or a search."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from services.matching.engine.ending import ProcessEnded, ended_of
from services.matching.engine.market import Market
from services.matching.engine.result import Options, Progress, Result
from services.matching.engine.worker import serve

# Building models and stopping a search take time beyond the solve's own limit; so does compiling
# the inner loops, where nobody has done it before (see `warming.py`).
GRACE_SECONDS = 90.0
# How long a cancelled solve may take to hand in before its process is ended.
CANCEL_GRACE_SECONDS = 5.0


class SolverDied(RuntimeError):  # noqa: N818 - says what is the case
    """The worker process ended, or overran its limit and was ended, before it gave a result."""

    def __init__(self, message: str, ended: ProcessEnded | None = None) -> None:
        """``ended`` says how, where that is known."""
        super().__init__(message)
        self.ended = ended or ProcessEnded()


class Exchange(Protocol):
    """Whom a solve sends its large parts to; all of it is called on the event loop.

    ``hands`` is how many solve at once, we among them; parts of fewer than ``least_variables``
    stay with us. A part that was sent is given back once, by ``Desk.answer``.
    """

    hands: int
    least_variables: int

    def begin(self, desk: Desk) -> None:
        """A solve begins that may send parts."""

    def sent(self, index: int, unit: bytes, seconds: float) -> None:
        """Have part ``index`` solved within so many seconds (see `packing.unpack_unit`)."""

    def asked(self) -> None:
        """The solve has nothing left to do but parts that it has sent."""

    def kept(self, index: int) -> None:
        """The solve has done part ``index`` itself."""


class Desk(Protocol):
    """Where an exchange hands in what it has."""

    def answer(self, index: int, solved: bytes | None) -> None:
        """Part ``index`` was solved elsewhere (`packing.pack_solved`), or None: solve it here."""

    def step(self, index: int, value: int, bound: int | None) -> None:
        """Part ``index``, which is solved elsewhere, stands so."""


class _Job:
    """One solve that is under way: its number, who waits for it, and whom progress goes to."""

    def __init__(
        self,
        number: int,
        answer: asyncio.Future[Any],
        on_progress: Callable[[Progress], None] | None,
        exchange: Exchange | None,
    ) -> None:
        self.number = number
        self.answer = answer
        self.on_progress = on_progress
        self.exchange = exchange


class _Desk:
    """The desk of one solve: what is handed in goes to the process, as long as it solves that."""

    def __init__(self, solver: SolverProcess, number: int) -> None:
        self._solver, self._number = solver, number

    def answer(self, index: int, solved: bytes | None) -> None:
        self._solver._post(("answer", self._number, index, solved))

    def step(self, index: int, value: int, bound: int | None) -> None:
        self._solver._post(("step", self._number, index, value, bound))


class SolverProcess:
    """One worker process, kept between solves and replaced when it dies. One solve at a time.

    Callers that come while a solve runs wait for their turn. Use it from one event loop.
    """

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self._grace = grace_seconds
        self._turn = asyncio.Lock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._job: _Job | None = None
        self._count = 0
        self._closed = False
        self._lost_pipe = False
        self._writing = threading.Lock()

    async def solve(
        self,
        market: Market,
        options: Options | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        exchange: Exchange | None = None,
    ) -> Result:
        """Solve in the worker; ``on_progress`` is called on the event loop.

        Cancelling the awaiting task stops the solve before the cancellation goes on. Large parts
        go to the exchange, if one is given.

        Raises:
            SolverDied: the worker ended or overran ``time_limit_seconds`` plus grace.
            InfeasiblePins: no assignment keeps the pins.
        """
        options = options or Options()
        room = None if exchange is None else (exchange.hands, exchange.least_variables)
        work = ("solve", market, options, room)
        result: Result = await self._run(work, options.time_limit_seconds, on_progress, exchange)
        return result

    async def solve_unit(
        self, unit: bytes, seconds: float, on_progress: Callable[[Progress], None] | None = None
    ) -> bytes:
        """Solve a packed unit within a wall limit in seconds; the packed answer.

        Raises:
            SolverDied: the worker ended or overran the limit plus grace.
            UnreadableUnit: the bytes are no unit.
            InfeasiblePins: no assignment keeps the pins.
        """
        answer: bytes = await self._run(("unit", unit, seconds), seconds, on_progress, None)
        return answer

    async def _run(
        self,
        work: tuple[Any, ...],
        seconds: float,
        on_progress: Callable[[Progress], None] | None,
        exchange: Exchange | None,
    ) -> Any:
        async with self._turn:
            if self._closed:
                raise SolverDied("the solver has been closed")
            await self._ready()
            loop = asyncio.get_running_loop()
            self._count += 1
            job = self._job = _Job(self._count, loop.create_future(), on_progress, exchange)
            if exchange is not None:
                exchange.begin(_Desk(self, job.number))
            try:
                async with asyncio.timeout(seconds + self._grace):
                    await self._send((work[0], job.number, *work[1:]))
                    return await asyncio.shield(job.answer)
            except TimeoutError:
                await self._end()
                raise SolverDied(
                    f"the solve overran its limit of {seconds} s and was ended",
                    ProcessEnded(overran=True),
                ) from None
            except asyncio.CancelledError:
                await self._stopped(job)
                raise
            finally:
                self._job = None
                job.answer.cancel()

    def cancel(self) -> None:
        """Ask the running solve, if any, to hand in what it has; its status says CANCELLED."""
        if self._job is not None:
            self._post(("cancel", self._job.number))

    async def close(self) -> None:
        """End the worker. A solve that waits for it fails with SolverDied."""
        self._closed = True
        await self._end()

    async def start(self) -> None:
        """Start the worker ahead of the first solve, which then need not wait for its imports."""
        async with self._turn:
            await self._ready()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        return self._process.pid if self._process is not None else None

    async def _ready(self) -> None:
        if self._process is not None and self._process.is_alive() and not self._lost_pipe:
            return
        await self._end()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(target=serve, args=(theirs,), name="solver", daemon=True)
        await asyncio.to_thread(process.start)
        theirs.close()
        self._process, self._pipe, self._lost_pipe = process, ours, False
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop, process, ours), daemon=True).start()

    def _read(
        self, loop: asyncio.AbstractEventLoop, process: BaseProcess, pipe: Connection
    ) -> None:
        """Hand each message to the loop; runs in a thread because a message may come in pieces."""
        while True:
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                break
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                loop.call_soon_threadsafe(self._take, *message)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._lost, pipe, ended_of(process))

    def _take(self, kind: str, number: int, content: Any) -> None:
        job = self._job
        if job is None or job.number != number or job.answer.done():
            return
        if kind == "progress":
            if job.on_progress is not None:
                job.on_progress(content)
        elif kind == "result":
            job.answer.set_result(content)
        elif kind == "error":
            job.answer.set_exception(content)
        elif job.exchange is not None:
            getattr(job.exchange, kind)(*content)

    def _lost(self, pipe: Connection, ended: ProcessEnded) -> None:
        """The worker's end of the pipe closed: whoever waits is told."""
        if pipe is not self._pipe:
            return
        self._lost_pipe = True
        if self._job is not None and not self._job.answer.done():
            text = f"the solver process died during the solve (code {ended.code})"
            self._job.answer.set_exception(SolverDied(text, ended))

    async def _send(self, message: object) -> None:
        try:
            await asyncio.to_thread(self._write, self._pipe, message)
        except OSError as error:
            self._lost_pipe = True
            ended = None
            if self._process is not None:
                ended = await asyncio.to_thread(ended_of, self._process)
            raise SolverDied("the solver process died before the solve began", ended) from error

    def _post(self, message: object) -> None:
        """Send without waiting; that a process has died is seen by who reads from it."""
        pipe, loop = self._pipe, asyncio.get_running_loop()

        def write() -> None:
            with contextlib.suppress(OSError):
                self._write(pipe, message)

        loop.run_in_executor(None, write)

    def _write(self, pipe: Connection | None, message: object) -> None:
        assert pipe is not None
        with self._writing:  # a message may go in pieces, and another thread may send too
            pipe.send(message)

    async def _stopped(self, job: _Job) -> None:
        """Stop the solve of a task that is being cancelled; end the worker if it does not yield."""
        self.cancel()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CANCEL_GRACE_SECONDS):
                await asyncio.shield(job.answer)
        if not job.answer.done():
            await self._end()

    async def _end(self) -> None:
        """End the worker, if there is one, and wait until it is gone."""
        process, pipe = self._process, self._pipe
        self._process = None
        if process is not None:
            process.kill()
            await asyncio.to_thread(ended_of, process, None)
            process.close()
        if pipe is not None:
            if self._job is not None and not self._job.answer.done():
                self._job.answer.set_exception(SolverDied("the solver process was ended"))
            self._pipe = None
            pipe.close()
