"""Figures over the whole market: worked out now and then, kept in memory between."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.chassis.access import Principal
from services.chassis.causes import said
from services.chassis.errors import NotFound
from services.chassis.freshness import Freshness
from services.registry.domain import periods
from services.registry.domain.market_entries import Entry
from services.registry.domain.market_summary import Offered, Snapshot, Summary, Wanted
from services.registry.domain.market_view import Market, View
from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.taxonomy_model import Capability
from services.registry.usecases.open_postings import OpenPostings
from services.registry.usecases.posting_search import SearchDesk
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.viewing import Viewer
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.registry.v1 import market_data_service_pb2 as api

PREFIX, SUMMARY, VIEW = "capabilities/", "/summary", "/marketView"
ALL = "-"


@dataclass(frozen=True, slots=True)
class Taken:
    """The figures of one moment."""

    snapshot: Snapshot
    market: Market
    at: datetime
    stamp: tuple[int, ...] = ()
    """Changes when the figures do."""


class MarketData:
    """Answers for the whole market: searches at once, figures from seconds ago, or from a minute
    ago on a large market.
    """

    def __init__(self, taxonomy: LiveTaxonomy, postings: OpenPostings, desk: SearchDesk) -> None:
        self._taxonomy = taxonomy
        self._postings = postings
        self._desk = desk
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
        snapshot, own = (await self._current()).snapshot, principal.organization
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
        taken = await self._current()
        if capability is None:
            return taken.market.view("", region, ""), None, taken.at
        view = taken.market.view(capability.code, region, capability.unit.code)
        return view, capability, taken.at

    async def search(
        self, request: api.SearchPostingsRequest, viewer: Viewer
    ) -> api.SearchPostingsResponse:
        """Search the open postings of others. Raises InvalidArgument."""
        return await self._desk.search(request, viewer)

    async def warm(self) -> None:
        """Work the figures out before anybody asks for them."""
        await self._freshness.ensure()

    async def _current(self) -> Taken:
        """Return the figures: of now where nothing has changed since they were worked out."""
        await self._postings.current()
        now = datetime.now(UTC)
        if self._stamp(now) != self._taken.stamp:
            await self._freshness.ensure()
            return self._taken
        return replace(self._taken, at=now)

    def _stamp(self, at: datetime) -> tuple[int, ...]:
        sides = self._postings.offers, self._postings.demands
        return (*(side.version for side in sides), periods.of_day(at.date()))

    async def _read(self) -> None:
        at = datetime.now(UTC)
        stamp = self._stamp(at)
        units = {each.code: each.unit.code for each in self._taxonomy.current}
        sides = self._postings.offers, self._postings.demands
        offers, demands = (list(side.entries.values()) for side in sides)
        # On a large market this takes a second: other calls go on meanwhile.
        taken = await asyncio.to_thread(_figures, offers, demands, units, at)
        self._taken = replace(taken, stamp=stamp)


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
        raise NotFound(
            reason_pb2.REASON_CAPABILITY_UNKNOWN, said(cause_pb2.CAUSE_NO_SUCH_THING, name=name)
        )
    return capability
