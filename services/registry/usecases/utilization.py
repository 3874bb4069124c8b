"""How spare capacity is used: of one organization as it stands, of the market kept in memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from services.chassis.access import organization_of
from services.chassis.aggregates import Document
from services.chassis.freshness import Freshness
from services.registry import convert
from services.registry.domain import periods, utilization
from services.registry.domain.utilization import Totals
from services.registry.store.postings import Postings
from spareline.market.v1.offer_pb2 import Offer
from spareline.registry.v1 import market_data_service_pb2 as api

EVERYBODY = "organizations/-"
_AT_ONCE = 25  # offers that are counted before other calls get a turn
_FIELDS = ("body", "claims", "state", "update_ms")


class UtilizationDesk:
    """Adds up the capacity and the ledger of offers, also of those that are over."""

    def __init__(self, offers: Postings) -> None:
        self._offers = offers
        self._freshness = Freshness(self._read)
        self._market: Totals = {}
        self._at = datetime.now(UTC)

    async def warm(self) -> None:
        """Add up the market before anybody asks."""
        await self._freshness.ensure()

    async def get(self, request: api.GetUtilizationRequest) -> api.Utilization:
        """Return the use of whose capacity the request names."""
        organization = organization_of(request.name)
        if organization == EVERYBODY:
            await self._freshness.ensure()
            totals, at = self._market, self._at
        else:
            at = datetime.now(UTC)
            totals = await self._added(self._of_firm(organization), at)
        answer = api.Utilization(name=request.name)
        answer.read_time.FromDatetime(at)
        for (period, capability), use in sorted(totals.items()):
            answer.rows.add(
                period=period,
                capability=capability,
                offered=use.offered,
                held=use.held,
                agreed=use.agreed,
            )
        return answer

    async def _read(self) -> None:
        at = datetime.now(UTC)
        week = periods.of_day(at.date())
        recent = {
            "first_period": {"$lte": week + utilization.AHEAD},
            "last_period": {"$gte": week - utilization.BACK},
        }
        self._market, self._at = await self._added(self._offers.each(recent, _FIELDS), at), at

    async def _of_firm(self, organization: str) -> AsyncIterator[Document]:
        for document in await self._offers.of_organization(organization, fields=_FIELDS):
            yield document

    async def _added(self, documents: AsyncIterator[Document], at: datetime) -> Totals:
        totals: Totals = {}
        seen = 0
        async for document in documents:
            offer = Offer.FromString(document["body"])
            balances = convert.offer_account(document, offer).balances()
            withdrawn = None
            if document["state"] == "STATE_WITHDRAWN":
                day = datetime.fromtimestamp(document["update_ms"] / 1000, UTC).date()
                withdrawn = periods.of_day(day)
            week = periods.of_day(at.date())
            utilization.add(totals, offer.capability, balances, withdrawn, week)
            seen += 1
            if seen % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return totals
