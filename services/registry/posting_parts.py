"""The registry's parts for what is posted: stores and use cases, put together once."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from services.chassis.access import Delegations, current
from services.chassis.aggregates import Aggregates
from services.chassis.mongo import Collection, Database
from services.registry.domain.instants import Clock, now_ms
from services.registry.domain.taxonomy import Taxonomy
from services.registry.store.capabilities import Capabilities
from services.registry.store.demands import Demands
from services.registry.store.offers import Offers
from services.registry.store.taxonomy import TaxonomyDrafts, TaxonomyVersions
from services.registry.usecases.book import Book
from services.registry.usecases.imports import Import, ImportAnswers
from services.registry.usecases.kinds import DEMANDS, OFFERS, M
from services.registry.usecases.ledger import Ledger
from services.registry.usecases.ledger_check import LedgerCheck
from services.registry.usecases.listing import Listing
from services.registry.usecases.market_data import MarketData
from services.registry.usecases.meanings import Meanings
from services.registry.usecases.open_postings import FindOrganizations, OpenPostings
from services.registry.usecases.posting_search import SearchDesk
from services.registry.usecases.postings import FindOrganization, Postings
from services.registry.usecases.taxonomy import LiveTaxonomy
from services.registry.usecases.taxonomy_editing import TaxonomyDesk
from services.registry.usecases.utilization import UtilizationDesk
from services.registry.usecases.viewing import Audit, Viewer
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization


@dataclass(frozen=True, slots=True)
class PostingStores:
    """Where offers, demands and added capabilities are kept."""

    offers: Offers
    demands: Demands
    capabilities: Capabilities
    taxonomy_versions: TaxonomyVersions

    @classmethod
    def of(cls, database: Database, notify: Callable[[], None]) -> "PostingStores":
        """Return the stores in a database."""
        return cls(
            Offers(database, notify),
            Demands(database, notify),
            Capabilities(database, notify),
            TaxonomyVersions(database, notify),
        )

    @property
    def outboxes(self) -> list[Collection]:
        """The collections that the relay must empty."""
        return [each.collection for each in self._all]

    @property
    def _all(self) -> tuple[Aggregates, ...]:
        return (self.offers, self.demands, self.capabilities, self.taxonomy_versions)

    async def ensure_indexes(self) -> None:
        """Create all indexes."""
        for store in self._all:
            await store.ensure_indexes()


class PostingParts:
    """All use cases for what is posted, and for the ledger."""

    def __init__(
        self,
        database: Database,
        stores: PostingStores,
        files: Taxonomy,
        find_organization: FindOrganization,
        all_organizations: Callable[[], AsyncIterator[Organization]],
        delegations: Delegations,
        find_organizations: FindOrganizations,
        audit: Audit,
        clock: Clock = now_ms,
        meanings: Meanings | None = None,
    ) -> None:
        self.stores = stores
        self._delegations = delegations
        self._audit = audit
        self._answers = ImportAnswers(database, clock)
        self.taxonomy = LiveTaxonomy(files, stores.capabilities, stores.taxonomy_versions, meanings)
        self.taxonomy_desk = TaxonomyDesk(
            self.taxonomy, stores.taxonomy_versions, TaxonomyDrafts(database), clock
        )
        self.offers: Postings[Offer] = Postings(
            OFFERS, stores.offers, self.taxonomy, find_organization, clock
        )
        self.demands: Postings[Demand] = Postings(
            DEMANDS, stores.demands, self.taxonomy, find_organization, clock
        )
        self.open = OpenPostings(stores.offers, stores.demands, find_organizations)
        self.offer_listing: Listing[Offer] = Listing(OFFERS, self.open, self.open.offers)
        self.demand_listing: Listing[Demand] = Listing(DEMANDS, self.open, self.open.demands)
        self.ledger = Ledger(stores.offers, stores.demands, clock)
        self.check = LedgerCheck(stores.offers, stores.demands)
        desk = SearchDesk(self.taxonomy, self.open, find_organizations)
        self.market_data = MarketData(self.taxonomy, self.open, desk)
        self.utilization = UtilizationDesk(stores.offers)
        self.book = Book(all_organizations, self.taxonomy, stores.offers, stores.demands)

    def viewer(self) -> Viewer:
        """Return the reader of the present call."""
        return Viewer(current(), self._delegations, self._audit)

    def new_import(self, postings: Postings[M]) -> Import[M]:
        """Return an import for the caller."""
        return Import(postings, current(), self._delegations, self._answers)
