"""Clearing the market: one round at a time, from the book to proposals in inboxes.

A round waits for its turn, takes the market's lock, and stores what it rests on before it
solves. Its proposals are stored first, then the round passes the point after which it is only
ever finished, then capacity is held. A process that dies before that point leaves a failed
round; after it, whoever comes next finishes the round.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.chassis import causes, faults, logs
from services.chassis.causes import Said, said
from services.chassis.errors import Aborted, DomainError
from services.matching.domain import periods
from services.matching.domain.book import Book
from services.matching.domain.book_snapshot import SnapshotError
from services.matching.domain.proposals import stamp
from services.matching.rounds.failure import failure
from services.matching.rounds.runner import RoundResult, RoundRunner
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.artifacts import Artifacts
from services.matching.store.explanations import Explanations, by_part
from services.matching.store.memory import Memory
from services.matching.store.proposals import Proposals
from services.matching.store.round_lock import RoundLock, now_ms
from services.matching.store.rounds import Rounds
from services.matching.usecases.answers import Answers
from services.matching.usecases.drafting import Drafting, same_terms
from services.matching.usecases.policies import PolicyBook
from services.matching.usecases.round_end import INPUTS, RoundEnd, ended
from services.matching.usecases.round_writer import Cancelled, RoundWriter
from services.matching.usecases.settlement import utc_now
from spareline.errors.v1 import cause_pb2
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import policy_pb2, round_pb2

Round = round_pb2.Round

ANSWER = "answer"
FLOWS = "flows"
SHARES = "shares"
_TICK_SECONDS = 0.4
_PUT_OFF_SECONDS = 2.0

_log = logs.get_logger("rounds")


class Clearing:
    """Runs the rounds of this process, one after the other."""

    def __init__(
        self,
        owner: str,
        lease_ms: int,
        *,
        rounds: Rounds,
        proposals: Proposals,
        artifacts: Artifacts,
        explanations: Explanations,
        memory: Memory,
        policies: PolicyBook,
        answers: Answers,
        end: RoundEnd,
        runner: RoundRunner,
        lock: RoundLock,
        book: Callable[[], Book],
        most_pairs: int = 0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``owner`` is ``<instance>/<process>``; it is taken for dead ``lease_ms`` after its last
        sign of life. Above ``most_pairs`` eligible pairs (0: never) lines keep a choice of theirs.
        """
        self.owner = owner
        self._lease_ms = lease_ms
        self._rounds = rounds
        self._proposals = proposals
        self._artifacts = artifacts
        self._explanations = explanations
        self._memory = memory
        self._policies = policies
        self._answers = answers
        self._end = end
        self._runner = runner
        self._lock = lock
        self._book = book
        self._most_pairs = most_pairs
        self._now = now
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._put_off: set[str] = set()

    def submit(self, name: str) -> None:
        """Have a stored, pending round run when its turn comes."""
        self._queue.put_nowait(name)

    def alive_until(self) -> int:
        """Return until when this process is believed to live, in milliseconds of the epoch."""
        return now_ms() + self._lease_ms

    async def run(self) -> None:
        """Run rounds for ever; spawn it in the app."""
        while True:
            name = await self._queue.get()
            try:
                await self._run_one(name)
            except Exception as error:
                if not faults.is_away(error) and not isinstance(error, DomainError):
                    raise
                # The store is away, or the round was taken over: look at it again later.
                _log.warning("round put off", round=name, error=type(error).__name__)
                self._put_off.add(name)
                await asyncio.sleep(_PUT_OFF_SECONDS)
                self._queue.put_nowait(name)

    async def recover(self, *, start: bool = False) -> None:
        """Take over the rounds of processes that died; at the start, also our own former life's."""
        for stored in (
            await self._rounds.under_way() if start else await self._rounds.orphans(now_ms())
        ):
            former = stored.owner.partition("/")[0] == self.owner.partition("/")[0]
            lapsed = stored.owner_until_ms <= now_ms()
            if stored.owner == self.owner or not (lapsed or (start and former)):
                continue
            until = self.alive_until()
            if await self._rounds.save(
                stored, stored.round, owner=self.owner, owner_until_ms=until
            ):
                _log.warning("round taken over", round=stored.name, state=stored.round.state)
                self.submit(stored.name)

    async def _run_one(self, name: str) -> None:
        stored = await self._rounds.get(name)
        if stored is None or stored.owner != self.owner:
            return
        writer = RoundWriter(self._rounds, stored, self.owner)
        if stored.round.state not in (Round.STATE_PENDING, Round.STATE_RUNNING):
            return
        pulse = asyncio.ensure_future(self._pulse(writer))
        try:
            await self._wait_for_turn(writer, pulse)
            if stored.holding:
                await self._end.finish(writer)
            elif stored.round.state == Round.STATE_RUNNING and not await self._may_repeat(name):
                await self._stop(writer, said(cause_pb2.CAUSE_ROUND_ABANDONED))
            else:
                await self._clear(writer, pulse)
        except Cancelled:
            await self._stop(writer)
        except asyncio.CancelledError:
            if not writer.stored.holding:
                await self._stop(writer, said(cause_pb2.CAUSE_SERVICE_STOPPED))
            raise
        finally:
            pulse.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await pulse
            await self._lock.free()

    async def _may_repeat(self, name: str) -> bool:
        """Whether a round that we put off when the store was away can run again from its start.

        Only we know that nobody else has worked on it; once it has stored a proposal it can't.
        """
        if name not in self._put_off:
            return False
        self._put_off.discard(name)
        return not await self._proposals.all_of_round(name)

    async def _wait_for_turn(self, writer: RoundWriter, pulse: "asyncio.Future[None]") -> None:
        while not await self._lock.take():
            await asyncio.wait({pulse}, timeout=_TICK_SECONDS)
            _check(pulse, writer)
        _check(pulse, writer)

    async def _pulse(self, writer: RoundWriter) -> None:
        """Give signs of life, and end when somebody asks to stop the round."""
        due = 0
        while True:
            if now_ms() >= due:
                until = self.alive_until()
                await writer.write(lambda _: None, owner_until_ms=until)
                if writer.round.state == Round.STATE_RUNNING:
                    await self._lock.take()
                due = now_ms() + self._lease_ms // 4
            elif not writer.stored.holding:
                await writer.refresh()
            if writer.stored.cancelled and not writer.stored.holding:
                return
            await asyncio.sleep(_TICK_SECONDS)

    async def _clear(self, writer: RoundWriter, pulse: "asyncio.Future[None]") -> None:
        try:
            inputs = await self._prepare(writer)
        except SnapshotError:
            await self._stop(writer, said(cause_pb2.CAUSE_ROUND_INPUTS_GONE))
            return
        data = await asyncio.to_thread(inputs.to_bytes)
        await self._artifacts.put(writer.round.name, INPUTS, data)
        solving = asyncio.ensure_future(self._solve(writer, inputs, data))
        try:
            both: set[asyncio.Future[Any]] = {solving, pulse}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not solving.done():
                _check(pulse, writer)
            result = await solving
        except (Cancelled, Aborted, asyncio.CancelledError):
            raise
        except Exception as error:
            if faults.is_away(error):
                raise
            _log.error("round failed", round=writer.round.name, exc_info=error)
            await self._stop(writer, failure(error, writer.round.size))
            return
        finally:
            await _end_of(solving)
        await self._deliver(writer, inputs, result)

    async def _prepare(self, writer: RoundWriter) -> RoundInputs:
        """Raises SnapshotError when an earlier round's market is to be taken and is not there."""
        asked = writer.stored.limits
        policy = await self._policy(writer.round)
        earlier = await self._earlier(writer.round)
        as_of = asked.get("as_of_ms", 0)
        moment = datetime.fromtimestamp(as_of / 1000, UTC) if as_of else self._now()
        first = periods.of_time(moment) if earlier is None else earlier.now_period
        seconds = asked.get("time_limit_ms", 0) / 1000
        seconds = seconds or policy.time_limit.ToTimedelta().total_seconds()

        def start(round_: round_pb2.Round) -> None:
            round_.state = Round.STATE_RUNNING
            round_.start_time.CopyFrom(stamp(self._now()))
            round_.first_period = periods.name(first)
            round_.progress.phase = "book"

        await writer.write(start, event=self._started, unless_cancelled=True)
        if earlier is not None:
            return replace(
                earlier,
                round_name=writer.round.name,
                policy=policy,
                seed=writer.round.seed,
                time_limit_seconds=seconds,
            )
        snapshot = self._book().snapshot()
        claimed = [
            demand.name
            for demand in snapshot.demands
            if any(balance.held or balance.committed for balance in demand.balances)
        ]
        return RoundInputs(
            round_name=writer.round.name,
            book=snapshot,
            policy=policy,
            now_period=first,
            seed=writer.round.seed,
            time_limit_seconds=seconds,
            fairness=dict((await self._memory.fairness.latest()).accounts),
            declined=frozenset(await self._memory.declined.all()),
            heads=frozenset(await self._memory.heads.all()),
            pins=tuple(await self._proposals.alive_of(claimed)),
            counted=await self._memory.counted.among([d.name for d in snapshot.demands]),
            most_pairs=self._most_pairs,
        )

    async def _policy(self, round_: round_pb2.Round) -> policy_pb2.Policy:
        if round_.HasField("trial_policy"):
            return round_.trial_policy
        return await self._policies.get(round_.policy, round_.policy_version)

    async def _earlier(self, round_: round_pb2.Round) -> RoundInputs | None:
        """What the round was given whose market this one takes."""
        if not round_.inputs_of:
            return None
        data = await self._artifacts.get(round_.inputs_of, INPUTS)
        if data is None:  # it was there when the round was asked for
            raise SnapshotError(f"the inputs of {round_.inputs_of} are gone")
        return await asyncio.to_thread(RoundInputs.from_bytes, data)

    async def _solve(self, writer: RoundWriter, inputs: RoundInputs, data: bytes) -> RoundResult:
        shown = 0.0

        async def show(progress: round_pb2.RoundProgress) -> None:
            nonlocal shown
            phase_is_new = progress.phase != writer.round.progress.phase
            if phase_is_new or time.monotonic() - shown >= _TICK_SECONDS:
                shown = time.monotonic()
                await writer.write(lambda round_: round_.progress.CopyFrom(progress))

        async def sized(size: round_pb2.BookSize) -> None:
            await writer.write(lambda round_: round_.size.CopyFrom(size))

        return await self._runner.run(inputs, show, packed=data, sized=sized)

    async def _deliver(self, writer: RoundWriter, inputs: RoundInputs, result: RoundResult) -> None:
        name, order = writer.round.name, writer.stored.document["order"]
        await self._artifacts.put(name, ANSWER, result.answer)
        await self._artifacts.put(name, FLOWS, result.flows)
        await self._artifacts.put(name, SHARES, result.shares)
        what_if = writer.round.what_if
        for part, some in by_part(result.explanations).items():
            await self._explanations.put(some, order, what_if=what_if, part=part)
        if what_if:
            await self._conclude_what_if(writer, result)
            return
        stays = await self._store_drafts(inputs, result)

        def pass_on(round_: round_pb2.Round) -> None:
            _describe(round_, result)
            round_.progress.phase = "hold"

        # From here on the round is only ever finished.
        await writer.write(pass_on, unless_cancelled=True, holding=True)
        await self._supersede(inputs, set(result.reopened) - stays)
        await self._end.finish(writer, inputs)

    async def _store_drafts(self, inputs: RoundInputs, result: RoundResult) -> set[str]:
        """Store what is proposed anew; return the names of reopened proposals that stay."""
        before = {pin.demand: pin for pin in inputs.pins if pin.name in result.reopened}
        drafting = Drafting(inputs, self._now())
        stays: set[str] = set()
        fresh = []
        for proposal in result.drafts:
            earlier = before.get(proposal.demand)
            if earlier is not None and same_terms(earlier, proposal):
                stays.add(earlier.name)
            else:
                fresh.append(drafting.draft(proposal))
        await self._proposals.create(fresh)
        return stays

    async def _supersede(self, inputs: RoundInputs, names: Iterable[str]) -> None:
        found = await self._proposals.get_many(sorted(names))
        for stored in found.values():
            await self._answers.supersede(stored, inputs.round_name)

    async def _stop(self, writer: RoundWriter, why: Said | None = None) -> None:
        """End a round: as failed, or as cancelled where nothing is wrong."""
        await self._end.abandon(writer.round.name, str(why or "The round was cancelled"))

        def stop(round_: round_pb2.Round) -> None:
            round_.state = Round.STATE_FAILED if why else Round.STATE_CANCELLED
            if why is not None:
                round_.failure = str(why)
                round_.failure_words.CopyFrom(causes.message(why))
            round_.end_time.CopyFrom(stamp(self._now()))

        await writer.write(
            stop, event=lambda r: [events_pb2.RoundFailed(round=r, time=stamp(self._now()))]
        )
        ended(writer.round)

    def _started(self, round_: round_pb2.Round) -> list[events_pb2.RoundStarted]:
        return [events_pb2.RoundStarted(round=round_, time=stamp(self._now()))]

    async def _conclude_what_if(self, writer: RoundWriter, result: RoundResult) -> None:
        def conclude(round_: round_pb2.Round) -> None:
            _describe(round_, result)
            round_.state = Round.STATE_COMPLETED
            round_.outcome.proposals = 0
            round_.progress.phase = "done"
            round_.end_time.CopyFrom(stamp(self._now()))

        await writer.write(
            conclude,
            event=lambda r: [events_pb2.RoundCompleted(round=r, time=stamp(self._now()))],
            unless_cancelled=True,
        )
        ended(writer.round)


def _describe(round_: round_pb2.Round, result: RoundResult) -> None:
    round_.outcome.CopyFrom(result.outcome)
    round_.size.CopyFrom(result.size)
    round_.book_digest = result.book_digest
    round_.engine_version = result.engine_version


def _check(pulse: "asyncio.Future[None]", writer: RoundWriter) -> None:
    """Raise what ended the pulse, or Cancelled when it ended as somebody asked to stop."""
    if pulse.done():
        pulse.result()
        raise Cancelled
    if writer.stored.cancelled:
        raise Cancelled


async def _end_of(task: "asyncio.Future[Any]") -> None:
    """End a task and wait until it has ended; how it ended was seen elsewhere."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
