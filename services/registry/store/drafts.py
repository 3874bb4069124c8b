"""Where drafts are kept, found by name or by the member that writes them."""

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database


class Drafts:
    """All drafts."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["drafts"])

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self.aggregates.collection.create_index("member")
        await self.aggregates.collection.create_index("organization")

    async def of_member(self, member: str) -> list[Document]:
        """Return a member's drafts, the latest first. They are few."""
        documents = await self.aggregates.collection.find({"member": member}).to_list(None)
        return sorted(documents, key=lambda d: (-int(d["update_ms"]), str(d["_id"])))

    async def delete(self, name: str) -> None:
        """Delete a draft; none is no error."""
        await self.aggregates.collection.delete_one({"_id": name})

    async def delete_of_member(self, member: str) -> None:
        """Delete all drafts of a member."""
        await self.aggregates.collection.delete_many({"member": member})

    async def delete_all(self, organization: str) -> None:
        """Delete all drafts of an organization's members."""
        await self.aggregates.collection.delete_many({"organization": organization})
