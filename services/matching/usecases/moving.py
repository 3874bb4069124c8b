"""Moving a proposal: the move, its events and the answers in one write, then what it leads to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from google.protobuf.message import Message

from services.chassis import logs
from services.chassis.aggregates import Answer, request_digest, stored_answer
from services.chassis.causes import said
from services.chassis.errors import (
    Aborted,
    DomainError,
    FailedPrecondition,
    NotFound,
    Unavailable,
)
from services.matching import metrics
from services.matching.domain import counters
from services.matching.domain.proposals import UNSEEN, Move
from services.matching.ledger import Outcome
from services.matching.store.proposals import Proposals, Stored, Todo
from services.matching.usecases.settlement import Settlement
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal
Act = Callable[[proposal_pb2.Proposal, datetime], Move]
Result = proposal_pb2.Proposal | DomainError

_ATTEMPTS = 20

_log = logs.get_logger("proposals")

# What a state that was just reached owes the ledger.
_OWES = {
    Proposal.STATE_CONFIRMING: Todo.COMMIT,
    Proposal.STATE_DECLINED: Todo.RELEASE,
    Proposal.STATE_EXPIRED: Todo.RELEASE,
    Proposal.STATE_SUPERSEDED: Todo.RELEASE,
    Proposal.STATE_CANCELLED: Todo.CANCEL,
}


@dataclass(frozen=True)
class Wish:
    """What a request wants of a proposal, for a party."""

    request_id: str
    digest: str
    party: str
    act: Act

    @classmethod
    def of(cls, request: Message, party: str, act: Act) -> "Wish":
        """Return what a request wants for a party."""
        request_id: str = request.request_id  # type: ignore[attr-defined]
        return cls(request_id, request_digest(request), party, act)


class Moving:
    """Makes the moves of proposals and takes the steps that follow."""

    def __init__(
        self,
        store: Proposals,
        settlement: Settlement,
        view: Callable[[Stored, str], proposal_pb2.Proposal],
        now: Callable[[], datetime],
    ) -> None:
        """``view`` returns a proposal as a party sees it."""
        self._store = store
        self._settlement = settlement
        self._view = view
        self._now = now

    async def together(self, name: str, wishes: Sequence[Wish]) -> list[Result]:
        """Grant wishes in their order and in one write; per wish what its party sees, or why not.

        Raises Aborted (CONFLICT) when others kept coming in between.
        """
        for _ in range(_ATTEMPTS):
            stored = await self._store.get(name)
            results = [self._before(stored, wish) for wish in wishes]
            if stored is None or None not in results:
                return [result or unknown() for result in results]
            if stored.todo in (Todo.REVISE, Todo.REHOLD):
                # Terms are on their way: an answer must know which ones it is to.
                stored, _ = await self._settlement.settle(stored)
            move = self._grant(stored, wishes, results)
            open_ = [i for i, result in enumerate(results) if result is None]
            after: Stored | None = stored
            refusal: DomainError | None = None
            if move.changed:
                answers = [self._answer(wishes[i], stored, move) for i in open_]
                after = await self.save(stored, move, answers)
            if after is not None:
                after, refusal = await self._outcome(after)
                for i in open_:
                    results[i] = refusal or self._view(after, wishes[i].party)
                return [result or unknown() for result in results]
        raise conflict()

    def _before(self, stored: Stored | None, wish: Wish) -> Result | None:
        """What is known before anything is moved: that there is none to see, or the old answer."""
        if stored is None or (wish.party and stored.proposal.state in UNSEEN):
            return unknown()
        try:
            payload = stored_answer(stored.document, wish.request_id, wish.digest)
            if payload is None:
                return None
            return Proposal.FromString(payload) if payload else self._view(stored, wish.party)
        except DomainError as error:
            return error

    def _grant(self, stored: Stored, wishes: Sequence[Wish], results: list[Result | None]) -> Move:
        """Take the moves of all wishes that are open; what refuses one goes into its result."""
        proposal, events, changed = stored.proposal, list[Message](), False
        for index, wish in enumerate(wishes):
            if results[index] is not None:
                continue
            try:
                move = wish.act(proposal, self._now())
            except DomainError as error:
                results[index] = error
                continue
            if move.changed:
                proposal, changed = move.proposal, True
                events += move.events
        return Move(proposal, tuple(events), changed)

    def _answer(self, wish: Wish, stored: Stored, move: Move) -> Answer:
        if _todo(move) is not Todo.NOTHING:
            # What it leads to is decided by the step that follows, so a repeat reads that.
            return Answer(wish.request_id, wish.digest, b"")
        shown = self._view(replace(stored, proposal=move.proposal), wish.party)
        shown.etag = f'"{stored.revision + 1}"'
        return Answer(wish.request_id, wish.digest, shown.SerializeToString())

    async def save(
        self, stored: Stored, move: Move, answers: Sequence[Answer] = ()
    ) -> Stored | None:
        """Store a move and what it owes the ledger; None when somebody else was faster."""
        todo = _todo(move)
        version = stored.claim_version + (todo is Todo.REVISE)
        after = await self._store.save(stored, move, todo, claim_version=version, answers=answers)
        if after is not None:
            metrics.MOVES.labels(Proposal.State.Name(move.proposal.state)).inc()
        return after

    async def _outcome(self, stored: Stored) -> tuple[Stored, DomainError | None]:
        """Take the steps that follow; a revision that the ledger refuses is told as a refusal."""
        revising = stored.todo is Todo.REVISE
        stored, outcome = await self.settle(stored)
        if not revising or outcome.ok:
            return stored, None
        return stored, FailedPrecondition(outcome.reason, said(cause_pb2.CAUSE_TERMS_DO_NOT_FIT))

    async def settle(self, stored: Stored) -> tuple[Stored, Outcome]:
        """Give the ledger what is owed; when it is away, that is done later."""
        try:
            return await self._settlement.settle(stored)
        except Unavailable:
            # The move is stored, and what it owes the ledger with it: the reconciler goes on.
            _log.warning("the ledger is away; settled later", proposal=stored.name)
            return stored, Outcome(ok=True)


def unknown() -> NotFound:
    """The refusal where there is no proposal to see."""
    return NotFound(
        reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_THING, name="proposal")
    )


def conflict() -> Aborted:
    """The refusal where others kept coming in between."""
    return Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))


def _todo(move: Move) -> Todo:
    proposal = move.proposal
    if proposal.state == Proposal.STATE_PROPOSED and counters.is_agreed(proposal):
        return Todo.REVISE
    return _OWES.get(proposal.state, Todo.NOTHING)
