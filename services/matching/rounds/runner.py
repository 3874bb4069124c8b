"""Running rounds: problem, solve, certificate, explanations; nothing of it on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import metadata
from typing import ParamSpec, TypeVar

from services.matching.domain import periods
from services.matching.domain.fairness import FairnessUpdate
from services.matching.engine import Market, Options, ProcessEnded, Progress, Result
from services.matching.engine.ending import ended_of
from services.matching.engine.process import SolverProcess
from services.matching.rounds import verify, worker
from services.matching.rounds.answer import Answer
from services.matching.rounds.snapshot import RoundInputs
from services.matching.work.sharing import Sharing
from spareline.matching.v1.explanation_pb2 import Explanation
from spareline.matching.v1.policy_pb2 import FairnessAccount
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.matching.v1.round_pb2 import (
    BookSize,
    Outcome,
    Round,
    RoundProgress,
    Verification,
    VerificationCheck,
)

ENGINE_VERSION = f"spareline-1+ortools-{metadata.version('ortools')}"

P = ParamSpec("P")
T = TypeVar("T")
Tell = Callable[[RoundProgress], Awaitable[None]]
Sized = Callable[[BookSize], Awaitable[None]]


class CertificateError(RuntimeError):
    """The solver's answer failed its own check; nothing may be proposed from it."""


class WorkerDiedError(RuntimeError):
    """The process that builds and explains ended in the middle of a round."""

    def __init__(self, message: str, ended: ProcessEnded | None = None) -> None:
        """``ended`` says how, where that is known."""
        super().__init__(message)
        self.ended = ended or ProcessEnded()


@dataclass(frozen=True)
class RoundResult:
    """What a round came to. ``answer`` (see `answer.Answer`) and the inputs' bytes replay it.

    ``drafts`` are unredacted, in state HOLDING, without lease and times. ``reopened`` names the
    proposals whose quantities were given back to the problem: each is to be superseded, and
    released before the drafts are held. ``flows`` (a RoundFlows) and ``shares`` (`shares.Shares`)
    are what operators look into it by.
    """

    outcome: Outcome
    size: BookSize
    book_digest: str
    first_period: str
    engine_version: str
    answer: bytes
    drafts: list[Proposal]
    explanations: list[Explanation]
    fairness: FairnessUpdate
    reopened: tuple[str, ...]
    flows: bytes
    shares: bytes


class RoundRunner:
    """Runs rounds one at a time, with a solver and one more process for all else that is heavy."""

    def __init__(self, solver: SolverProcess, sharing: Sharing | None = None) -> None:
        """``sharing`` has large parts of a round solved by workers elsewhere, if there are any."""
        self._solver = solver
        self._sharing = sharing
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()

    async def run(
        self,
        inputs: RoundInputs,
        progress: Tell,
        *,
        packed: bytes | None = None,
        sized: Sized | None = None,
    ) -> RoundResult:
        """Run a round. ``packed`` are the inputs' bytes, where the caller has stored them already.

        ``sized`` is awaited with the problem's sizes once they are known, before the solve.
        ``progress`` is awaited at each phase (eligibility, solve, certify, explain) and with the
        solver's steps. Cancelling the task stops the solve.

        Raises:
            InvalidMarket: the book's numbers are too large to be summed exactly.
            SolverDied: the solver ended, or overran its limit.
            CertificateError: the answer failed its check.
            WorkerDiedError: the other process ended.
        """
        started = time.monotonic()
        async with self._turn:
            data = await asyncio.to_thread(inputs.to_bytes) if packed is None else packed
            await progress(_progress("eligibility", started))
            prepared = await self._work(worker.prepare, data)
            if sized is not None:
                await sized(BookSize.FromString(prepared.size))
            result = await self._solve(inputs, prepared.market, progress, started)
            answer = Answer.of(result)
            stored = await asyncio.to_thread(answer.to_bytes)
            reached = _reached(result, started)
            await progress(reached("certify"))
            fault = await self._work(worker.certify, data, stored)
            if fault:
                raise CertificateError(fault)
            await progress(reached("explain"))
            concluded = await self._work(worker.conclude, data, stored)
            explained = await self._work(worker.explanations, data, stored)
        return RoundResult(
            outcome=Outcome.FromString(concluded.outcome),
            size=BookSize.FromString(concluded.size),
            book_digest=prepared.book_digest,
            first_period=periods.name(inputs.now_period),
            engine_version=ENGINE_VERSION,
            answer=stored,
            drafts=[Proposal.FromString(each) for each in concluded.drafts],
            explanations=[Explanation.FromString(each) for each in explained],
            fairness=FairnessUpdate(_by_name(concluded.accounts), concluded.newly_counted),
            reopened=prepared.reopened,
            flows=concluded.flows,
            shares=concluded.shares,
        )

    async def verify(
        self, stored: Round, inputs: bytes, answer: bytes, *, replay: bool
    ) -> Verification:
        """Check a stored round from its stored inputs and answer; solve it again when asked.

        Raises:
            SnapshotError: the stored bytes are damaged.
            SolverDied, WorkerDiedError: a process ended.
        """
        async with self._turn:
            found, market = await self._work(
                worker.verifying, inputs, answer, stored.SerializeToString()
            )
            made = Verification(round=stored.name)
            made.checks.extend(VerificationCheck.FromString(each) for each in found)
            if replay:
                given = await asyncio.to_thread(RoundInputs.from_bytes, inputs)
                again = await self._solver.solve(market, options_of(given))
                made.checks.append(verify.replay_check(Answer.from_bytes(answer), again))
        made.ok = all(check.ok for check in made.checks)
        return made

    @property
    def pid(self) -> int | None:
        """The process that prepares and explains; None while there is none."""
        running = list(self._pool._processes) if self._pool is not None else []
        return running[0] if running else None

    async def close(self) -> None:
        """End the process; a round that needs it fails with WorkerDiedError."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(_end, pool)

    async def _solve(
        self, inputs: RoundInputs, market: Market, progress: Tell, started: float
    ) -> Result:
        """Solve, and pass the newest step on whenever the last one has been told."""
        newest: asyncio.Queue[Progress] = asyncio.Queue(maxsize=1)

        def keep(step: Progress) -> None:
            with contextlib.suppress(asyncio.QueueEmpty):
                newest.get_nowait()
            newest.put_nowait(step)

        async def pass_on() -> None:
            while True:
                await progress(_of_solver(await newest.get(), started))

        await progress(_progress("solve", started))
        telling = asyncio.create_task(pass_on())
        try:
            options = options_of(inputs)
            if self._sharing is None:
                return await self._solver.solve(market, options, keep)
            limit = options.time_limit_seconds
            async with self._sharing.begin(inputs.round_name, market.variables, limit) as shared:
                return await self._solver.solve(market, options, keep, shared)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _work(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of `worker` in its process, which is started when needed."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=worker.start)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, functools.partial(job, *args, **kwargs))
        except BrokenProcessPool as error:
            processes, self._pool = list(self._pool._processes.values()), None
            ended = await asyncio.to_thread(ended_of, processes[0]) if processes else None
            raise WorkerDiedError("the process that prepares rounds ended", ended) from error


def options_of(inputs: RoundInputs) -> Options:
    """The solver's options of a round; the same for its replay."""
    return Options(
        seed=inputs.seed % 2**31,
        time_limit_seconds=inputs.time_limit_seconds,
        # The solver's own count of work ends the search before the clock does, so that a round
        # can be replayed on a machine that is somewhat slower.
        deterministic_limit=max(1.0, inputs.time_limit_seconds / 2),
        stability_permille=inputs.policy.stability_permille,
    )


def _elapsed(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _progress(phase: str, started: float) -> RoundProgress:
    return RoundProgress(phase=phase, elapsed_milliseconds=_elapsed(started))


def _of_solver(step: Progress, started: float) -> RoundProgress:
    made = _progress("solve", started)
    made.best_value = step.value
    made.has_bound = step.bound is not None
    made.bound = step.bound or 0
    made.components_done, made.components_total = step.components_done, step.components
    return made


def _reached(result: Result, started: float) -> Callable[[str], RoundProgress]:
    """Progress of the phases after the solve, which keep its figures."""

    def at(phase: str) -> RoundProgress:
        made = _progress(phase, started)
        made.best_value, made.bound, made.has_bound = result.objective, result.upper_bound, True
        made.components_done = made.components_total = result.components
        return made

    return at


def _by_name(accounts: tuple[bytes, ...]) -> dict[str, FairnessAccount]:
    found = [FairnessAccount.FromString(each) for each in accounts]
    return {each.organization: each for each in found}


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool at once: what it works on is nobody's any more."""
    for process in list(pool._processes.values()):
        process.kill()
    pool.shutdown(wait=True, cancel_futures=True)
