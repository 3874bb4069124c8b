"""Searching the open postings: found in memory, then read anew, so that only what is open shows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from services.chassis import paging
from services.chassis.aggregates import Document
from services.registry.domain import periods
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.market_entries import Entry
from services.registry.domain.posting_search import PostingSearch, Query
from services.registry.domain.taxonomy import Taxonomy
from services.registry.store.postings import Postings
from services.registry.usecases.kinds import DEMANDS, OFFERS, Kind
from services.registry.usecases.market_reading import demand_entry, mark, offer_entry
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.viewing import Viewer
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import market_data_service_pb2 as api

PAGE = 20
LEAST_SURETY = 75.0
"""The least score, of 100, with which words mean a capability."""
_MEANINGS = 6
_YEAR = 52
_AT_ONCE = 500

Holders = Mapping[str, frozenset[str]]


class SearchSide:
    """One side of the market: where it is found, and where it is read."""

    def __init__(
        self, kind: Kind[Any], store: Postings, entry: Callable[[Document], Entry]
    ) -> None:
        self.kind = kind
        self.store = store
        self.index = PostingSearch()
        self._entry = entry

    async def replace(self, gone: list[Entry], fresh: list[Entry]) -> None:
        """Take in what has changed, with turns for other calls between."""
        self.index.replace(gone, ())
        for start in range(0, len(fresh), _AT_ONCE):
            self.index.replace((), fresh[start : start + _AT_ONCE])
            await asyncio.sleep(0)

    async def read(self, found: list[Entry], query: Query, holders: Holders) -> list[Document]:
        """Return the documents of what was found that still answer the query."""
        documents = await self.store.get_many([entry.name for entry in found])
        return [
            document
            for entry in found
            if (document := documents.get(entry.name)) is not None
            and document["state"] == "STATE_OPEN"
            and (mark(document) == entry.mark or self._answers(document, query, holders))
        ]

    def _answers(self, document: Document, query: Query, holders: Holders) -> bool:
        alone = PostingSearch()
        alone.replace((), [self._entry(document)])
        return bool(alone.find(query, holders))


class SearchDesk:
    """Searches both sides."""

    def __init__(
        self,
        taxonomy: LiveTaxonomy,
        offers: Postings,
        demands: Postings,
        all_organizations: Callable[[], AsyncIterator[Organization]],
        find_organization: Callable[[str], Awaitable[Organization | None]],
    ) -> None:
        self.offers = SearchSide(OFFERS, offers, offer_entry)
        self.demands = SearchSide(DEMANDS, demands, demand_entry)
        self._taxonomy = taxonomy
        self._all_organizations = all_organizations
        self._find_organization = find_organization
        self._holders: Holders = {}

    async def read_standards(self) -> None:
        """Take in which standards firms are certified to."""
        self._holders = {
            each.name: frozenset(each.standards)
            async for each in self._all_organizations()
            if each.standards
        }

    async def search(
        self, request: api.SearchPostingsRequest, viewer: Viewer
    ) -> api.SearchPostingsResponse:
        """Return a page of what answers a search, without the caller's own.

        Raises InvalidArgument naming what is wrong with a filter.
        """
        taxonomy = await self._taxonomy.knowing([request.capability] if request.capability else [])
        query = _query(request, taxonomy, viewer.principal.organization)
        bound = paging.bound_to(request)
        start = int(paging.decode(request.page_token, bound).get("from", 0))
        size = request.page_size or PAGE
        offering = request.kind == api.SearchPostingsRequest.KIND_OFFERS
        side = self.offers if offering else self.demands
        found = side.index.find(query, self._holders)
        documents = await side.read(found[start : start + size], query, self._holders)
        answer = api.SearchPostingsResponse(total_size=len(found))
        answer.postings.extend(
            await asyncio.gather(*(self._shown(side.kind, each, viewer) for each in documents))
        )
        if start + size < len(found):
            answer.next_page_token = paging.encode({"from": start + size}, bound)
        return answer

    async def _shown(self, kind: Kind[Any], document: Document, viewer: Viewer) -> api.FoundPosting:
        shown = api.FoundPosting(region=(document["places"] or [""])[-1])
        getattr(shown, kind.noun).CopyFrom(await viewer.see(kind, document))
        if await viewer.may_know_owner(kind, document):
            owner = await self._find_organization(document["organization"])
            if owner is not None:
                shown.organization_display_name = owner.display_name
                shown.standards.extend(owner.standards)
        return shown


def _query(request: api.SearchPostingsRequest, taxonomy: Taxonomy, own: str) -> Query:
    faults = []
    wanted = taxonomy.get(request.capability)
    if request.capability and wanted is None:
        mend = "Give a code such as production.machining"
        faults.append(Fault("capability", f"{request.capability} is no known capability", mend))
    if request.least_quantity and not request.capability:
        mend = "Give the capability in whose ticks it counts"
        faults.append(Fault("least_quantity", "it counts in ticks of no capability", mend))
    for field in ("earliest", "latest"):
        week = getattr(request, field)
        if week and not periods.exists(week):
            faults.append(Fault(field, f"{week} is no week", "Give an ISO week such as 2026-W48"))
    if faults:
        raise refusal(faults)
    same = [] if wanted is None else [e.code for e in taxonomy if e.unit.code == wanted.unit.code]
    return Query(
        text=request.text,
        meant={
            hit.capability.code: hit.score / 100
            for hit in taxonomy.search(request.text, limit=_MEANINGS)
            if hit.score >= LEAST_SURETY
        },
        capability=request.capability,
        region=request.region,
        weeks=_weeks(request),
        least=request.least_quantity,
        same_unit=frozenset(same),
        standards=frozenset(request.standards),
        own=own,
    )


def _weeks(request: api.SearchPostingsRequest) -> tuple[int, int] | None:
    if not (request.earliest or request.latest):
        return None
    today = periods.of_day(datetime.now(UTC).date())
    first = periods.ordinal(request.earliest) if request.earliest else today
    last = periods.ordinal(request.latest) if request.latest else first + _YEAR
    return first, last
