"""The client of the registry's capacity ledger: batches, retries, and the book kept right at once.

Every call is idempotent by claim and version, so a call of unknown outcome is simply made again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import grpc

from services.chassis import faults, grpc_errors, logs
from services.chassis.causes import said
from services.chassis.errors import Unavailable
from services.matching.domain.book import Book
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1 import demand_pb2, offer_pb2
from spareline.matching.v1 import proposal_pb2
from spareline.registry.v1 import ledger_service_pb2 as pb
from spareline.registry.v1 import ledger_service_pb2_grpc

# The more claims go together, the less often a sought-after offer is written.
BATCH = 500
# The ledger frees what we forget, but never before we have had every chance to commit it.
HOLD_BEYOND_LEASE = timedelta(hours=1)
CALL_SECONDS = 180.0
_ATTEMPTS = 4

_log = logs.get_logger("ledger")


@dataclass(frozen=True)
class Outcome:
    """What became of one claim; ``reason`` is a value of Reason, 0 when ok."""

    ok: bool
    reason: int = 0
    message: str = ""


class _Answer(Protocol):
    @property
    def results(self) -> Iterable[pb.ClaimResult]: ...
    @property
    def offers(self) -> Iterable[offer_pb2.Offer]: ...
    @property
    def demands(self) -> Iterable[demand_pb2.Demand]: ...


class Ledger:
    """Moves capacity in the registry; ``book`` returns the book of the moment."""

    def __init__(self, channel: grpc.aio.Channel, book: Callable[[], Book]) -> None:
        stub: Any = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        self._stub = stub
        self._book = book

    async def hold(self, claims: Sequence[pb.Claim]) -> dict[str, Outcome]:
        """Hold claims, each whole or not at all. Raises Unavailable when the ledger is away."""
        return await self._batches(
            claims, lambda part: self._stub.BatchHold(_hold(part), timeout=CALL_SECONDS)
        )

    async def commit(self, claims: Sequence[pb.ClaimRef]) -> dict[str, Outcome]:
        """Turn holds into commitments. Raises Unavailable when the ledger is away."""
        return await self._batches(
            claims, lambda part: self._stub.BatchCommit(_commit(part), timeout=CALL_SECONDS)
        )

    async def release(
        self, claims: Sequence[pb.ClaimRef], *, cancel: bool = False
    ) -> dict[str, Outcome]:
        """Free holds (with ``cancel`` commitments too). Raises Unavailable."""

        def call(part: Sequence[pb.ClaimRef]) -> Any:
            request = pb.BatchReleaseRequest(claims=part, cancel=cancel)
            return self._stub.BatchRelease(request, timeout=CALL_SECONDS)

        return await self._batches(claims, call)

    async def claims(self) -> AsyncIterator[pb.Claim]:
        """Return every claim of the ledger, one by one."""
        async for claim in self._stub.StreamClaims(pb.StreamClaimsRequest()):
            yield claim

    async def _batches(
        self, claims: Sequence[Any], call: Callable[[Any], Any]
    ) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for start in range(0, len(claims), BATCH):
            part = claims[start : start + BATCH]
            answer = await _patiently(partial(call, part))
            self._note(answer)
            for claim, result in zip(part, answer.results, strict=True):
                outcomes[claim.claim] = _outcome(result)
        return outcomes

    def _note(self, answer: _Answer) -> None:
        book = self._book()
        for offer in answer.offers:
            book.apply_offer_balances(offer)
        for demand in answer.demands:
            book.apply_demand_balances(demand)


def claim_of(
    proposal: proposal_pb2.Proposal, legs: Sequence[proposal_pb2.Leg], version: int
) -> pb.Claim:
    """Return what a proposal claims with these legs."""
    expire = proposal.lease_expire_time.ToDatetime() + HOLD_BEYOND_LEASE
    claim = pb.Claim(claim=proposal.name, demand=proposal.demand, version=version)
    claim.expire_time.FromDatetime(expire)
    for leg in legs:
        for delivery in leg.deliveries:
            claim.legs.add(
                offer=leg.offer, line=leg.line, period=delivery.period, quantity=delivery.quantity
            )
    return claim


def reference_of(proposal: proposal_pb2.Proposal, version: int) -> pb.ClaimRef:
    """Return the name of a proposal's claim."""
    offers = sorted({leg.offer for leg in proposal.legs})
    return pb.ClaimRef(claim=proposal.name, demand=proposal.demand, offers=offers, version=version)


def _hold(claims: Sequence[pb.Claim]) -> pb.BatchHoldRequest:
    return pb.BatchHoldRequest(claims=claims)


def _commit(claims: Sequence[pb.ClaimRef]) -> pb.BatchCommitRequest:
    return pb.BatchCommitRequest(claims=claims)


def _outcome(result: pb.ClaimResult) -> Outcome:
    if result.ok:
        return Outcome(ok=True)
    known = reason_pb2.Reason.DESCRIPTOR.values_by_name.get(result.reason)
    reason = known.number if known is not None else reason_pb2.REASON_INTERNAL
    return Outcome(False, reason, result.message)


async def _patiently(call: Callable[[], Any]) -> Any:
    pause = 0.2
    for remaining in range(_ATTEMPTS - 1, -1, -1):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if not faults.is_away(error) and error.code() is not grpc.StatusCode.ABORTED:
                raise grpc_errors.from_rpc_error(error) from error
            if not remaining:
                raise Unavailable(
                    reason_pb2.REASON_UNAVAILABLE, said(cause_pb2.CAUSE_LEDGER_AWAY)
                ) from error
            _log.warning("the ledger is away", code=error.code().name, seconds=pause)
        await asyncio.sleep(pause)
        pause *= 2
    raise AssertionError("the last attempt returns or raises")
