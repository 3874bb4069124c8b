"""Posting donations as offers and requests as demands, by the platform that brings them.

A donation is a stock that serves in any later week. All of it is offered in the one week that
follows the replay: every round looks so far ahead, so it serves until then and never moves.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
from google.type.latlng_pb2 import LatLng

from benchmarks.ppe.data import Sites, Week
from benchmarks.ppe.market import REGION, Market, all_of
from spareline.market.v1.demand_pb2 import Demand, Line, Sourcing, Window
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity, Reach
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api

_BELOW: Final = "production.protective-equipment"
_BATCH: Final = 500
LARGEST_QUANTITY: Final = 1_000_000_000
"""Requests of more are obvious errors of the data; the contract takes no more anyway."""
LINE: Final = "r"
"""A line's id is this and the label of the request's row in the data."""
_MOST_LINES: Final = 12
_MOST_PARTNERS: Final = 50
_KEPT_DAYS: Final = 7


@dataclass
class Stock:
    """A donation, and what is left of it."""

    donor: str
    name: str
    capability: str
    title: str
    date: pd.Timestamp
    left: int


async def capabilities(market: Market, names: Sequence[str]) -> dict[str, str]:
    """The code of each of the data's kinds of item, found by the taxonomy's synonyms.

    Raises:
        LookupError: the taxonomy lacks one.
    """
    request = api.ListCapabilitiesRequest(below=_BELOW)
    page = await market.platform.registry.ListCapabilities(request)
    found = {word: each.code for each in page.capabilities for word in each.synonyms_en}
    if missing := [name for name in names if name not in found]:
        raise LookupError(f"the taxonomy has no capability for {', '.join(missing)}")
    return {name: found[name] for name in names}


class Poster:
    """Posts for the donors and recipients; remembers who is there already."""

    def __init__(
        self,
        market: Market,
        sites: Sites,
        codes: dict[str, str],
        radius_miles: float,
        worth: int,
        period: str,
    ) -> None:
        """``worth`` is that of a request served whole, in fen; donations lie in ``period``."""
        self._market = market
        self._sites = sites
        self._codes = codes
        self._worth = worth
        self._period = period
        self._radius_km = round(radius_miles * 1.609344)
        self._there: set[str] = set()
        # Past enough not to meet the market of today, recent enough not to expire under our hands.
        latest = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=_KEPT_DAYS)
        year, week, _ = latest.isocalendar()
        self._latest = f"{year}-W{week:02d}"

    def organization(self, ident: str) -> str:
        """The resource name of a donor or recipient."""
        return f"organizations/ppe-{self._market.run}-{ident}"

    async def register(
        self, donors: Sequence[str], recipients: Sequence[str], done: Callable[[], object]
    ) -> None:
        """Register those who are new, as organizations that the platform acts for."""
        places = [(each, self._sites.donors[each]) for each in donors if each not in self._there]
        places += [(r, self._sites.recipients[r]) for r in recipients if r not in self._there]
        self._there.update(ident for ident, _ in places)
        await all_of(self._register, places, done)

    def new_in(self, donors: Sequence[str], recipients: Sequence[str]) -> int:
        """How many of these are not registered yet."""
        return len((set(donors) | set(recipients)) - self._there)

    async def _register(self, who: tuple[str, tuple[float, float]]) -> None:
        ident, (latitude, longitude) = who
        organization = Organization(
            display_name=ident,
            kind=Organization.KIND_SME,
            region=REGION,
            location=LatLng(latitude=latitude, longitude=longitude),
        )
        await self._market.platform.registry.CreateOrganization(
            api.CreateOrganizationRequest(
                organization_id=f"ppe-{self._market.run}-{ident}",
                organization=organization,
                evidence="Published as ppe-match by the platform that received its request",
                request_id=str(uuid.uuid4()),
            )
        )

    async def donate(self, rows: pd.DataFrame) -> list[Stock]:
        """Post donations."""
        stocks = [
            Stock(
                donor=don,
                name=f"{self.organization(don)}/offers/d{row}",
                capability=self._codes[ppe],
                title=ppe,
                date=date,
                left=int(quantity),
            )
            for row, don, ppe, date, quantity in zip(
                rows.index, rows["don_id"], rows["ppe"], rows["date"], rows["qty"], strict=True
            )
        ]
        offers = [self._offer(stock) for stock in stocks]
        _require_taken(await self._market.platform.registry.ImportOffers(_offers(offers)), offers)
        return stocks

    async def ask(self, rows: pd.DataFrame, week: Week) -> int:
        """Post requests, a demand per recipient with a line per item; returns how many demands.

        Any part of a line is welcome, and the rest of it stays open.
        """
        demands: list[Demand] = []
        for rec, own in rows.groupby("rec_id"):
            lines = [
                self._line(int(row), ppe, int(quantity), week.period)
                for row, ppe, quantity in zip(own.index, own["ppe"], own["qty"], strict=True)
            ]
            for start in range(0, len(lines), _MOST_LINES):
                name = f"{self.organization(str(rec))}/demands/w{week.number}-{start}"
                part = lines[start : start + _MOST_LINES]
                demands.append(Demand(name=name, title="Protective equipment", lines=part))
        answer = await self._market.platform.registry.ImportDemands(_demands(demands))
        _require_taken(answer, demands)
        return len(demands)

    def _line(self, row: int, ppe: str, quantity: int, period: str) -> Line:
        wanted = min(quantity, LARGEST_QUANTITY)
        return Line(
            id=f"{LINE}{row}",
            capability=self._codes[ppe],
            quantity=wanted,
            least_quantity=1,
            window=Window(earliest=period, latest=self._latest),
            # Served whole, every line is worth the same: an item is worth its part of that.
            limit_price=self._worth // wanted,
            sourcing=Sourcing(max_partners=_MOST_PARTNERS),
            reach=Reach(radius_km=self._radius_km),
        )

    def _offer(self, stock: Stock) -> Offer:
        # Nothing is offered in the last period; it keeps the offer from expiring as long past.
        kept = PeriodQuantity(period=self._latest, quantity=0)
        return Offer(
            name=stock.name,
            capability=stock.capability,
            title=stock.title,
            capacity=[PeriodQuantity(period=self._period, quantity=stock.left), kept],
        )


async def _offers(offers: Sequence[Offer]) -> AsyncIterator[api.ImportOffersRequest]:
    for start in range(0, len(offers), _BATCH):
        yield api.ImportOffersRequest(offers=offers[start : start + _BATCH])


async def _demands(demands: Sequence[Demand]) -> AsyncIterator[api.ImportDemandsRequest]:
    for start in range(0, len(demands), _BATCH):
        yield api.ImportDemandsRequest(demands=demands[start : start + _BATCH])


def _require_taken(answer: api.ImportResponse, items: Sequence[object]) -> None:
    """Raises RuntimeError when an item was not taken: the replay would not be one of all data."""
    if answer.errors:
        first = answer.errors[0]
        raise RuntimeError(f"{len(answer.errors)} of {len(items)} were refused, first: {first}")
