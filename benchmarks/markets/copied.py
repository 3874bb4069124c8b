"""The sample market many times over as a book in memory: no server, the same at every call."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from benchmarks.pages.copies import Posting, firm, posting
from deploy.sample import files, people, postings
from deploy.sample.measures import Measures, monday_of
from services.matching.domain import periods
from services.matching.domain.book_snapshot import BookSnapshot
from services.registry.convert_taxonomy import capability
from services.registry.domain.taxonomy import load_taxonomy
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization

MONDAY: Final = date(2026, 11, 23)
"""The week that counts as the present one."""
NOW: Final = periods.ordinal("2026-W48")


def copied_book(times: int) -> BookSnapshot:
    """The sample's organizations, offers and demands so many times over.

    Every firm has the credit grade of one that is known to the market, so that credit keeps few
    apart.
    """
    capabilities = [capability(each) for each in load_taxonomy()]
    resolution = {each.code: Decimal(each.unit.resolution) for each in capabilities}
    units = Measures(resolution, monday_of(MONDAY))
    offers = (postings.offer(entry, units) for entry in files.offers())
    demands = (postings.demand(entry, units) for entry in files.demands())
    return BookSnapshot(
        tuple(sorted(capabilities, key=lambda each: each.name)),
        tuple(sorted(_organizations(times), key=lambda each: each.name)),
        _copied(offers, times),
        _copied(demands, times),
    )


def _organizations(times: int) -> Iterator[Organization]:
    drawn = random.Random(1)
    entries = files.organizations()
    for entry in entries:
        yield _named(people.organization(entry), entry["id"])
    for copy in range(2, times + 1):
        for entry in entries:
            request = firm(entry, copy, drawn)
            yield _named(request.organization, request.organization_id)


def _named(organization: Organization, short: str) -> Organization:
    organization.name = f"organizations/{short}"
    organization.credit_grade = "B"
    return organization


def _copied(originals: Iterable[Posting], times: int) -> tuple[Posting, ...]:
    every: list[Posting] = list(originals)
    every += [posting(each, copy) for copy in range(2, times + 1) for each in every[:]]
    return tuple(sorted(every, key=_name))


def _name(posting: Offer | Demand) -> str:
    return posting.name
