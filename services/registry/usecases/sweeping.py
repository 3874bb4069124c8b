"""What the registry does by itself: frees what has run out, and expires what is over."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis import faults, logs
from services.chassis.aggregates import Document
from services.registry import convert
from services.registry.domain import periods
from services.registry.domain.instants import Clock, now_ms
from services.registry.domain.ledger import Claim, ClaimState
from services.registry.store.postings import Postings as Store
from services.registry.usecases.ledger import Ledger, Ref
from services.registry.usecases.postings import Postings

BATCH = 500
CLAIMS_SECONDS = 15.0
EXPIRY_SECONDS = 3600.0
GRACE_MS = 60_000
"""How long after its time a part of a claim is left alone when its other side differs."""

Sweep = Callable[[], Any]


class ClaimSweeper:
    """Frees claims that were neither committed nor released in time, and heals parts."""

    def __init__(
        self, offers: Store, demands: Store, ledger: Ledger, clock: Clock = now_ms
    ) -> None:
        self._offers = offers
        self._demands = demands
        self._ledger = ledger
        self._clock = clock

    async def sweep(self) -> int:
        """Go over what is due once and return how many claims were settled."""
        settled = 0
        now = self._clock()
        for document in await self._demands.with_claims_due(now, BATCH):
            due = [claim for claim in _claims(document) if 0 < claim.expire_ms <= now]
            settled += await self._free([_ref(claim) for claim in due])
        for document in await self._offers.with_claims_due(now - GRACE_MS, BATCH):
            for claim in _claims(document):
                if 0 < claim.expire_ms <= now - GRACE_MS:
                    settled += await self._heal(document["_id"], claim)
        return settled

    async def _free(self, refs: list[Ref]) -> int:
        outcome = await self._ledger.release(refs)
        return len(refs) - len(outcome.refusals)

    async def _heal(self, offer: str, part: Claim) -> int:
        """Bring an offer's overdue part to where its demand stands."""
        document = await self._demands.get(part.demand)
        claims = {} if document is None else {claim.claim: claim for claim in _claims(document)}
        whole = claims.get(part.claim)
        if whole is None:
            return await self._free([Ref(part.claim, part.demand, (offer,), 0)])
        if whole.state is ClaimState.HELD:
            return 0  # not due there yet, or about to be freed by its demand's turn
        if whole.terms.version == part.terms.version:
            outcome = await self._ledger.commit([_ref(whole)])
            return 1 - len(outcome.refusals)
        return await self._ledger.drop_part(offer, part.claim)


class ExpirySweeper:
    """Expires offers and demands some days after their last period has ended."""

    def __init__(
        self,
        postings: list[Postings[Any]],
        after_days: int,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``after_days`` 0 means never."""
        self._postings = postings
        self._after_days = after_days
        self._today = today

    async def sweep(self) -> int:
        """Go over what is past once and return how many postings were expired."""
        if self._after_days == 0:
            return 0
        day = self._today().date() - timedelta(days=self._after_days)
        first_kept = periods.of_day(day)
        expired = 0
        for postings in self._postings:
            while found := await postings.store.over(first_kept, BATCH):
                done = [await postings.expire(document) for document in found]
                expired += sum(done)
                if not any(done):  # others are changing them all just now
                    break
        return expired


async def forever(name: str, sweep: Sweep, seconds: float) -> None:
    """Sweep at once and then again and again (spawn it in the app)."""
    log = logs.get_logger("sweeper")
    while True:
        try:
            count = await sweep()
            if count:
                log.info("swept", sweeper=name, count=count)
        except Exception as error:
            if not faults.is_away(error):
                raise
            log.warning("cannot sweep just now", sweeper=name, error=type(error).__name__)
        await asyncio.sleep(seconds)


def _claims(document: Document) -> list[Claim]:
    return [convert.claim(stored) for stored in document["claims"].values()]


def _ref(claim: Claim) -> Ref:
    offers = dict.fromkeys(o for terms in claim.versions() for o in terms.offers())
    return Ref(claim.claim, claim.demand, tuple(offers), claim.terms.version)
