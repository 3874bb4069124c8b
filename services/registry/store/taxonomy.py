"""Where changes of the taxonomy are kept: versions that were adopted, and the one draft."""

from collections.abc import Callable

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database

VERSIONS = "taxonomyVersions/"
DRAFT = "taxonomyDraft"


class TaxonomyVersions(Aggregates):
    """Adopted versions, named by their number: two that would follow the same one collide."""

    def __init__(self, database: Database, notify: Callable[[], None] = lambda: None) -> None:
        super().__init__(database["taxonomy_versions"], notify)

    async def ensure_indexes(self) -> None:
        """Create the indexes."""
        await super().ensure_indexes()
        await self.collection.create_index("number")

    async def after(self, number: int) -> list[Document]:
        """Return the versions after that number, in order."""
        found = [each async for each in self.collection.find({"number": {"$gt": number}})]
        return sorted(found, key=lambda each: int(each["number"]))


class TaxonomyDrafts(Aggregates):
    """The draft: one document."""

    def __init__(self, database: Database) -> None:
        super().__init__(database["taxonomy_draft"])
