"""What is offered and wanted, by capability, region and week, as charts with tables behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from services.gateway import prices
from services.gateway.forms import regions
from services.gateway.market import capabilities, capability
from services.gateway.people import caller, signed_in
from services.gateway.render import render
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import market_data_service_pb2 as api


@dataclass(frozen=True, slots=True)
class Tile:
    """A region on the map; ``cell`` is None where nothing is shown of it."""

    region: regions.Region
    cell: api.MarketCell | None

    def label(self, language: str) -> str:
        """Return a short name that fits on the tile: letters of the code, or of the name."""
        _, _, letters = self.region.code.partition("-")
        if language == "zh" and self.region.country == "CN":
            return self.region.zh
        if letters.isalpha():
            return letters
        return (self.region.zh if language == "zh" else self.region.en)[:3]


@dataclass(frozen=True, slots=True)
class Map:
    """A country as tiles."""

    country: str
    columns: int
    rows: int
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Charts:
    """The figures as the page draws them.

    ``most`` are the greatest figures of each chart, at least 1; ``rest`` is what no narrower
    cell holds; ``elsewhere`` are places that are on no map.
    """

    below: Sequence[api.MarketCell]
    rest_below: api.MarketCell | None
    maps: Sequence[Map]
    elsewhere: Sequence[api.MarketCell]
    rest_places: api.MarketCell | None
    most_below: int
    most_place: int
    most_week: int
    measured: bool


async def show(request: web.Request) -> web.Response:
    """Show the market view of a capability and region, or of everything."""
    person = signed_in(request)
    code = request.query.get("capability", "")
    chosen = await capability(request, code) if code else None
    region = _known_region(request.query.get("region", ""))
    calls = caller(request)
    view, summaries = await asyncio.gather(
        calls.call(
            calls.services.market_data.GetMarketView,
            api.GetMarketViewRequest(name=f"capabilities/{code or '-'}/marketView", region=region),
        ),
        prices.summaries(request, [code] if code else [], region),
    )
    known = await capabilities(request)
    return await render(
        request,
        "market.html",
        view=view,
        charts=charts(view, code, region),
        capability=chosen,
        above=_above(code, known),
        region=region,
        region_choices=regions.choices,
        capabilities=known,
        summary=summaries.get(code),
        may_trade=person.may_trade,
    )


def charts(view: api.MarketView, code: str, region: str) -> Charts:
    """Lay the figures out: bars by capability, tiles by region, columns by week."""
    below = [cell for cell in view.by_capability if cell.capability != code]
    places = {cell.region: cell for cell in view.by_region if cell.region != region}
    maps = [] if "-" in region else list(_maps(places, region))
    drawn = {tile.region.code for each in maps for tile in each.tiles}
    measured = any(week.free or week.wanted for week in view.weeks)
    return Charts(
        below,
        _rest(view.by_capability, code, "capability"),
        maps,
        [cell for place, cell in places.items() if place not in drawn],
        _rest(view.by_region, region, "region"),
        _most(below),
        _most(places.values()),
        max([1, *(max(_heights(week, measured)) for week in view.weeks)]),
        measured,
    )


def _heights(week: api.MarketWeek, measured: bool) -> tuple[int, int]:
    return (week.free, week.wanted) if measured else (week.offers, week.lines)


def _rest(cells: Iterable[api.MarketCell], label: str, field: str) -> api.MarketCell | None:
    return next((cell for cell in cells if getattr(cell, field) == label), None)


def _most(cells: Iterable[api.MarketCell]) -> int:
    return max([1, *(max(cell.offers, cell.lines) for cell in cells)])


def _maps(places: Mapping[str, api.MarketCell], region: str) -> Iterable[Map]:
    """Yield the countries that were asked for, or those of which something is shown."""
    known = sorted(regions.regions().values(), key=lambda each: each.code)
    for country, found in groupby(known, key=lambda each: each.country):
        tiles = [Tile(each, places.get(each.code)) for each in found]
        if country == region or (not region and any(tile.cell for tile in tiles)):
            columns = 1 + max(tile.region.column for tile in tiles)
            yield Map(country, columns, 1 + max(tile.region.row for tile in tiles), tiles)


def _known_region(code: str) -> str:
    known = regions.regions()
    return code if code in known or code in {each.country for each in known.values()} else ""


def _above(code: str, known: Mapping[str, Capability]) -> list[Capability]:
    steps = code.split(".")
    above = [".".join(steps[:end]) for end in range(1, len(steps))]
    return [known[each] for each in above if each in known]
