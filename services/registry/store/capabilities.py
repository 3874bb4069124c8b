"""Where capabilities are kept that operators have added to the taxonomy's files."""

from collections.abc import Callable

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database
from services.registry.store.sequence import Sequence


class Capabilities(Aggregates):
    """Added capabilities, numbered in the order in which they came."""

    def __init__(self, database: Database, notify: Callable[[], None] = lambda: None) -> None:
        super().__init__(database["capabilities"], notify)
        self.numbers = Sequence(database["sequences"], "capabilities")

    async def ensure_indexes(self) -> None:
        """Create the indexes."""
        await super().ensure_indexes()
        await self.collection.create_index("number")

    async def after(self, number: int) -> list[Document]:
        """Return what was added after that number, in order."""
        found = [each async for each in self.collection.find({"number": {"$gt": number}})]
        return sorted(found, key=lambda each: int(each["number"]))
