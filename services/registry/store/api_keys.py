"""The keys of programs: what is kept of each, found by its id or by its organization."""

from services.chassis.aggregates import Aggregates, Answer, Document
from services.chassis.mongo import Database, DuplicateKey
from services.registry.domain.instants import timestamp
from spareline.market.v1.organization_pb2 import ApiKey


def api_key(document: Document) -> ApiKey:
    """Return what is shown of a key."""
    found = ApiKey.FromString(document["body"])
    if document["last_use_ms"]:
        found.last_use_time.CopyFrom(timestamp(document["last_use_ms"]))
    return found


class ApiKeys:
    """All keys."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["api_keys"])

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self.aggregates.collection.create_index("key", unique=True)
        await self.aggregates.collection.create_index("organization")

    async def get(self, name: str) -> Document | None:
        """Return a key by its resource name."""
        return await self.aggregates.get(name)

    async def by_id(self, key: str) -> Document | None:
        """Return a key by the id inside the secret that its holder shows."""
        return await self.aggregates.collection.find_one({"key": key})

    async def of_organization(self, organization: str) -> list[Document]:
        """Return an organization's keys, the oldest first. They are few."""
        cursor = self.aggregates.collection.find({"organization": organization})
        documents = await cursor.to_list(None)
        return sorted(documents, key=lambda document: (document["create_ms"], document["_id"]))

    async def insert(self, fields: Document, answer: Answer) -> bool:
        """Store a new key; False when its name is taken."""
        try:
            await self.aggregates.insert(fields, (), answer)
        except DuplicateKey:
            return False
        return True

    async def touch(self, document: Document, instant_ms: int) -> None:
        """Note that the key was used; when another use is noted at once, that one is enough."""
        await self.aggregates.compare_and_set(
            document["_id"], document["revision"], {"last_use_ms": instant_ms}
        )

    async def delete(self, name: str) -> None:
        """Delete a key; none is no error."""
        await self.aggregates.collection.delete_one({"_id": name})

    async def delete_all(self, organization: str) -> None:
        """Delete all keys of an organization."""
        await self.aggregates.collection.delete_many({"organization": organization})
