"""How two organizations stand to each other by the ledger, and what erasing one takes."""

from services.chassis.access import organization_of
from services.chassis.aggregates import Document
from services.registry import convert, posting_documents
from services.registry.domain.instants import Clock, now_ms
from services.registry.domain.ledger import ClaimState
from services.registry.domain.organizations import Relation
from services.registry.store.postings import Postings as Store
from services.registry.usecases.kinds import DEMANDS, OFFERS, Kind, M

_ERASED_TITLE = "—"
_CLAIMED = {"claimed": True}


class Neighbours:
    """Answers what the organizations' half asks of offers, demands and their claims."""

    def __init__(self, offers: Store, demands: Store, clock: Clock = now_ms) -> None:
        self._offers = offers
        self._demands = demands
        self._clock = clock

    async def relation(self, reader: str, organization: str) -> Relation:
        """Return how a reader stands to an organization, by the best claim between the two."""
        best: Relation = "none"
        for claimant, owner in ((reader, organization), (organization, reader)):
            for document in await self._demands.of_organization(claimant, _CLAIMED, ["claims"]):
                for stored in document["claims"].values():
                    claim = convert.claim(stored)
                    if owner not in {organization_of(offer) for offer in claim.terms.offers()}:
                        continue
                    if claim.state is ClaimState.COMMITTED:
                        return "confirmed"
                    best = "proposal"
        return best

    async def open_commitments(self, organization: str) -> int:
        """Return how many claims stand on an organization's postings, held or committed."""
        count = 0
        for store in (self._offers, self._demands):
            for document in await store.of_organization(organization, _CLAIMED, ["claims"]):
                count += len(document["claims"])
        return count

    async def withdraw_postings(self, organization: str) -> None:
        """Withdraw all postings of an organization and empty what it wrote in them."""
        for document in await self._offers.of_organization(organization):
            await self._empty(OFFERS, self._offers, document)
        for document in await self._demands.of_organization(organization):
            await self._empty(DEMANDS, self._demands, document)

    async def _empty(self, kind: Kind[M], store: Store, document: Document | None) -> None:
        while document is not None:
            content = kind.content(document)
            if document["state"] == "STATE_WITHDRAWN" and content.title == _ERASED_TITLE:
                return
            content.title, content.description = _ERASED_TITLE, ""
            now = self._clock()
            fields = {
                **posting_documents.changed(content, "STATE_WITHDRAWN", now),
                "state": "STATE_WITHDRAWN",
                "requests": [],
            }
            after = {**document, **fields, "revision": document["revision"] + 1}
            event = kind.event("withdrawn", kind.read(after, None), now)
            if await store.compare_and_set(document["_id"], document["revision"], fields, [event]):
                return
            document = await store.get(document["_id"])
