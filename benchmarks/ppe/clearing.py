"""Clearing a week: a round as of its end, and the acceptance of all it proposes, by both sides."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.ppe.data import Week
from benchmarks.ppe.market import Market, all_of
from benchmarks.ppe.policy import NAME
from services.chassis.paging import pages
from spareline.matching.v1 import matching_service_pb2 as api
from spareline.matching.v1.matching_service_pb2 import BookSummary
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.matching.v1.round_pb2 import Round

Tell = Callable[[str], object]

_PAGE: Final = 1000
_POLL_SECONDS: Final = 0.25
_BOOK_SECONDS: Final = 180.0
# The book counts as taken in when it has not moved for so long.
_STILL_SECONDS: Final = 1.0
# A commitment may be under way for a moment after the last acceptance.
_CONFIRM_SECONDS: Final = 60.0
# Well below the most that a call may carry, so that progress shows.
_ANSWERS_AT_ONCE: Final = 150
_ANSWER_SECONDS: Final = 60.0


class ReplayFailed(RuntimeError):  # noqa: N818 - says what is the case
    """The market did something that the replay cannot go on from."""


async def book(market: Market) -> BookSummary:
    """The book as matching knows it."""
    return await market.operator.matching.GetBook(api.GetBookRequest())


async def taken_in(market: Market, offers: int, demands: int, tell: Tell) -> BookSummary:
    """Wait until matching knows so many offers and demands and has heard all there is.

    Raises:
        ReplayFailed: it does not within three minutes.
    """
    deadline = time.monotonic() + _BOOK_SECONDS
    last, since = -1, time.monotonic()
    while True:
        now = await book(market)
        if now.stream_sequence != last:
            last, since = now.stream_sequence, time.monotonic()
        enough = now.current and now.offers >= offers and now.demands >= demands
        if enough and time.monotonic() - since >= _STILL_SECONDS:
            return now
        if time.monotonic() > deadline:
            raise ReplayFailed(
                f"matching knows {now.offers} of {offers} offers and {now.demands} of "
                f"{demands} demands after {_BOOK_SECONDS:.0f} s"
            )
        tell(f"book: {now.offers} offers, {now.demands} demands")
        await asyncio.sleep(_POLL_SECONDS)


async def clear(market: Market, week: Week, seed: int, tell: Tell) -> Round:
    """Run a round as of the week's end and follow it.

    Raises:
        ReplayFailed: it did not complete.
    """
    request = api.RunRoundRequest(policy=NAME, seed=seed, request_id=str(uuid.uuid4()))
    request.as_of.FromDatetime(week.end.to_pydatetime())
    operation = await market.operator.matching.RunRound(request)
    name = f"rounds/{operation.name.rpartition('/')[2]}"
    last = Round()
    async for last in market.operator.matching.WatchRound(api.WatchRoundRequest(name=name)):
        progress = last.progress
        tell(f"round: {progress.phase} {progress.elapsed_milliseconds / 1000:.0f} s")
    if last.state != Round.STATE_COMPLETED:
        state = Round.State.Name(last.state)
        raise ReplayFailed(f"{name} of week {week.number} ended as {state}: {last.failure}")
    return last


async def proposals(market: Market, round_name: str) -> Sequence[Proposal]:
    """All proposals of a round, whole, as the operator reads them."""
    found: list[Proposal] = []
    request = api.ListProposalsRequest(parent=round_name, page_size=_PAGE)
    async for page in pages(market.operator.matching.ListProposals, request):
        found += page.proposals
    return found


async def accept(
    market: Market, proposed: Sequence[Proposal], done: Callable[[], object]
) -> Sequence[Proposal]:
    """Accept for every party of every proposal; returns them as they stand then.

    Raises:
        ReplayFailed: an acceptance was refused.
    """

    async def some(proposals: Sequence[Proposal]) -> list[Proposal]:
        request = api.BatchAcceptProposalsRequest()
        for proposal in proposals:
            for party in proposal.parties:
                request.requests.add(
                    name=proposal.name,
                    party=party.organization,
                    terms_version=proposal.terms_version,
                    request_id=str(uuid.uuid4()),
                )
        answer = await market.platform.matching.BatchAcceptProposals(
            request, timeout=_ANSWER_SECONDS
        )
        for asked, result in zip(request.requests, answer.results, strict=True):
            if result.reason:
                raise ReplayFailed(f"{asked.name} for {asked.party}: {result.message}")
        for _ in proposals:
            done()
        after = {result.proposal.name: result.proposal for result in answer.results}
        return [after[proposal.name] for proposal in proposals]

    answered = await all_of(some, _batches(proposed), lambda: None, in_flight=2)
    return [proposal for batch in answered for proposal in batch]


def _batches(proposed: Sequence[Proposal]) -> list[list[Proposal]]:
    """The proposals in batches of so many answers (one that wants more is a batch of its own)."""
    batches: list[list[Proposal]] = []
    answers = _ANSWERS_AT_ONCE
    for proposal in proposed:
        answers += len(proposal.parties)
        if answers > _ANSWERS_AT_ONCE:
            batches.append([])
            answers = len(proposal.parties)
        batches[-1].append(proposal)
    return batches


async def confirmed(market: Market, round_name: str, answered: Sequence[Proposal]) -> None:
    """Make sure that all that was accepted has become a commitment.

    Raises:
        ReplayFailed: a proposal ended otherwise, or hangs.
    """
    if all(each.state == Proposal.STATE_CONFIRMED for each in answered):
        return
    deadline = time.monotonic() + _CONFIRM_SECONDS
    names = {each.name for each in answered}
    while True:
        now = [each for each in await proposals(market, round_name) if each.name in names]
        open_ = [each for each in now if each.state != Proposal.STATE_CONFIRMED]
        if not open_:
            return
        if any(each.state != Proposal.STATE_CONFIRMING for each in open_):
            raise ReplayFailed(f"{open_[0].name} was accepted and did not become a commitment")
        if time.monotonic() > deadline:
            raise ReplayFailed(f"{open_[0].name} is being confirmed for a minute")
        await asyncio.sleep(_POLL_SECONDS)
