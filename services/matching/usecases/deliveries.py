"""What was delivered, by capability and week: of one organization, or of the whole market."""

import asyncio

from services.chassis.access import organization_of
from services.chassis.freshness import Freshness
from services.matching.store.proposals import Proposals
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1.proposal_pb2 import Proposal

EVERYBODY = "organizations/-"
_AT_ONCE = 200  # proposals that are counted before other calls get a turn

Totals = dict[tuple[str, str], int]
"""Ticks by week and capability."""


class DeliveryDesk:
    """Counts the legs of fulfilled proposals. The whole market's count may be some minutes old."""

    def __init__(self, store: Proposals) -> None:
        self._store = store
        self._freshness = Freshness(self._read)
        self._market: Totals = {}

    async def get(self, request: pb.GetDeliveriesRequest) -> pb.Deliveries:
        """Return what was delivered by whom the request names."""
        organization = organization_of(request.name)
        if organization == EVERYBODY:
            await self._freshness.ensure()
            totals = self._market
        else:
            totals = await self._count(organization)
        return pb.Deliveries(
            name=request.name,
            rows=[
                pb.DeliveredQuantity(period=period, capability=capability, quantity=quantity)
                for (period, capability), quantity in sorted(totals.items())
            ],
        )

    async def _read(self) -> None:
        self._market = await self._count("")

    async def _count(self, organization: str) -> Totals:
        totals: Totals = {}
        seen = 0
        async for proposal in self._store.fulfilled(organization):
            add(totals, proposal, organization)
            seen += 1
            if seen % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return totals


def add(totals: Totals, proposal: Proposal, organization: str) -> None:
    """Add what an organization delivers by a proposal; what all do, for the empty organization."""
    for leg in proposal.legs:
        if not organization or organization_of(leg.offer) == organization:
            for delivery in leg.deliveries:
                key = delivery.period, leg.capability
                totals[key] = totals.get(key, 0) + delivery.quantity
