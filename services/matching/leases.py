"""What goes on in the background of proposals: leases end, and what was left undone is done."""

import asyncio
from collections.abc import Awaitable, Callable

from services.chassis import faults, logs
from services.matching import ledger as ledgers
from services.matching import metrics
from services.matching.domain import overdue
from services.matching.ledger import Ledger
from services.matching.store.proposals import Proposals, Stored, Todo
from services.matching.store.round_lock import now_ms
from services.matching.usecases.answers import Answers
from services.matching.usecases.settlement import Settlement, utc_now
from spareline.matching.v1 import proposal_pb2
from spareline.registry.v1 import ledger_service_pb2 as pb

Proposal = proposal_pb2.Proposal
Claim = pb.Claim

_BATCH = 500
# What a live call has just stored it is about to settle itself.
_GRACE_MS = 3_000
# A claim and its proposal are read at different moments; younger changes are left alone.
_SETTLED_MS = 30_000

_log = logs.get_logger("leases")

_COMMITTED = frozenset(
    {Proposal.STATE_CONFIRMED, Proposal.STATE_FULFILLED, Proposal.STATE_DISPUTED}
)
_OVER = frozenset(
    {
        Proposal.STATE_DECLINED,
        Proposal.STATE_EXPIRED,
        Proposal.STATE_CANCELLED,
        Proposal.STATE_FAILED,
        Proposal.STATE_SUPERSEDED,
    }
)


async def every(seconds: float, what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do some work for ever, at such a pause; while something is away, try again later."""
    while True:
        try:
            await work()
        except Exception as error:
            if not faults.is_away(error):
                raise
            _log.warning("put off", what=what, error=type(error).__name__)
        await asyncio.sleep(seconds)


class Leases:
    """Ends proposals whose time is over, and settles what a crash left unsettled."""

    def __init__(
        self, store: Proposals, answers: Answers, settlement: Settlement, ledger: Ledger
    ) -> None:
        self._store = store
        self._answers = answers
        self._settlement = settlement
        self._ledger = ledger

    async def sweep(self) -> None:
        """Expire every proposal whose lease has run out."""
        while due := await self._store.expired(now_ms(), _BATCH):
            for stored in due:
                await self._answers.expire(stored)
            if len(due) < _BATCH:
                return

    async def remind(self) -> None:
        """Remind of every delivery that is over and not reported by all; of each once."""
        while due := await self._store.unreported(now_ms(), _BATCH):
            moves = [(each, overdue.remind(each.proposal, utc_now()), Todo.NOTHING) for each in due]
            await self._store.save_many(moves)
            if len(due) < _BATCH:
                return

    async def settle(self) -> None:
        """Take the steps that proposals have owed the ledger for a while."""
        owing = await self._store.owing(now_ms() - _GRACE_MS, _BATCH)
        await self._settlement.settle_many(owing)

    async def measure(self) -> None:
        """Count proposals by state."""
        for state in Proposal.State.values()[1:]:
            count = await self._store.count(state)
            metrics.PROPOSALS.labels(Proposal.State.Name(state)).set(count)

    async def audit(self) -> None:
        """Compare every claim of the ledger with its proposal, and mend what differs.

        Claims of proposals that are over are freed; a waiting proposal without a claim gets one
        again, or ends. Both are traces of a crash at an unlucky moment, or of a lost database.
        """
        started = now_ms()
        claims: dict[str, pb.Claim] = {}
        async for claim in self._ledger.claims():
            claims[claim.claim] = claim
        names = sorted(claims)
        for start in range(0, len(names), _BATCH):
            part = names[start : start + _BATCH]
            found = await self._store.get_many(part)
            for name in part:
                await self._compare(claims[name], found.get(name), started)
        await self._find_unheld(claims, started)

    async def _compare(self, claim: pb.Claim, stored: Stored | None, started: int) -> None:
        if stored is None:
            _log.error("a claim without a proposal", claim=claim.claim, state=claim.state)
            if claim.state == Claim.STATE_HELD:
                await self._ledger.release([_reference(claim)])
            return
        if stored.todo is not Todo.NOTHING or not _rested(stored, started):
            return
        state = stored.proposal.state
        if state in _OVER:
            _log.error("a claim outlived its proposal", claim=claim.claim)
            cancelled = state == Proposal.STATE_CANCELLED
            await self._owe(stored, Todo.CANCEL if cancelled else Todo.RELEASE)
        elif state in _COMMITTED and claim.state == Claim.STATE_HELD:
            _log.error("a confirmed proposal was not committed", claim=claim.claim)
            await self._ledger.commit([ledgers.reference_of(stored.proposal, stored.claim_version)])

    async def _find_unheld(self, claims: dict[str, pb.Claim], started: int) -> None:
        for stored in await self._store.proposed(_BATCH * 20):
            due = stored.todo is Todo.NOTHING and _rested(stored, started)
            if stored.name not in claims and due:
                _log.error("a waiting proposal was not held", proposal=stored.name)
                await self._owe(stored, Todo.REHOLD)

    async def _owe(self, stored: Stored, todo: Todo) -> None:
        version = stored.claim_version + (todo is Todo.REHOLD)
        owing = await self._store.set_todo(stored, todo, version)
        if owing is not None:
            await self._settlement.settle(owing)


def _rested(stored: Stored, started: int) -> bool:
    return bool(stored.proposal.update_time.ToMilliseconds() < started - _SETTLED_MS)


def _reference(claim: pb.Claim) -> pb.ClaimRef:
    offers = sorted({leg.offer for leg in claim.legs})
    return pb.ClaimRef(claim=claim.claim, demand=claim.demand, offers=offers, version=claim.version)
