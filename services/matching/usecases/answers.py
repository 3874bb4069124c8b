"""What parties do with a proposal: accept, decline, counter, report; and the operator's word.

Each is a move of the state machine, stored by compare-and-set with its event and the request's
answer in one write, and then settled with the ledger.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from google.protobuf.message import Message

from services.chassis import faults, logs
from services.chassis.aggregates import Answer, request_digest, stored_answer
from services.chassis.causes import said
from services.chassis.errors import (
    Aborted,
    DomainError,
    FailedPrecondition,
    NotFound,
    Unavailable,
    Violation,
    invalid,
)
from services.matching import metrics, redact
from services.matching.domain import counters, proposals
from services.matching.domain.book import Book
from services.matching.domain.proposals import UNSEEN, Move
from services.matching.ledger import Outcome
from services.matching.store.proposals import Proposals, Stored, Todo
from services.matching.usecases.settlement import Settlement, utc_now
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal
Act = Callable[[proposal_pb2.Proposal, datetime], Move]

_ATTEMPTS = 20
_AT_ONCE = 32

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
class _Wish:
    """What a request wants of a proposal, for a party."""

    request_id: str
    digest: str
    party: str
    act: Act


Result = proposal_pb2.Proposal | DomainError


class Answers:
    """Moves proposals for their parties."""

    def __init__(
        self,
        store: Proposals,
        settlement: Settlement,
        book: Callable[[], Book],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._settlement = settlement
        self._book = book
        self._now = now

    def view(self, stored: Stored, party: str, *, operator: bool = False) -> proposal_pb2.Proposal:
        """Return a proposal as a party sees it; an operator sees no contacts, whoever's view it is.

        Raises PermissionDenied (NOT_A_PARTY).
        """
        if not party:
            return redact.for_operator(stored.proposal)
        proposals.party_index(stored.proposal, party)
        seen = redact.for_party(stored.proposal, party, stored.hidden, self._book().organization)
        return redact.for_operator(seen) if operator else seen

    async def get(self, name: str, party: str, *, operator: bool = False) -> proposal_pb2.Proposal:
        """Return a proposal for a reader. Raises NotFound, PermissionDenied (NOT_A_PARTY)."""
        return self.view(await self._visible(name, party), party, operator=operator)

    async def accept(self, request: pb.AcceptProposalRequest) -> proposal_pb2.Proposal:
        """Accept the terms for a party."""
        return await self._move(request, request.party, _accepting(request))

    async def accept_many(self, requests: Sequence[pb.AcceptProposalRequest]) -> list[Result]:
        """Accept for many parties; per request the proposal as its party sees it, or why not.

        What concerns one proposal is stored in one write. No refusal touches the others.
        """
        by_name: dict[str, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            by_name[request.name].append(index)
        results: list[Result] = [_conflict()] * len(requests)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str, indexes: Sequence[int]) -> None:
            wishes = [
                _wish(requests[i], requests[i].party, _accepting(requests[i])) for i in indexes
            ]
            found: Sequence[Result]
            async with gate:
                try:
                    found = await self._move_together(name, wishes)
                except Exception as error:
                    if not isinstance(error, DomainError) and not faults.is_away(error):
                        raise
                    found = [faults.as_domain_error(error)] * len(wishes)
            for index, result in zip(indexes, found, strict=True):
                results[index] = result

        await asyncio.gather(*(one(*each) for each in by_name.items()))
        return results

    async def decline(self, request: pb.DeclineProposalRequest) -> proposal_pb2.Proposal:
        """Decline for a party."""

        def act(found: proposal_pb2.Proposal, now: datetime) -> Move:
            return proposals.decline(found, request.party, request.reason, request.note, now)

        return await self._move(request, request.party, act)

    async def counter(self, request: pb.CounterProposalRequest) -> proposal_pb2.Proposal:
        """Ask for other terms."""

        def act(found: proposal_pb2.Proposal, now: datetime) -> Move:
            legs = _true_legs(found, request.party, request.legs)
            return counters.counter(found, request.party, legs, request.note, now)

        return await self._move(request, request.party, act)

    async def accept_counter(self, request: pb.AcceptCounterRequest) -> proposal_pb2.Proposal:
        """Agree to a counter; the last to agree changes the terms.

        Raises FailedPrecondition (CAPACITY_EXCEEDED, DEMAND_EXCEEDED) when they do not fit.
        """
        return await self._move(
            request,
            request.party,
            lambda found, now: counters.agree(found, request.party, now),
        )

    async def decline_counter(self, request: pb.DeclineCounterRequest) -> proposal_pb2.Proposal:
        """Refuse a counter, or take one's own back."""
        return await self._move(
            request,
            request.party,
            lambda found, now: counters.refuse(found, request.party, request.note, now),
        )

    async def report(self, request: pb.ReportProposalRequest) -> proposal_pb2.Proposal:
        """Report how a confirmed proposal went. Raises InvalidArgument (FIELD_INVALID)."""
        said = _said(request)

        def act(found: proposal_pb2.Proposal, now: datetime) -> Move:
            return proposals.report(found, request.party, said, now)

        return await self._move(request, request.party, act)

    async def resolve(self, request: pb.ResolveDisputeRequest) -> proposal_pb2.Proposal:
        """End a dispute, as an operator."""
        return await self._move(
            request,
            "",
            lambda found, now: proposals.resolve(found, request.fulfilled, request.note, now),
        )

    async def expire(self, stored: Stored) -> None:
        """End a proposal whose lease has run out; a party that was faster wins."""
        if stored.todo in (Todo.REVISE, Todo.REHOLD):
            stored, _ = await self._settle(stored)  # else its hold could land after our release
        if stored.todo is not Todo.NOTHING or stored.proposal.state != Proposal.STATE_PROPOSED:
            return
        after = await self._save(stored, proposals.expire(stored.proposal, self._now()))
        if after is not None:
            await self._settle(after)

    async def supersede(self, stored: Stored, by_round: str) -> bool:
        """Take an unanswered proposal back for a new round; False when somebody has answered."""
        try:
            move = proposals.supersede(stored.proposal, self._now(), by_round)
        except FailedPrecondition:
            return False
        after = await self._save(stored, move)
        if after is None:
            return False
        await self._settle(after)
        return True

    async def _move(self, request: Message, party: str, act: Act) -> proposal_pb2.Proposal:
        name: str = request.name  # type: ignore[attr-defined]
        [result] = await self._move_together(name, [_wish(request, party, act)])
        if isinstance(result, DomainError):
            raise result
        return result

    async def _move_together(self, name: str, wishes: Sequence[_Wish]) -> list[Result]:
        """Grant wishes in their order and in one write; per wish what its party sees, or why not.

        Raises Aborted (CONFLICT) when others kept coming in between.
        """
        for _ in range(_ATTEMPTS):
            stored = await self._store.get(name)
            results = [self._before(stored, wish) for wish in wishes]
            if stored is None or None not in results:
                return [result or _unknown() for result in results]
            if stored.todo in (Todo.REVISE, Todo.REHOLD):
                # Terms are on their way: an answer must know which ones it is to.
                stored, _ = await self._settlement.settle(stored)
            move = self._grant(stored, wishes, results)
            open_ = [i for i, result in enumerate(results) if result is None]
            after: Stored | None = stored
            refusal: DomainError | None = None
            if move.changed:
                answers = [self._answer(wishes[i], stored, move) for i in open_]
                after = await self._save(stored, move, answers)
            if after is not None:
                after, refusal = await self._outcome(after)
                for i in open_:
                    results[i] = refusal or self.view(after, wishes[i].party)
                return [result or _unknown() for result in results]
        raise _conflict()

    def _before(self, stored: Stored | None, wish: _Wish) -> Result | None:
        """What is known before anything is moved: that there is none to see, or the old answer."""
        if stored is None or (wish.party and stored.proposal.state in UNSEEN):
            return _unknown()
        try:
            payload = stored_answer(stored.document, wish.request_id, wish.digest)
            if payload is None:
                return None
            return Proposal.FromString(payload) if payload else self.view(stored, wish.party)
        except DomainError as error:
            return error

    def _grant(self, stored: Stored, wishes: Sequence[_Wish], results: list[Result | None]) -> Move:
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

    def _answer(self, wish: _Wish, stored: Stored, move: Move) -> Answer:
        if _todo(move) is not Todo.NOTHING:
            # What it leads to is decided by the step that follows, so a repeat reads that.
            return Answer(wish.request_id, wish.digest, b"")
        shown = self.view(replace(stored, proposal=move.proposal), wish.party)
        shown.etag = f'"{stored.revision + 1}"'
        return Answer(wish.request_id, wish.digest, shown.SerializeToString())

    async def _save(
        self, stored: Stored, move: Move, answers: Sequence[Answer] = ()
    ) -> Stored | None:
        todo = _todo(move)
        version = stored.claim_version + (todo is Todo.REVISE)
        after = await self._store.save(stored, move, todo, claim_version=version, answers=answers)
        if after is not None:
            metrics.MOVES.labels(Proposal.State.Name(move.proposal.state)).inc()
        return after

    async def _outcome(self, stored: Stored) -> tuple[Stored, DomainError | None]:
        """Take the steps that follow; a revision that the ledger refuses is told as a refusal."""
        revising = stored.todo is Todo.REVISE
        stored, outcome = await self._settle(stored)
        if not revising or outcome.ok:
            return stored, None
        return stored, FailedPrecondition(outcome.reason, said(cause_pb2.CAUSE_TERMS_DO_NOT_FIT))

    async def _settle(self, stored: Stored) -> tuple[Stored, Outcome]:
        try:
            return await self._settlement.settle(stored)
        except Unavailable:
            # The move is stored, and what it owes the ledger with it: the reconciler goes on.
            _log.warning("the ledger is away; settled later", proposal=stored.name)
            return stored, Outcome(ok=True)

    async def _visible(self, name: str, party: str) -> Stored:
        stored = await self._store.get(name)
        if stored is None or (party and stored.proposal.state in UNSEEN):
            raise _unknown()
        return stored


def _wish(request: Message, party: str, act: Act) -> _Wish:
    request_id: str = request.request_id  # type: ignore[attr-defined]
    return _Wish(request_id, request_digest(request), party, act)


def _accepting(request: pb.AcceptProposalRequest) -> Act:
    return lambda found, now: proposals.accept(found, request.party, request.terms_version, now)


def _said(request: pb.ReportProposalRequest) -> proposals.Report:
    if request.late and not request.fulfilled:
        wrong = Violation(
            "late",
            said(cause_pb2.CAUSE_LATE_BUT_NOT_FULFILLED),
        )
        raise invalid(wrong)
    answers = proposal_pb2.Party
    delivered = answers.ANSWER_LATE if request.late else answers.ANSWER_FULFILLED
    answer = delivered if request.fulfilled else answers.ANSWER_FAILED
    return proposals.Report(answer, request.rating, request.note)


def _unknown() -> NotFound:
    return NotFound(
        reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_THING, name="proposal")
    )


def _conflict() -> Aborted:
    return Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))


def _todo(move: Move) -> Todo:
    proposal = move.proposal
    if proposal.state == Proposal.STATE_PROPOSED and counters.is_agreed(proposal):
        return Todo.REVISE
    return _OWES.get(proposal.state, Todo.NOTHING)


def _true_legs(
    proposal: proposal_pb2.Proposal, party: str, legs: Iterable[proposal_pb2.CounterLeg]
) -> list[proposal_pb2.CounterLeg]:
    """Translate indexes into the legs that a party sees to indexes into all legs."""
    seen = redact.legs_seen(proposal, party)
    true = []
    for leg in legs:
        translated = proposal_pb2.CounterLeg()
        translated.CopyFrom(leg)
        known = leg.leg_index < len(seen)
        translated.leg_index = seen[leg.leg_index] if known else len(proposal.legs)
        true.append(translated)
    return true
