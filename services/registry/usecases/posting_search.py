"""Searching the open postings: found in memory, then read anew, so that only what is open shows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.chassis import paging
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.registry.domain import periods
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.market_entries import Entry
from services.registry.domain.posting_search import PostingSearch, Query
from services.registry.domain.taxonomy import Hit, Taxonomy
from services.registry.domain.taxonomy_search import Evidence
from services.registry.usecases.kinds import Kind
from services.registry.usecases.market_reading import mark
from services.registry.usecases.open_postings import FindOrganizations, OpenPostings, Side
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.viewing import Viewer
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import market_data_service_pb2 as api

PAGE = 20
LEAST_SURETY = 75.0
"""The least score, of 100, with which words mean a capability."""
GUESSED = 0.5
"""How surely words mean what only a language model finds near: less than a title that has them."""
_MEANINGS = 6
_GUESSES = 3
_YEAR = 52


class SearchDesk:
    """Searches both sides."""

    def __init__(
        self, taxonomy: LiveTaxonomy, postings: OpenPostings, find: FindOrganizations
    ) -> None:
        self._taxonomy = taxonomy
        self._postings = postings
        self._find = find

    async def search(
        self, request: api.SearchPostingsRequest, viewer: Viewer
    ) -> api.SearchPostingsResponse:
        """Return a page of what answers a search, without the caller's own.

        Raises InvalidArgument naming what is wrong with a filter.
        """
        taxonomy = await self._taxonomy.knowing([request.capability] if request.capability else [])
        query = _query(request, taxonomy, viewer.principal.organization)
        hits = await self._taxonomy.hits(request.text, _MEANINGS)
        query = replace(query, meant=meant(hits))
        page = paging.Page.of(request, PAGE)
        start, size = int(page.start.get("index", 0)), page.size
        offering = request.kind == api.SearchPostingsRequest.KIND_OFFERS
        side = self._postings.offers if offering else self._postings.demands
        await self._postings.current()
        found = side.index.find(query, self._postings.standards)
        documents = await self._read(side, found[start : start + size], query)
        owners = await self._find([each["organization"] for each in documents])
        answer = api.SearchPostingsResponse(total_size=len(found))
        for each in documents:
            owner = owners.get(each["organization"])
            answer.postings.append(await self._shown(side.kind, each, owner, viewer))
        if start + size < len(found):
            answer.next_page_token = page.following(index=start + size)
        return answer

    async def _read(self, side: Side, found: Sequence[Entry], query: Query) -> list[Document]:
        """Return the documents of what was found that still answer the query."""
        documents = await side.store.get_many([entry.name for entry in found])
        return [
            document
            for entry in found
            if (document := documents.get(entry.name)) is not None
            and document["state"] == "STATE_OPEN"
            and (mark(document) == entry.mark or self._answers(side, document, query))
        ]

    def _answers(self, side: Side, document: Document, query: Query) -> bool:
        alone = PostingSearch()
        alone.replace((), [side.entry(document)])
        return bool(alone.find(query, self._postings.standards))

    async def _shown(
        self,
        kind: Kind[Any],
        document: Document,
        owner: Organization | None,
        viewer: Viewer,
    ) -> api.FoundPosting:
        shown = api.FoundPosting(region=(document["places"] or [""])[-1])
        getattr(shown, kind.noun).CopyFrom(await viewer.see(kind, document))
        if owner is not None and await viewer.may_know_owner(kind, document):
            shown.organization_display_name = owner.display_name
            shown.standards.extend(owner.standards)
        return shown


def meant(hits: Sequence[Hit]) -> dict[str, float]:
    """Return the capabilities that words mean, and how surely, from 0 to 1.

    Where no name is near enough, guesses by meaning count; postings that have the words in their
    title come before theirs.
    """
    sure = {hit.capability.code: hit.score / 100 for hit in hits if hit.score >= LEAST_SURETY}
    guessed = [hit for hit in hits if hit.evidence is Evidence.MEANING][:_GUESSES]
    return sure or {hit.capability.code: GUESSED for hit in guessed}


def _query(request: api.SearchPostingsRequest, taxonomy: Taxonomy, own: str) -> Query:
    faults = []
    wanted = taxonomy.get(request.capability)
    if request.capability and wanted is None:
        faults.append(
            Fault("capability", said(cause_pb2.CAUSE_CAPABILITY_UNKNOWN, code=request.capability))
        )
    if request.least_quantity and not request.capability:
        faults.append(Fault("least_quantity", said(cause_pb2.CAUSE_TICKS_OF_NOTHING)))
    for field in ("earliest", "latest"):
        week = getattr(request, field)
        if week and not periods.exists(week):
            faults.append(Fault(field, said(cause_pb2.CAUSE_NOT_A_WEEK, period=week)))
    if faults:
        raise refusal(faults)
    same = [] if wanted is None else [e.code for e in taxonomy if e.unit.code == wanted.unit.code]
    return Query(
        text=request.text,
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
