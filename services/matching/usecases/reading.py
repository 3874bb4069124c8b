"""Reading explanations, fairness accounts and the size of the book."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from services.chassis import names, paging
from services.chassis.access import Delegations, Principal, require_organization
from services.chassis.causes import said
from services.chassis.errors import NotFound, Violation, invalid
from services.matching.domain.book import Book
from services.matching.store.explanations import Explanations
from services.matching.store.memory import Fairness
from services.matching.usecases.rounds import RoundDesk
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import explanation_pb2, proposal_pb2
from spareline.matching.v1 import matching_service_pb2 as pb

_SUBJECTS = (
    "organizations/{organization}/demands/{demand}",
    "organizations/{organization}/offers/{offer}",
)


class BookKeeper(Protocol):
    """What is to be known of the book's state (the follower, or a test's stand-in)."""

    @property
    def book(self) -> Book:
        """The book of the moment."""

    @property
    def sequence(self) -> int:
        """Sequence of the last event taken in."""

    @property
    def current(self) -> bool:
        """Whether the book follows the market."""


class ReadingRoom:
    """What can be read beside rounds and proposals."""

    def __init__(
        self,
        explanations: Explanations,
        fairness: Fairness,
        desk: RoundDesk,
        keeper: BookKeeper,
        delegations: Delegations,
    ) -> None:
        self._explanations = explanations
        self._fairness = fairness
        self._desk = desk
        self._keeper = keeper
        self._delegations = delegations

    async def explanation(
        self, request: pb.GetExplanationRequest, principal: Principal
    ) -> explanation_pb2.Explanation:
        """Return the explanation of a demand or an offer. Raises NotFound."""
        if not any(names.matches(pattern, request.subject) for pattern in _SUBJECTS):
            names.parse(_SUBJECTS[0], request.subject, field="subject")
        if request.round:
            await self._desk.get(request.round, principal)  # refuses a what-if round, say
            found = await self._explanations.get(request.round, request.subject)
        else:
            found = await self._explanations.latest(request.subject)
        if found is None:
            raise NotFound(
                reason_pb2.REASON_NOT_FOUND,
                said(cause_pb2.CAUSE_NOT_EXPLAINED_YET),
            )
        return found

    async def with_choices(
        self, proposal: proposal_pb2.Proposal, party: str
    ) -> proposal_pb2.Proposal:
        """Add to a proposal as it is seen why each partner was chosen, if the reader may know.

        The demander may, and an operator who reads as nobody's party. An offering party may not:
        which others were within the limit tells of the limit.
        """
        if proposal.demand and (not party or proposal.parties[0].own):
            found = await self._explanations.get(proposal.round, proposal.demand)
            if found is not None:
                proposal.choices.extend(found.choices)
        return proposal

    async def explanations(
        self, request: pb.ListExplanationsRequest, principal: Principal
    ) -> pb.ListExplanationsResponse:
        """Return a page of a round's explanations: one's own; operators see all."""
        await self._desk.get(request.parent, principal)
        organization = request.organization
        if principal.role != "operator":
            organization = organization or principal.organization
            await require_organization(
                principal, organization, write=False, delegations=self._delegations
            )
            if not organization:
                raise invalid(Violation("organization", said(cause_pb2.CAUSE_MISSING)))
        page = paging.Page.of(request)
        after, size = str(page.start.get("after", "")), page.size
        found = await self._explanations.in_round(request.parent, organization, after, size + 1)
        answer = pb.ListExplanationsResponse(explanations=found[:size])
        if len(found) > size:
            answer.next_page_token = page.following(after=found[size - 1].subject)
        return answer

    async def accounts(
        self, request: pb.ListFairnessAccountsRequest
    ) -> pb.ListFairnessAccountsResponse:
        """Return a page of fairness accounts, most in need first."""
        page = paging.Page.of(request)
        after, size = str(page.start.get("after", "")), page.size
        found = await self._fairness.page(after, size + 1)
        answer = pb.ListFairnessAccountsResponse(accounts=[each for _, each in found[:size]])
        for account in answer.accounts:
            known = self._keeper.book.organization(account.organization)
            account.display_name = "" if known is None else known.display_name
        if len(found) > size:
            answer.next_page_token = page.following(after=found[size - 1][0])
        return answer

    async def book(self, request: pb.GetBookRequest, principal: Principal) -> pb.BookSummary:
        """Return how large the book is; to operators who ask for it also its digest.

        Whoever guesses a whole book can try the guess on its digest.
        """
        book = self._keeper.book
        organizations, offers, demands = book.counts_in_play()
        digest = ""
        if request.with_digest and principal.role in ("operator", "service"):
            snapshot = book.snapshot()
            digest = await asyncio.to_thread(lambda: snapshot.digest)  # takes a while
        return pb.BookSummary(
            organizations=organizations,
            offers=offers,
            demands=demands,
            current=self._keeper.current,
            stream_sequence=self._keeper.sequence,
            digest=digest,
        )


def delegations_of(book: Callable[[], Book]) -> Delegations:
    """Return the check whether an organization has delegated to a platform, by the book."""

    async def delegated(platform: str, organization: str) -> bool:
        return book().is_delegate(platform, organization)

    return delegated
