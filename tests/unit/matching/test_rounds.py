"""A round from inputs to result in its real processes, and the check of a stored one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import psutil
import pytest

from services.matching.domain.book_snapshot import SnapshotError
from services.matching.domain.declined import declined_pair
from services.matching.engine import InvalidMarket, ProcessEnded, SolverDied
from services.matching.engine.process import SolverProcess
from services.matching.rounds.answer import Answer, gap_ppm
from services.matching.rounds.failure import failure
from services.matching.rounds.runner import RoundResult, RoundRunner, WorkerDiedError
from services.matching.rounds.snapshot import RoundInputs
from spareline.matching.v1.policy_pb2 import FairnessAccount
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.matching.v1.round_pb2 import BookSize, Round, RoundProgress
from tests.unit.matching import books


@pytest.fixture
async def runner() -> AsyncIterator[RoundRunner]:
    solver = SolverProcess()
    made = RoundRunner(solver)
    yield made
    await made.close()
    await solver.close()


def inputs(seed: int = 1) -> RoundInputs:
    book = books.random_book(seed, 8, 12)
    offer, demand = book.offers[0], book.demands[0]
    return RoundInputs(
        "rounds/r1",
        book,
        books.policy(fairness_permille=100),
        books.NOW,
        7,
        6.0,
        {"organizations/f1": FairnessAccount(organization="organizations/f1", need_permille=300)},
        frozenset({declined_pair(offer, demand.name, demand.lines[0])}),
        frozenset({demand.name}),
        (Proposal(name="rounds/r0/proposals/p", state=Proposal.STATE_PROPOSED),),
    )


def stored(result: RoundResult) -> Round:
    return Round(name="rounds/r1", book_digest=result.book_digest, outcome=result.outcome)


def test_inputs_travel_as_bytes_without_loss() -> None:
    given = inputs()
    again = RoundInputs.from_bytes(given.to_bytes())
    assert again == given
    assert again.to_bytes() == given.to_bytes()
    with pytest.raises(SnapshotError):
        RoundInputs.from_bytes(given.to_bytes()[:-9])
    with pytest.raises(SnapshotError):
        Answer.from_bytes(b"nonsense")


def test_the_gap_rounds_up() -> None:
    assert [gap_ppm(100, 100), gap_ppm(3, 2), gap_ppm(0, 0)] == [0, 333_334, 0]


async def test_a_round_runs_and_verifies_and_any_tampering_shows(runner: RoundRunner) -> None:
    given = inputs()
    seen: list[RoundProgress] = []

    async def progress(step: RoundProgress) -> None:
        seen.append(step)

    result = await runner.run(given, progress)
    phases = [step.phase for step in seen]
    assert list(dict.fromkeys(phases)) == ["eligibility", "solve", "certify", "explain"]
    assert result.outcome.status == "optimal"
    assert result.outcome.proposals == len(result.drafts) == result.outcome.demands_served > 0
    assert sum(term.value for term in result.outcome.terms) == result.outcome.objective
    assert result.outcome.objective <= result.outcome.upper_bound
    assert result.size.pinned_proposals == 1
    assert set(result.fairness.accounts) >= {p.parties[0].organization for p in result.drafts}
    packed = given.to_bytes()
    good = await runner.verify(stored(result), packed, result.answer, replay=True)
    assert good.ok, good
    names = [check.name for check in good.checks]
    assert names == ["book_digest", "feasible", "objective", "bound", "gap", "replay"]

    async def broken(changed: Round) -> list[str]:
        found = await runner.verify(changed, packed, result.answer, replay=False)
        assert not found.ok
        return [check.name for check in found.checks if not check.ok]

    round_ = stored(result)
    round_.book_digest = "0" * 64
    assert await broken(round_) == ["book_digest"]
    round_ = stored(result)
    round_.outcome.objective += 1
    assert "objective" in await broken(round_)
    round_ = stored(result)
    round_.outcome.certified_bound -= 1
    assert await broken(round_) == ["bound"]
    round_ = stored(result)
    round_.outcome.gap_ppm += 1
    assert await broken(round_) == ["gap"]


async def test_a_dead_worker_fails_the_round_and_the_next_one_runs(runner: RoundRunner) -> None:
    given = inputs(2)
    first = await runner.run(given, _quiet)
    assert runner.pid is not None
    os.kill(runner.pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError) as died:
        await runner.run(given, _quiet)
    assert "prepares and explains was killed by SIGKILL" in str(failure(died.value, BookSize()))
    again = await runner.run(given, _quiet)
    assert again.drafts == first.drafts
    assert again.book_digest == first.book_digest


async def test_a_killed_solver_fails_the_round_in_words_and_the_next_one_runs() -> None:
    solver = SolverProcess()
    runner = RoundRunner(solver)
    given, sizes = inputs(2), []

    async def kill(size: BookSize) -> None:
        sizes.append(size)
        # It will stand still before it reads its problem, so that it can't be done too early.
        await solver.start()
        assert solver.pid is not None
        os.kill(solver.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.3, os.kill, solver.pid, signal.SIGKILL)

    async with asyncio.timeout(60):
        with pytest.raises(SolverDied) as died:
            await runner.run(given, _quiet, sized=kill)
        said = str(failure(died.value, sizes[0]))
        assert sizes[0].pairs > 0
        assert said.startswith("The process that solves was killed by SIGKILL")
        assert f"{sizes[0].pairs} eligible pairs" in said
        assert "lower SPARELINE_MOST_PAIRS" in said
        assert (await runner.run(given, _quiet)).outcome.demands_served > 0
    await runner.close()
    await solver.close()


def test_a_failure_says_what_to_do_and_nothing_of_the_book() -> None:
    size = BookSize(pairs=300_000, pairs_left_out=50_000)

    def said(error: Exception) -> str:
        return str(failure(error, size))

    late = said(SolverDied("late", ProcessEnded(overran=True)))
    assert "longer than its limit" in late
    assert "300000 eligible pairs, 50000 of them not weighed" in late
    assert "time limit" in late
    assert "by itself (SIGSEGV)" in said(SolverDied("x", ProcessEnded(-11)))
    assert "by itself (exit 3)" in said(WorkerDiedError("x", ProcessEnded(3)))
    assert "memory" in said(MemoryError())
    secret = said(InvalidMarket("budget[3] is 4711, not within -1..17"))
    assert "4711" not in secret
    assert "log of matching" in secret
    assert "ValueError" in said(ValueError("4711"))
    assert "4711" not in said(ValueError("4711"))


_RUNS_A_ROUND = """
import asyncio
from services.matching.engine.process import SolverProcess
from services.matching.rounds.runner import RoundRunner
from tests.unit.matching.test_rounds import _quiet, inputs

async def main():
    runner = RoundRunner(SolverProcess())
    await runner.run(inputs(), _quiet)
    print(runner.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_nothing_is_left_running_when_the_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUNS_A_ROUND, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    children = psutil.Process(parent.pid).children(recursive=True)
    assert pid in [child.pid for child in children]
    parent.kill()
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 15)
    assert alive == []


async def test_the_event_loop_stays_free_while_a_round_runs(runner: RoundRunner) -> None:
    longest = 0.0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while not done.is_set():
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)

    watching = asyncio.create_task(watch())
    await runner.run(inputs(3), _quiet)
    done.set()
    await watching
    assert longest < 1.0


async def _quiet(_: RoundProgress) -> None:
    return None
