"""Clearing the market: one round at a time, from the book to proposals in inboxes.

A round waits for its turn, takes the market's lock, and stores what it rests on before it
solves. Its proposals are stored first, then the round passes the point after which it is only
ever finished, then capacity is held. A process that dies before that point leaves a failed
round; after it, whoever comes next finishes the round.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from services.chassis import causes, faults, logs
from services.chassis.causes import Said, said
from services.chassis.errors import Aborted, DomainError
from services.matching.domain.book_snapshot import SnapshotError
from services.matching.domain.proposals import stamp
from services.matching.rounds.failure import failure
from services.matching.rounds.runner import RoundResult, RoundRunner
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.proposals import Proposals
from services.matching.store.round_lock import RoundLock, now_ms
from services.matching.store.rounds import Rounds
from services.matching.usecases.round_end import RoundEnd, ended
from services.matching.usecases.round_outcome import RoundOutcome
from services.matching.usecases.round_start import RoundStart
from services.matching.usecases.round_writer import Cancelled, RoundWriter
from services.matching.usecases.settlement import utc_now
from spareline.errors.v1 import cause_pb2
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import round_pb2

Round = round_pb2.Round

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
        start: RoundStart,
        outcome: RoundOutcome,
        end: RoundEnd,
        runner: RoundRunner,
        lock: RoundLock,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``owner`` is ``<instance>/<process>``; it is taken for dead ``lease_ms`` after its last
        sign of life.
        """
        self.owner = owner
        self._lease_ms = lease_ms
        self._rounds = rounds
        self._proposals = proposals
        self._start = start
        self._outcome = outcome
        self._end = end
        self._runner = runner
        self._lock = lock
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
            inputs, data = await self._start.take(writer)
        except SnapshotError:
            await self._stop(writer, said(cause_pb2.CAUSE_ROUND_INPUTS_GONE))
            return
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
        await self._outcome.keep(writer, inputs, result)
        if not writer.round.what_if:
            await self._end.finish(writer, inputs)

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
