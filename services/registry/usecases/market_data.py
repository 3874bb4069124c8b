"""Figures over the whole market: read from the store now and then, kept in memory between."""

import asyncio
import time

from services.chassis.access import Principal
from services.chassis.errors import NotFound
from services.registry.domain.market_summary import Offered, Snapshot, Summary, Wanted
from services.registry.domain.taxonomy_model import Capability
from services.registry.store.postings import Postings
from services.registry.usecases.taxonomy import LiveTaxonomy
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

PREFIX, SUFFIX = "capabilities/", "/summary"
FRESH_SECONDS = 2.0
SHARE = 50
"""A reading is made again after SHARE times as long as it took: at most 2 % of the time reads."""
WORTH_WAITING_SECONDS = 0.2
_FIELDS = ("organization", "body", "public", "places")


class MarketData:
    """Answers for the whole market, from a snapshot that is seconds old, or minutes on a large
    market.
    """

    def __init__(self, taxonomy: LiveTaxonomy, offers: Postings, demands: Postings) -> None:
        self._taxonomy = taxonomy
        self._offers = offers
        self._demands = demands
        self._snapshot = Snapshot()
        self._taken = float("-inf")
        self._cost = float("inf")
        self._reading: asyncio.Task[None] | None = None

    async def summaries(
        self, names: list[str], region: str, principal: Principal
    ) -> list[tuple[str, Summary]]:
        """Return the summaries of ``capabilities/{code}/summary``, without the caller's own.

        Raises NotFound when there is no such capability.
        """
        codes = [name.removeprefix(PREFIX).removesuffix(SUFFIX) for name in names]
        taxonomy = await self._taxonomy.knowing(codes)
        found: list[tuple[str, Capability]] = []
        for name, code in zip(names, codes, strict=True):
            capability = taxonomy.get(code)
            if capability is None or name != f"{PREFIX}{code}{SUFFIX}":
                raise NotFound(reason_pb2.REASON_CAPABILITY_UNKNOWN, f"There is no {name}")
            found.append((name, capability))
        snapshot = await self._fresh()
        own = principal.organization
        return [
            (name, snapshot.summary(capability, taxonomy, own, region))
            for name, capability in found
        ]

    async def _fresh(self) -> Snapshot:
        """Return the snapshot: read anew when it is old, waited for only when that is quick."""
        age = time.monotonic() - self._taken
        if age > max(FRESH_SECONDS, SHARE * self._cost) or self._cost == float("inf"):
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
            if self._cost == float("inf") or self._cost < WORTH_WAITING_SECONDS:
                await asyncio.shield(self._reading)
        return self._snapshot

    async def _read(self) -> None:
        started = time.monotonic()
        snapshot = Snapshot()
        async for document in self._offers.each({"state": "STATE_OPEN"}, _FIELDS):
            offer = Offer.FromString(document["body"])
            price = offer.unit_price if "price" in document["public"] else None
            snapshot.add_offer(Offered(document["organization"], offer.capability, price))
        async for document in self._demands.each({"state": "STATE_OPEN"}, _FIELDS):
            codes = tuple(line.capability for line in Demand.FromString(document["body"]).lines)
            snapshot.add_demand(Wanted(document["organization"], codes, tuple(document["places"])))
        self._snapshot, self._taken = snapshot, time.monotonic()
        self._cost = self._taken - started
