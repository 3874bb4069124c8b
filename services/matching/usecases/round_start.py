"""The start of a round: what it rests on is taken and stored before anything is solved."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from services.matching.domain import periods
from services.matching.domain.book import Book
from services.matching.domain.book_snapshot import SnapshotError
from services.matching.domain.proposals import stamp
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.artifacts import INPUTS, Artifacts
from services.matching.store.memory import Memory
from services.matching.store.proposals import Proposals
from services.matching.usecases.policies import PolicyBook
from services.matching.usecases.round_writer import RoundWriter
from services.matching.usecases.settlement import utc_now
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import policy_pb2, round_pb2

Round = round_pb2.Round


class RoundStart:
    """Takes the market for a round: as it is, or as an earlier round has found it."""

    def __init__(
        self,
        proposals: Proposals,
        artifacts: Artifacts,
        memory: Memory,
        policies: PolicyBook,
        book: Callable[[], Book],
        most_pairs: int = 0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Above ``most_pairs`` eligible pairs (0: never) lines keep a choice of theirs."""
        self._proposals = proposals
        self._artifacts = artifacts
        self._memory = memory
        self._policies = policies
        self._book = book
        self._most_pairs = most_pairs
        self._now = now

    async def take(self, writer: RoundWriter) -> tuple[RoundInputs, bytes]:
        """Begin the round; return what it rests on, also as the bytes that are stored now.

        Raises SnapshotError when an earlier round's market is to be taken and is not there, and
        Cancelled when it was asked to stop.
        """
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
        if earlier is None:
            inputs = await self._present(writer.round, policy, first, seconds)
        else:
            inputs = replace(
                earlier,
                round_name=writer.round.name,
                policy=policy,
                seed=writer.round.seed,
                time_limit_seconds=seconds,
            )
        data = await asyncio.to_thread(inputs.to_bytes)
        await self._artifacts.put(writer.round.name, INPUTS, data)
        return inputs, data

    async def _present(
        self, round_: round_pb2.Round, policy: policy_pb2.Policy, first: int, seconds: float
    ) -> RoundInputs:
        """What a round rests on that takes the market as it is now."""
        snapshot = self._book().snapshot()
        claimed = [
            demand.name
            for demand in snapshot.demands
            if any(balance.held or balance.committed for balance in demand.balances)
        ]
        return RoundInputs(
            round_name=round_.name,
            book=snapshot,
            policy=policy,
            now_period=first,
            seed=round_.seed,
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

    def _started(self, round_: round_pb2.Round) -> list[events_pb2.RoundStarted]:
        return [events_pb2.RoundStarted(round=round_, time=stamp(self._now()))]
