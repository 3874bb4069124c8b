"""What proposals owe the ledger, and taking those steps: at once, or later after a crash.

A step is: move the ledger (idempotent), then store what came of it by compare-and-set. Whoever
loses the race finds the step taken, and goes on from what is stored now.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from services.chassis import logs
from services.chassis.access import organization_of
from services.chassis.gathered import Gathered
from services.matching import ledger as ledgers
from services.matching import metrics
from services.matching.domain import counters, proposals
from services.matching.domain.declined import Declined, turned_down
from services.matching.domain.proposals import Move
from services.matching.ledger import Ledger, Outcome
from services.matching.store.memory import BrokenOff, Memory
from services.matching.store.proposals import Proposals, Stored, Todo
from spareline.errors.v1 import reason_pb2
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party

_AT_ONCE = 32
_STEPS = 6  # the longest chain is revise, rehold, release

_log = logs.get_logger("settlement")


def utc_now() -> datetime:
    """Return the clock."""
    return datetime.now(UTC)


class Settlement:
    """Takes the steps that proposals owe the ledger."""

    def __init__(
        self,
        store: Proposals,
        memory: Memory,
        ledger: Ledger,
        broken: Callable[[], None],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``broken`` is called when a proposal has broken off, so that a repair is wanted."""
        self._store = store
        self._memory = memory
        self._ledger = ledger
        self._commits = Gathered(ledger.commit, lambda reference: reference.claim)
        self._broken = broken
        self._now = now

    async def settle(self, stored: Stored) -> tuple[Stored, Outcome]:
        """Take all steps that a proposal owes; return it as it then stands.

        The outcome is the first one that was not ok, so that a caller learns why its wish was
        not granted. Raises Unavailable when the ledger is away; what is owed stays stored.
        """
        refusal = Outcome(ok=True)
        for _ in range(_STEPS):
            if stored.todo is Todo.NOTHING:
                break
            outcome, after = await self._step(stored)
            if refusal.ok:
                refusal = outcome
            before, stored = stored, after or await self._again(stored)
            if stored.revision == before.revision:
                break  # refused by the ledger for now: the reconciler comes back to it
        return stored, refusal

    async def settle_many(self, owing: Sequence[Stored]) -> None:
        """Take the steps of many proposals; one that fails does not keep the others waiting.

        Raises the first failure once all have been tried.
        """
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(stored: Stored) -> None:
            async with gate:
                await self.settle(stored)

        results = await asyncio.gather(*(one(each) for each in owing), return_exceptions=True)
        for failure in results:
            if failure is not None:
                raise failure

    async def hold_all(self, holding: Sequence[Stored]) -> tuple[int, int]:
        """Hold the capacity of a round's proposals; return how many were proposed and failed."""
        claims = [
            ledgers.claim_of(each.proposal, each.proposal.legs, each.claim_version)
            for each in holding
        ]
        outcomes = await self._ledger.hold(claims)
        now = self._now()
        moves = []
        failed = 0
        for each in holding:
            outcome = outcomes[each.name]
            if outcome.ok:
                moves.append((each, proposals.propose(each.proposal, now), Todo.NOTHING))
            else:
                failed += 1
                metrics.HOLDS_FAILED.inc()
                _log.warning("hold failed", proposal=each.name, why=outcome.message)
                why = outcome.message
                moves.append((each, proposals.fail(each.proposal, now, why), Todo.RELEASE))
        await self._store.save_many(moves)
        return len(holding) - failed, failed

    async def _again(self, stored: Stored) -> Stored:
        found = await self._store.get(stored.name)
        return stored if found is None else found

    async def _step(self, stored: Stored) -> tuple[Outcome, Stored | None]:
        """Take one step; return what the ledger said, and the proposal if this changed it."""
        match stored.todo:
            case Todo.COMMIT:
                return await self._commit(stored)
            case Todo.REVISE:
                return await self._revise(stored)
            case Todo.REHOLD:
                return await self._rehold(stored)
            case Todo.RELEASE:
                return await self._release(stored)
            case _:
                return await self._cancel(stored)

    async def _commit(self, stored: Stored) -> tuple[Outcome, Stored | None]:
        reference = ledgers.reference_of(stored.proposal, stored.claim_version)
        outcome = await self._commits.ask(reference)
        now = self._now()
        if outcome.ok:
            confirmed = proposals.confirm(stored.proposal, now)
            return outcome, await self._save(stored, confirmed, Todo.NOTHING)
        _log.error("commit refused", proposal=stored.name, why=outcome.message)
        gone = proposals.expire(stored.proposal, now, "the hold was gone")
        return outcome, await self._save(stored, gone, Todo.RELEASE)

    async def _revise(self, stored: Stored) -> tuple[Outcome, Stored | None]:
        legs = counters.revised_terms(stored.proposal)
        claim = ledgers.claim_of(stored.proposal, legs, stored.claim_version)
        outcome = (await self._ledger.hold([claim]))[stored.name]
        now = self._now()
        if outcome.ok:
            move = counters.revise(stored.proposal, now)
            confirming = move.proposal.state == Proposal.STATE_CONFIRMING
            todo = Todo.COMMIT if confirming else Todo.NOTHING
            return outcome, await self._save(stored, move, todo)
        # What the ledger says names whose capacity it is, and what is left of it.
        _log.warning("a counter does not fit", proposal=stored.name, why=outcome.message)
        move = counters.unfit(stored.proposal, now)
        version = stored.claim_version + 1
        return outcome, await self._store.save(stored, move, Todo.REHOLD, claim_version=version)

    async def _rehold(self, stored: Stored) -> tuple[Outcome, Stored | None]:
        claim = ledgers.claim_of(stored.proposal, stored.proposal.legs, stored.claim_version)
        outcome = (await self._ledger.hold([claim]))[stored.name]
        if outcome.ok:
            return outcome, await self._store.set_todo(stored, Todo.NOTHING)
        _log.error("hold lost", proposal=stored.name, why=outcome.message)
        gone = proposals.expire(stored.proposal, self._now(), "the hold was gone")
        return outcome, await self._save(stored, gone, Todo.RELEASE)

    async def _release(self, stored: Stored) -> tuple[Outcome, Stored | None]:
        await self._remember(stored)
        reference = ledgers.reference_of(stored.proposal, stored.claim_version)
        outcome = (await self._ledger.release([reference]))[stored.name]
        if outcome.reason == reason_pb2.REASON_CLAIM_COMMITTED:
            # Half of a commit that then failed: the proposal is over, so nothing may stay.
            outcome = (await self._ledger.release([reference], cancel=True))[stored.name]
        if not outcome.ok:
            _log.error("release refused", proposal=stored.name, why=outcome.message)
            return outcome, None
        after = await self._store.set_todo(stored, Todo.NOTHING)
        if stored.proposal.state in (Proposal.STATE_DECLINED, Proposal.STATE_EXPIRED):
            self._broken()
        return outcome, after

    async def _cancel(self, stored: Stored) -> tuple[Outcome, Stored | None]:
        organization = organization_of(stored.proposal.demand)
        await self._memory.broken.add(BrokenOff(stored.name, organization, stored.value))
        reference = ledgers.reference_of(stored.proposal, stored.claim_version)
        outcome = (await self._ledger.release([reference], cancel=True))[stored.name]
        if not outcome.ok:
            _log.error("cancel refused", proposal=stored.name, why=outcome.message)
            return outcome, None
        return outcome, await self._store.set_todo(stored, Todo.NOTHING)

    async def _save(self, stored: Stored, move: Move, todo: Todo) -> Stored | None:
        after = await self._store.save(stored, move, todo)
        if after is not None:
            metrics.MOVES.labels(Proposal.State.Name(move.proposal.state)).inc()
        return after

    async def _remember(self, stored: Stored) -> None:
        """Note which pairs were turned down, and put an innocent demand at the head."""
        proposal = stored.proposal
        if proposal.state == Proposal.STATE_FAILED:
            return  # it was never counted as won
        await self._memory.broken.add(
            BrokenOff(proposal.name, organization_of(proposal.demand), stored.value)
        )
        if proposal.state == Proposal.STATE_SUPERSEDED:
            return
        guilty = _guilty(proposal)
        time_ms = proposal.update_time.ToMilliseconds()
        await self._memory.declined.add(_turned_down(stored, guilty), time_ms)
        if counters.DEMANDER not in guilty:
            await self._memory.heads.add(proposal.demand, proposal.name, time_ms)


def _guilty(proposal: proposal_pb2.Proposal) -> set[int]:
    """Who broke it off: who declined, or who had not accepted when the lease ran out.

    Nobody did when all had accepted and only the hold was lost.
    """
    if proposal.state == Proposal.STATE_DECLINED:
        wanted = Party.ANSWER_DECLINED
    else:
        wanted = Party.ANSWER_UNSPECIFIED
    return {i for i, party in enumerate(proposal.parties) if party.answer == wanted}


def _turned_down(stored: Stored, guilty: set[int]) -> list[Declined]:
    """The pairs of the guilty: an offerer's own legs; all legs when the demander broke it off."""
    proposal = stored.proposal
    by_demander = counters.DEMANDER in guilty
    pairs = []
    for leg in proposal.legs:
        judged = stored.terms.get(f"{leg.offer}|{leg.line}", "")
        if judged and (by_demander or leg.party_index in guilty):
            terms = turned_down(judged, _reason(proposal), by_demander=by_demander)
            pairs.append(Declined(leg.offer, proposal.demand, leg.line, terms))
    return pairs


def _reason(proposal: proposal_pb2.Proposal) -> int:
    """Why it was declined; a proposal that ran out says nothing."""
    for entry in reversed(proposal.history):
        if entry.event == "declined":
            return entry.reason
    return proposal_pb2.DECLINE_REASON_UNSPECIFIED
