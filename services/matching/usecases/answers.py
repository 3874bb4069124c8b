"""What parties do with a proposal: accept, decline, counter, report; and the operator's word.

Each is a move of the state machine, stored by compare-and-set with its event and the request's
answer in one write, and then settled with the ledger.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from google.protobuf.message import Message

from services.chassis import faults
from services.chassis.causes import said
from services.chassis.errors import (
    DomainError,
    FailedPrecondition,
    Violation,
    invalid,
)
from services.matching import redact
from services.matching.domain import counters, proposals
from services.matching.domain.book import Book
from services.matching.domain.proposals import UNSEEN, Move
from services.matching.store.proposals import Proposals, Stored, Todo
from services.matching.usecases.moving import Act, Moving, Result, Wish, conflict, unknown
from services.matching.usecases.settlement import Settlement, utc_now
from spareline.errors.v1 import cause_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal

_AT_ONCE = 32


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
        self._book = book
        self._now = now
        self._moving = Moving(store, settlement, self.view, now)

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
        results: list[Result] = [conflict()] * len(requests)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str, indexes: Sequence[int]) -> None:
            wishes = [
                Wish.of(requests[i], requests[i].party, _accepting(requests[i])) for i in indexes
            ]
            found: Sequence[Result]
            async with gate:
                try:
                    found = await self._moving.together(name, wishes)
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
            stored, _ = await self._moving.settle(
                stored
            )  # else its hold could land after our release
        if stored.todo is not Todo.NOTHING or stored.proposal.state != Proposal.STATE_PROPOSED:
            return
        after = await self._moving.save(stored, proposals.expire(stored.proposal, self._now()))
        if after is not None:
            await self._moving.settle(after)

    async def supersede(self, stored: Stored, by_round: str) -> bool:
        """Take an unanswered proposal back for a new round; False when somebody has answered."""
        try:
            move = proposals.supersede(stored.proposal, self._now(), by_round)
        except FailedPrecondition:
            return False
        after = await self._moving.save(stored, move)
        if after is None:
            return False
        await self._moving.settle(after)
        return True

    async def _move(self, request: Message, party: str, act: Act) -> proposal_pb2.Proposal:
        name: str = request.name  # type: ignore[attr-defined]
        [result] = await self._moving.together(name, [Wish.of(request, party, act)])
        if isinstance(result, DomainError):
            raise result
        return result

    async def _visible(self, name: str, party: str) -> Stored:
        stored = await self._store.get(name)
        if stored is None or (party and stored.proposal.state in UNSEEN):
            raise unknown()
        return stored


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
