"""What operators read from rounds beyond their sums: flows, two side by side, who waits."""

import asyncio

from services.chassis import paging
from services.chassis.access import Principal
from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition, NotFound
from services.matching.rounds.shares import Shares, shift
from services.matching.store.artifacts import FLOWS, SHARES, Artifacts
from services.matching.store.memory import Fairness
from services.matching.usecases.reading import BookKeeper
from services.matching.usecases.rounds import RoundDesk
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import round_analysis_pb2, round_pb2

Round = round_pb2.Round


class Analysis:
    """Reads what rounds left behind for it."""

    def __init__(
        self, artifacts: Artifacts, fairness: Fairness, desk: RoundDesk, keeper: BookKeeper
    ) -> None:
        self._artifacts = artifacts
        self._fairness = fairness
        self._desk = desk
        self._keeper = keeper

    async def flows(self, name: str, principal: Principal) -> round_analysis_pb2.RoundFlows:
        """Return where a round flows. Raises NotFound, FailedPrecondition (ROUND_STATE)."""
        await self._completed(name, principal)
        data = await self._artifacts.get(name, FLOWS)
        if data is None:
            raise _not_kept(name)
        return round_analysis_pb2.RoundFlows.FromString(data)

    async def comparison(
        self, request: pb.GetRoundComparisonRequest, principal: Principal
    ) -> round_analysis_pb2.RoundComparison:
        """Return two rounds side by side. Raises NotFound, FailedPrecondition (ROUND_STATE)."""
        base = await self._completed(request.base, principal)
        other = await self._completed(request.name, principal)
        before, after = [
            await asyncio.to_thread(Shares.from_bytes, data)
            for data in (await self._shares(request.base), await self._shares(request.name))
        ]
        return round_analysis_pb2.RoundComparison(
            base=base,
            other=other,
            same_book=base.book_digest == other.book_digest,
            demands=shift(before.demands, after.demands),
            buyers=shift(before.buyers, after.buyers),
            sellers=shift(before.sellers, after.sellers),
            base_value=sum(before.buyers.values()),
            other_value=sum(after.buyers.values()),
        )

    async def waiting(self, request: pb.ListWaitingDemandsRequest) -> pb.ListWaitingDemandsResponse:
        """Return a page of open demands that win nothing, those that wait longest first."""
        page = paging.Page.of(request)
        (rounds, name), size = page.start.get("after", (2**31, "")), page.size
        book = self._keeper.book
        waits = (await self._fairness.latest()).waits
        ordered = sorted((-count, each) for each, count in waits.items() if book.demand(each))
        following = [each for each in ordered if each > (-rounds, name)]
        answer = pb.ListWaitingDemandsResponse(total_size=len(ordered))
        for negative, each in following[:size]:
            demand = book.demand(each)
            owner = book.organization("/".join(each.split("/")[:2]))
            answer.demands.add(
                demand=each,
                title="" if demand is None else demand.title,
                organization_display_name="" if owner is None else owner.display_name,
                rounds_waiting=-negative,
            )
        if len(following) > size:
            last = following[size - 1]
            answer.next_page_token = page.following(after=[-last[0], last[1]])
        return answer

    async def _completed(self, name: str, principal: Principal) -> round_pb2.Round:
        found = await self._desk.get(name, principal)
        if found.state != Round.STATE_COMPLETED:
            raise FailedPrecondition(
                reason_pb2.REASON_ROUND_STATE,
                said(cause_pb2.CAUSE_ROUND_NOT_COMPLETED),
                metadata={"state": Round.State.Name(found.state)},
            )
        return found

    async def _shares(self, name: str) -> bytes:
        data = await self._artifacts.get(name, SHARES)
        if data is None:
            raise _not_kept(name)
        return data


def _not_kept(name: str) -> NotFound:
    return NotFound(
        reason_pb2.REASON_NOT_FOUND,
        said(cause_pb2.CAUSE_ROUND_TOO_OLD, name=name),
    )
