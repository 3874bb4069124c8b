"""Posting the sample's offers and demands by the import streams of the public API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from deploy.sample import files, postings
from deploy.sample.access import RegistryStub
from deploy.sample.files import Entry
from deploy.sample.measures import Measures, monday_of
from deploy.sample.report import Progress
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api

_BATCH: Final = 50
_SECONDS: Final = 120.0
_PAGE: Final = 1000
_THERE_ALREADY: Final = "REASON_ALREADY_EXISTS"


@dataclass(frozen=True)
class Posted:
    """What became of one import. `present` counts old and new."""

    present: int
    new: int
    errors: tuple[str, ...]


async def measures(registry: RegistryStub, platform: Organization) -> Measures:
    """The market's units, and the week in which the platform joined as week 0.

    Counting from that week and not from today, a load that is repeated later posts the same.
    """
    resolution: dict[str, Decimal] = {}
    token = ""
    while True:
        page = await registry.ListCapabilities(
            api.ListCapabilitiesRequest(page_size=_PAGE, page_token=token)
        )
        resolution.update((c.code, Decimal(c.unit.resolution)) for c in page.capabilities)
        token = page.next_page_token
        if not token:
            joined = platform.create_time.ToDatetime(tzinfo=UTC).date()
            return Measures(resolution, monday_of(joined))


async def post_offers(registry: RegistryStub, units: Measures, progress: Progress) -> Posted:
    """Import all offers."""
    entries = files.offers()

    def batch(some: Sequence[Entry]) -> api.ImportOffersRequest:
        return api.ImportOffersRequest(offers=[postings.offer(each, units) for each in some])

    stream = _batches("offers", entries, batch, progress)
    return _posted(await registry.ImportOffers(stream, timeout=_SECONDS))


async def post_demands(registry: RegistryStub, units: Measures, progress: Progress) -> Posted:
    """Import all demands."""
    entries = files.demands()

    def batch(some: Sequence[Entry]) -> api.ImportDemandsRequest:
        return api.ImportDemandsRequest(demands=[postings.demand(each, units) for each in some])

    stream = _batches("demands", entries, batch, progress)
    return _posted(await registry.ImportDemands(stream, timeout=_SECONDS))


async def _batches(
    what: str, entries: Sequence[Entry], batch: Callable[[Sequence[Entry]], Any], progress: Progress
) -> AsyncIterator[Any]:
    # Without a request id: names alone make an import repeatable, and an answer that was kept
    # would repeat the faults of a load that was cut off.
    for start in range(0, len(entries), _BATCH):
        some = entries[start : start + _BATCH]
        yield batch(some)
        progress(what, start + len(some), len(entries))


def _posted(answer: api.ImportResponse) -> Posted:
    """Read an answer. What somebody changed after an earlier load stays as they have it."""
    changed = [each for each in answer.errors if each.reason == _THERE_ALREADY]
    errors = [_sentence(each) for each in answer.errors if each.reason != _THERE_ALREADY]
    present = answer.taken + answer.unchanged + len(changed)
    return Posted(present, answer.taken, tuple(errors))


def _sentence(error: api.ImportError) -> str:
    problems = [f"{each.field}: {each.description}. {each.mend}" for each in error.problems]
    return f"{error.name}: {error.reason}: {'; '.join(problems)}"
