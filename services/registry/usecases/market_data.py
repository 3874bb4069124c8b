"""Figures over the whole market: worked out now and then, kept in memory between."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.chassis.access import Principal
from services.chassis.errors import NotFound
from services.chassis.freshness import Freshness
from services.registry.domain import periods
from services.registry.domain.market_entries import Entry
from services.registry.domain.market_summary import Offered, Snapshot, Summary, Wanted
from services.registry.domain.market_view import Market, View
from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.taxonomy_model import Capability
from services.registry.store.postings import Postings
from services.registry.usecases.market_reading import Side, demand_entry, offer_entry
from services.registry.usecases.posting_search import SearchDesk
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.viewing import Viewer
from spareline.errors.v1 import reason_pb2
from spareline.registry.v1 import market_data_service_pb2 as api

PREFIX, SUMMARY, VIEW = "capabilities/", "/summary", "/marketView"
ALL = "-"


@dataclass(frozen=True, slots=True)
class Taken:
    """The figures of one moment."""

    snapshot: Snapshot
    market: Market
    at: datetime


class MarketData:
    """Answers for the whole market, from a reading that is seconds old, or minutes on a large
    market.
    """

    def __init__(
        self, taxonomy: LiveTaxonomy, offers: Postings, demands: Postings, desk: SearchDesk
    ) -> None:
        """``desk`` is told of what has changed."""
        self._taxonomy = taxonomy
        self._desk = desk
        self._offers = Side(offers, offer_entry)
        self._demands = Side(demands, demand_entry)
        self._freshness = Freshness(self._read)
        self._taken = Taken(Snapshot(), Market((), (), 0), datetime.now(UTC))

    async def summaries(
        self, names: list[str], region: str, principal: Principal
    ) -> list[tuple[str, Summary]]:
        """Return the summaries of ``capabilities/{code}/summary``, without the caller's own.

        Raises NotFound when there is no such capability.
        """
        codes = [name.removeprefix(PREFIX).removesuffix(SUMMARY) for name in names]
        taxonomy = await self._taxonomy.knowing(codes)
        found = [_known(taxonomy, name, SUMMARY) for name in names]
        await self._freshness.ensure()
        snapshot, own = self._taken.snapshot, principal.organization
        return [
            (name, snapshot.summary(capability, taxonomy, own, region))
            for name, capability in zip(names, found, strict=True)
        ]

    async def view(self, name: str, region: str) -> tuple[View, Capability | None, datetime]:
        """Return the figures of ``capabilities/{code}/marketView`` ("-": of all capabilities).

        With them the capability, and when the postings were read. Raises NotFound.
        """
        capability = None
        if name != f"{PREFIX}{ALL}{VIEW}":
            code = name.removeprefix(PREFIX).removesuffix(VIEW)
            capability = _known(await self._taxonomy.knowing([code]), name, VIEW)
        await self._freshness.ensure()
        taken = self._taken
        if capability is None:
            return taken.market.view("", region, ""), None, taken.at
        view = taken.market.view(capability.code, region, capability.unit.code)
        return view, capability, taken.at

    async def search(
        self, request: api.SearchPostingsRequest, viewer: Viewer
    ) -> api.SearchPostingsResponse:
        """Search the open postings of others. Raises InvalidArgument."""
        await self._freshness.ensure()
        return await self._desk.search(request, viewer)

    async def _read(self) -> None:
        at = datetime.now(UTC)
        await self._desk.offers.replace(*await self._offers.read())
        await self._desk.demands.replace(*await self._demands.read())
        await self._desk.read_standards()
        units = {each.code: each.unit.code for each in self._taxonomy.current}
        offers, demands = list(self._offers.entries.values()), list(self._demands.entries.values())
        # On a large market this takes a second: other calls go on meanwhile.
        self._taken = await asyncio.to_thread(_figures, offers, demands, units, at)


def _figures(
    offers: Sequence[Entry], demands: Sequence[Entry], units: Mapping[str, str], at: datetime
) -> Taken:
    snapshot = Snapshot()
    for each in offers:
        snapshot.add_offer(Offered(each.organization, each.parts[0].capability, each.price))
    for each in demands:
        codes = tuple(part.capability for part in each.parts)
        snapshot.add_demand(Wanted(each.organization, codes, each.places))
    market = Market(
        [item for each in offers for item in each.items(units)],
        [item for each in demands for item in each.items(units)],
        periods.of_day(at.date()),
    )
    return Taken(snapshot, market, at)


def _known(taxonomy: Taxonomy, name: str, suffix: str) -> Capability:
    code = name.removeprefix(PREFIX).removesuffix(suffix)
    capability = taxonomy.get(code)
    if capability is None or name != f"{PREFIX}{code}{suffix}":
        raise NotFound(reason_pb2.REASON_CAPABILITY_UNKNOWN, f"There is no {name}")
    return capability
