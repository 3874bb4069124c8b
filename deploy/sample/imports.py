"""Posting the sample's offers and demands by the import streams of the public API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Final, TypeVar

from deploy.sample import files, postings
from deploy.sample.access import RegistryStub
from deploy.sample.measures import Measures, monday_of
from deploy.sample.report import Progress
from services.chassis.paging import pages
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api

_BATCH: Final = 50
_SECONDS: Final = 120.0
_PAGE: Final = 1000
_THERE_ALREADY: Final = "REASON_ALREADY_EXISTS"

Posting = TypeVar("Posting", Offer, Demand)
Request = TypeVar("Request")


@dataclass(frozen=True)
class Posted:
    """What became of one import. `present` counts old and new."""

    present: int
    new: int
    errors: tuple[str, ...]

    def and_(self, answer: api.ImportResponse) -> Posted:
        """This and a batch more. What somebody changed since an earlier load stays as it is."""
        changed = [each for each in answer.errors if each.reason == _THERE_ALREADY]
        errors = [_sentence(each) for each in answer.errors if each.reason != _THERE_ALREADY]
        present = answer.taken + answer.unchanged + len(changed)
        return Posted(self.present + present, self.new + answer.taken, (*self.errors, *errors))


async def measures(registry: RegistryStub, platform: Organization) -> Measures:
    """The market's units, and the week in which the platform joined as week 0.

    Counting from that week and not from today, a load that is repeated later posts the same.
    """
    resolution: dict[str, Decimal] = {}
    request = api.ListCapabilitiesRequest(page_size=_PAGE)
    async for page in pages(registry.ListCapabilities, request):
        resolution.update((c.code, Decimal(c.unit.resolution)) for c in page.capabilities)
    joined = platform.create_time.ToDatetime(tzinfo=UTC).date()
    return Measures(resolution, monday_of(joined))


async def post_offers(registry: RegistryStub, units: Measures, progress: Progress) -> Posted:
    """Import all offers."""
    every = [postings.offer(each, units) for each in files.offers()]

    async def take(some: Sequence[Offer]) -> api.ImportResponse:
        return await registry.ImportOffers(
            _stream(api.ImportOffersRequest(offers=some)), timeout=_SECONDS
        )

    return await _post("offers", every, take, progress)


async def post_demands(registry: RegistryStub, units: Measures, progress: Progress) -> Posted:
    """Import all demands."""
    every = [postings.demand(each, units) for each in files.demands()]

    async def take(some: Sequence[Demand]) -> api.ImportResponse:
        return await registry.ImportDemands(
            _stream(api.ImportDemandsRequest(demands=some)), timeout=_SECONDS
        )

    return await _post("demands", every, take, progress)


async def _stream(request: Request) -> AsyncIterator[Request]:
    yield request


async def _post(
    what: str,
    every: Sequence[Posting],
    take: Callable[[Sequence[Posting]], Awaitable[api.ImportResponse]],
    progress: Progress,
) -> Posted:
    """Import in batches, one call each, so that progress tells what is stored and not what is sent.

    Without a request id: names alone make an import repeatable, and an answer that was kept would
    repeat the faults of a load that was cut off.
    """
    posted = Posted(0, 0, ())
    for start in range(0, len(every), _BATCH):
        some = every[start : start + _BATCH]
        posted = posted.and_(await take(some))
        progress(what, start + len(some), len(every))
    return posted


def _sentence(error: api.ImportError) -> str:
    problems = [f"{each.field}: {each.description}. {each.mend}" for each in error.problems]
    return f"{error.name}: {error.reason}: {'; '.join(problems)}"
