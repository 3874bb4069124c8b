"""A small market straight in the store, and ledgers on it that crash where a test says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.chassis.aggregates import Answer, Event
from services.chassis.mongo import Database
from services.registry import posting_documents
from services.registry.domain.disclosure import completed
from services.registry.domain.ledger import Claim, Leg, Terms
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.store.demands import Demands
from services.registry.store.offers import Offers
from services.registry.usecases.ledger import Ledger, Ref
from services.registry.usecases.ledger_check import LedgerCheck
from spareline.market.v1.demand_pb2 import Demand, Line, Window
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity
from spareline.market.v1.organization_pb2 import Organization

CAPABILITY = next(
    each.code
    for each in load_taxonomy()
    if not any(a.required_in_offer for a in each.attributes.values())
)
"""One that asks no attribute of an offer."""

WEEKS = ("2026-W48", "2026-W49", "2026-W50")


class Crash(Exception):  # noqa: N818
    """The process ended here."""


class CrashingOffers(Offers):
    """The real store of offers, until it has made so many writes."""

    writes_left: int = 1_000_000

    async def compare_and_set(
        self,
        name: str,
        revision: int,
        set_fields: Mapping[str, Any],
        events: Sequence[Event] = (),
        answers: Sequence[Answer | None] = (),
        *,
        unset: Sequence[str] = (),
    ) -> bool:
        if self.writes_left == 0:
            raise Crash
        self.writes_left -= 1
        return await super().compare_and_set(
            name, revision, set_fields, events, answers, unset=unset
        )


def offer_name(index: int) -> str:
    return f"organizations/seller-{index}/offers/mill"


def demand_name(index: int) -> str:
    return f"organizations/buyer-{index}/demands/part"


@dataclass
class LedgerMarket:
    """Stores with offers and demands in them, and a ledger on both."""

    database: Database
    offers: CrashingOffers
    demands: Demands
    ledger: Ledger
    check: LedgerCheck

    @classmethod
    async def of(cls, database: Database) -> "LedgerMarket":
        offers, demands = CrashingOffers(database), Demands(database)
        await offers.ensure_indexes()
        await demands.ensure_indexes()
        check = LedgerCheck(offers, demands)
        return cls(database, offers, demands, Ledger(offers, demands), check)

    async def add_offers(self, count: int, capacity: int) -> list[str]:
        for index in range(count):
            organization = Organization(name=f"organizations/seller-{index}", region="CN-ZJ")
            offer = Offer(
                name=offer_name(index),
                capability=CAPABILITY,
                title="Milling",
                capacity=[PeriodQuantity(period=week, quantity=capacity) for week in WEEKS],
            )
            offer.disclosure.CopyFrom(completed(offer.disclosure, demand=False, identity=0))  # type: ignore[arg-type]
            number = await self.offers.numbers.take()
            await self.offers.insert(posting_documents.new(offer, organization, number, 1000))
        return [offer_name(index) for index in range(count)]

    async def add_demands(self, count: int, quantity: int) -> list[str]:
        for index in range(count):
            organization = Organization(name=f"organizations/buyer-{index}", region="CN-SH")
            demand = Demand(
                name=demand_name(index),
                title="Part",
                lines=[
                    Line(
                        id="part",
                        capability=CAPABILITY,
                        quantity=quantity,
                        window=Window(earliest=WEEKS[0], latest=WEEKS[-1]),
                    )
                ],
            )
            demand.disclosure.CopyFrom(completed(demand.disclosure, demand=True, identity=0))  # type: ignore[arg-type]
            number = await self.demands.numbers.take()
            await self.demands.insert(posting_documents.new(demand, organization, number, 1000))
        return [demand_name(index) for index in range(count)]

    async def parts(self, claim: str) -> dict[str, tuple[str, int]]:
        """Return where a claim stands: state and version by document."""
        found: dict[str, tuple[str, int]] = {}
        for store in (self.offers, self.demands):
            async for document in store.each({}):
                for stored in document["claims"].values():
                    if stored["claim"] == claim:
                        found[document["_id"]] = (stored["state"], stored["version"])
        return found

    async def taken(self, name: str) -> int:
        """Return what is held and committed of an offer, over all periods."""
        document = await self.offers.get(name)
        assert document is not None
        legs = [leg for c in document["claims"].values() for leg in c["legs"]]
        return sum(leg[3] for leg in legs)

    async def sound(self) -> None:
        """Recompute the invariant over the whole ledger."""
        report = await self.check.run()
        assert report.breaches == []


def claim(
    name: str,
    demand: str,
    *legs: tuple[str, int, int],
    version: int = 1,
    expire_ms: int = 2**50,
) -> Claim:
    """Return a claim from (offer, index of the week, quantity) each."""
    terms = Terms(version, tuple(Leg(o, "part", WEEKS[week], n) for o, week, n in legs))
    return Claim(name, demand, terms, expire_ms)


def ref(each: Claim) -> Ref:
    return Ref(each.claim, each.demand, tuple(each.terms.offers()), each.terms.version)
