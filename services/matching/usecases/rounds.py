"""Asking for rounds, reading, following, stopping and checking them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from services.chassis import names, paging
from services.chassis.access import Principal
from services.chassis.aggregates import Answer, request_digest, stored_answer
from services.chassis.causes import said
from services.chassis.errors import (
    Aborted,
    FailedPrecondition,
    NotFound,
    Violation,
    invalid,
)
from services.chassis.mongo import DuplicateKey
from services.matching import redact
from services.matching.domain.proposals import stamp
from services.matching.rounds.runner import RoundRunner
from services.matching.store.artifacts import ANSWER, INPUTS, Artifacts
from services.matching.store.round_lock import now_ms
from services.matching.store.rounds import UNDER_WAY, Rounds, StoredRound
from services.matching.usecases import trial
from services.matching.usecases.clearing import Clearing
from services.matching.usecases.policies import PolicyBook
from services.matching.usecases.settlement import utc_now
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import round_pb2

Round = round_pb2.Round

_PATTERN = "rounds/{round}"
_SEEDS = 2**31
_LOOK_SECONDS = 0.3
_CANCEL_SECONDS = 8.0
_MOST_WAITING = 8
_ATTEMPTS = 12
_ALL_SEEING = frozenset({"operator", "service"})


class RoundDesk:
    """What callers do with rounds."""

    def __init__(
        self,
        store: Rounds,
        artifacts: Artifacts,
        policies: PolicyBook,
        clearing: Clearing,
        runner: RoundRunner,
        stopping: asyncio.Event,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._policies = policies
        self._clearing = clearing
        self._runner = runner
        self._stopping = stopping
        self._now = now

    async def run(self, request: pb.RunRoundRequest) -> round_pb2.Round:
        """Ask for a round; it runs when those before it have ended.

        Raises NotFound (policy, inputs_of), InvalidArgument (what goes with what-if rounds only),
        FailedPrecondition (ROUND_RUNNING) when too many wait already.
        """
        if request.seed >= _SEEDS:
            wrong = Violation("seed", said(cause_pb2.CAUSE_SEED_TOO_LARGE, bound=_SEEDS))
            raise invalid(wrong)
        identity = names.derived_id("rounds", request.request_id)
        digest = request_digest(request)
        known = await self._store.get(f"rounds/{identity}")
        if known is not None:
            stored_answer(known.document, request.request_id, digest)
            return known.round
        if len(await self._store.under_way()) >= _MOST_WAITING:
            raise FailedPrecondition(
                reason_pb2.REASON_ROUND_RUNNING, said(cause_pb2.CAUSE_ROUND_RUNNING)
            )
        limits = {}
        if request.HasField("time_limit"):
            limits["time_limit_ms"] = request.time_limit.ToMilliseconds()
        if request.HasField("as_of"):
            limits["as_of_ms"] = request.as_of.ToMilliseconds()
        trial.require_sound(request)
        named = request.trial_policy.name or request.policy
        policy = await self._policies.get(named, request.policy_version)
        round_ = self._new(identity, policy.name, policy.version, Round.TRIGGER_REQUEST)
        round_.what_if = request.what_if
        if request.HasField("trial_policy"):
            round_.trial_policy.CopyFrom(trial.tried(request.trial_policy))
            round_.policy_version = 0
        if request.inputs_of:
            await self._require_completed(request.inputs_of)
            round_.inputs_of = request.inputs_of
        round_.seed = request.seed or round_.seed
        answer = Answer(request.request_id, digest, round_.SerializeToString())
        return await self._create(round_, limits, answer)

    async def start(self, trigger: round_pb2.Round.Trigger.ValueType) -> bool:
        """Begin a round by itself; False when one waits for its turn already."""
        waiting = await self._store.under_way()
        if any(each.round.state == Round.STATE_PENDING for each in waiting):
            return False
        policy = await self._policies.get()
        round_ = self._new(names.new_id(), policy.name, policy.version, trigger)
        await self._create(round_, {}, None)
        return True

    async def last_start(self) -> float | None:
        """Return when the newest round was asked for, in seconds of the epoch."""
        newest = await self._store.page(False, "", 1)
        return newest[0].round.create_time.ToMilliseconds() / 1000 if newest else None

    async def get(self, name: str, principal: Principal) -> round_pb2.Round:
        """Return a round. Raises NotFound, for a what-if round also to all but operators."""
        return _seen((await self._require(name, principal)).round, principal)

    async def list(
        self, request: pb.ListRoundsRequest, principal: Principal
    ) -> pb.ListRoundsResponse:
        """Return a page of rounds, newest first; what-if rounds only to operators."""
        page = paging.Page.of(request)
        before, size = str(page.start.get("before", "")), page.size
        what_if = request.include_what_if and principal.role in _ALL_SEEING
        found = await self._store.page(what_if, before, size + 1)
        answer = pb.ListRoundsResponse(
            rounds=[_seen(each.round, principal) for each in found[:size]]
        )
        if len(found) > size:
            answer.next_page_token = page.following(before=found[size - 1].document["order"])
        return answer

    async def watch(self, name: str, principal: Principal) -> AsyncIterator[round_pb2.Round]:
        """Yield the round whenever it has changed, until it has ended."""
        shown = b""
        while not self._stopping.is_set():
            round_ = _seen((await self._require(name, principal)).round, principal)
            body = round_.SerializeToString(deterministic=True)
            if body != shown:
                shown = body
                yield round_
            if round_.state not in UNDER_WAY:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def wait(self, name: str, principal: Principal, seconds: float) -> round_pb2.Round:
        """Return the round once it has ended, or as it is after so many seconds."""
        until = now_ms() + int(seconds * 1000)
        while True:
            round_ = _seen((await self._require(name, principal)).round, principal)
            over = round_.state not in UNDER_WAY or self._stopping.is_set()
            if over or now_ms() >= until:
                return round_
            await asyncio.sleep(_LOOK_SECONDS)

    async def cancel(self, request: pb.CancelRoundRequest, principal: Principal) -> round_pb2.Round:
        """Stop a round; nothing is proposed. Cancelling again changes nothing.

        Raises FailedPrecondition (ROUND_STATE) when it has ended or its proposals are being made.
        """
        digest = request_digest(request)
        for _ in range(_ATTEMPTS):
            stored = await self._require(request.name, principal)
            replayed = stored_answer(stored.document, request.request_id, digest)
            if replayed is not None or stored.cancelled:
                return await self.wait(request.name, principal, _CANCEL_SECONDS)
            if stored.holding or stored.round.state not in UNDER_WAY:
                raise FailedPrecondition(
                    reason_pb2.REASON_ROUND_STATE,
                    said(cause_pb2.CAUSE_ROUND_ENDED),
                    metadata={"state": Round.State.Name(stored.round.state)},
                )
            answer = Answer(request.request_id, digest, b"")
            if await self._store.save(stored, stored.round, (), answer, cancelled=True):
                return await self.wait(request.name, principal, _CANCEL_SECONDS)
        raise Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))

    async def verify(self, request: pb.VerifyRoundRequest) -> round_pb2.Verification:
        """Check a stored round from its stored book. Raises NotFound, ROUND_STATE."""
        stored = await self._store.get(request.name)
        if stored is None:
            raise _no_round()
        inputs = await self._artifacts.get(request.name, INPUTS)
        answer = await self._artifacts.get(request.name, ANSWER)
        if stored.round.state != Round.STATE_COMPLETED or inputs is None or answer is None:
            raise FailedPrecondition(
                reason_pb2.REASON_ROUND_STATE, said(cause_pb2.CAUSE_ROUND_NOT_COMPLETED)
            )
        return await self._runner.verify(stored.round, inputs, answer, replay=request.replay)

    async def _require_completed(self, name: str) -> None:
        """Raise NotFound or FailedPrecondition (ROUND_STATE) unless the round's market is kept."""
        names.parse(_PATTERN, name, field="inputs_of")
        stored = await self._store.get(name)
        if stored is None:
            raise _no_round()
        if stored.round.state != Round.STATE_COMPLETED:
            raise FailedPrecondition(
                reason_pb2.REASON_ROUND_STATE, said(cause_pb2.CAUSE_ROUND_NOT_COMPLETED)
            )

    async def _require(self, name: str, principal: Principal) -> StoredRound:
        names.parse(_PATTERN, name)
        stored = await self._store.get(name)
        hidden = stored is not None and stored.round.what_if
        if stored is None or (hidden and principal.role not in _ALL_SEEING):
            raise _no_round()
        return stored

    def _new(
        self, identity: str, policy: str, version: int, trigger: round_pb2.Round.Trigger.ValueType
    ) -> round_pb2.Round:
        return Round(
            name=f"rounds/{identity}",
            state=Round.STATE_PENDING,
            trigger=trigger,
            policy=policy,
            policy_version=version,
            seed=secrets.randbelow(_SEEDS - 1) + 1,
            create_time=stamp(self._now()),
        )

    async def _create(
        self, round_: round_pb2.Round, limits: dict[str, int], answer: Answer | None
    ) -> round_pb2.Round:
        clearing = self._clearing
        try:
            await self._store.create(round_, clearing.owner, clearing.alive_until(), limits, answer)
        except DuplicateKey:
            known = await self._store.get(round_.name)  # the same request, a moment ago
            return round_ if known is None else known.round
        clearing.submit(round_.name)
        return round_


def _seen(round_: round_pb2.Round, principal: Principal) -> round_pb2.Round:
    return round_ if principal.role in _ALL_SEEING else redact.round_for_member(round_)


def _no_round() -> NotFound:
    return NotFound(reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_THING, name="round"))
