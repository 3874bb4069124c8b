"""LedgerService over gRPC."""

from collections.abc import AsyncIterator, Sequence

from services.chassis.causes import said
from services.registry import convert
from services.registry.domain import ledger as domain
from services.registry.domain import periods
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.instants import milliseconds
from services.registry.grpc_api.callers import Context
from services.registry.posting_parts import PostingParts
from services.registry.usecases.ledger import Outcome, Ref
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.registry.v1 import ledger_service_pb2 as api
from spareline.registry.v1.ledger_service_pb2_grpc import LedgerServiceServicer


class LedgerServicer(LedgerServiceServicer):
    """Each method hands its request to the ledger."""

    def __init__(self, postings: PostingParts) -> None:
        self._ledger = postings.ledger
        self._check = postings.check

    async def BatchHold(
        self, request: api.BatchHoldRequest, _context: Context
    ) -> api.BatchHoldResponse:
        """Hold each claim whole or not at all."""
        _require_distinct([each.claim for each in request.claims])
        claims = [_claim(each, f"claims[{i}]") for i, each in enumerate(request.claims)]
        outcome = await self._ledger.hold(claims)
        return api.BatchHoldResponse(
            results=_results([each.claim for each in claims], outcome),
            offers=outcome.offers,
            demands=outcome.demands,
        )

    async def BatchCommit(
        self, request: api.BatchCommitRequest, _context: Context
    ) -> api.BatchCommitResponse:
        """Turn holds into commitments."""
        refs = _refs(request.claims)
        outcome = await self._ledger.commit(refs)
        return api.BatchCommitResponse(
            results=_results([ref.claim for ref in refs], outcome),
            offers=outcome.offers,
            demands=outcome.demands,
        )

    async def BatchRelease(
        self, request: api.BatchReleaseRequest, _context: Context
    ) -> api.BatchReleaseResponse:
        """Free what claims hold."""
        refs = _refs(request.claims)
        outcome = await self._ledger.release(refs, cancel=request.cancel)
        return api.BatchReleaseResponse(
            results=_results([ref.claim for ref in refs], outcome),
            offers=outcome.offers,
            demands=outcome.demands,
        )

    async def StreamClaims(
        self, _request: api.StreamClaimsRequest, _context: Context
    ) -> AsyncIterator[api.Claim]:
        """Stream every claim."""
        async for claim in self._check.claims():
            yield convert.claim_message(claim)

    async def CheckLedger(
        self, _request: api.CheckLedgerRequest, _context: Context
    ) -> api.CheckLedgerResponse:
        """Recompute the invariant."""
        report = await self._check.run()
        return api.CheckLedgerResponse(
            offers=report.offers,
            demands=report.demands,
            claims=report.claims,
            breaches=report.breaches,
        )


def _claim(message: api.Claim, root: str) -> domain.Claim:
    """Read a claim. Raises InvalidArgument naming what is missing or malformed."""
    faults = []
    if not message.HasField("expire_time"):
        faults.append(Fault(f"{root}.expire_time", said(cause_pb2.CAUSE_HOLD_WITHOUT_END)))
    for index, leg in enumerate(message.legs):
        if not periods.exists(leg.period):
            faults.append(
                Fault(
                    f"{root}.legs[{index}].period",
                    said(cause_pb2.CAUSE_NOT_A_WEEK, period=leg.period),
                )
            )
    if faults:
        raise refusal(faults)
    legs = tuple(domain.Leg(leg.offer, leg.line, leg.period, leg.quantity) for leg in message.legs)
    return domain.Claim(
        claim=message.claim,
        demand=message.demand,
        terms=domain.Terms(message.version, legs),
        expire_ms=max(milliseconds(message.expire_time), 1),
    )


def _refs(messages: Sequence[api.ClaimRef]) -> list[Ref]:
    _require_distinct([each.claim for each in messages])
    return [
        Ref(each.claim, each.demand, tuple(dict.fromkeys(each.offers)), each.version)
        for each in messages
    ]


def _require_distinct(claims: Sequence[str]) -> None:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        if claim in seen:
            field = f"claims[{index}].claim"
            raise refusal([Fault(field, said(cause_pb2.CAUSE_CLAIM_TWICE, claim=claim))])
        seen.add(claim)


def _results(claims: Sequence[str], outcome: Outcome) -> list[api.ClaimResult]:
    results = []
    for claim in claims:
        found = outcome.refusals.get(claim)
        if found is None:
            results.append(api.ClaimResult(claim=claim, ok=True))
        else:
            reason = reason_pb2.Reason.Name(found.reason)  # type: ignore[arg-type]
            results.append(api.ClaimResult(claim=claim, reason=reason, message=found.message))
    return results
