"""People's sessions: one document per family of refresh tokens, of which one is current."""

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database


class Sessions:
    """All sessions, by the id of their family."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["sessions"])

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        collection = self.aggregates.collection
        await collection.create_index("member")
        await collection.create_index("organization")
        await collection.create_index("expire_ms")

    async def get(self, family: str) -> Document | None:
        """Return a session."""
        return await self.aggregates.get(family)

    async def begin(
        self, family: str, member: str, organization: str, digest: str, expire_ms: int
    ) -> None:
        """Store a new session with the digest of its first refresh token."""
        await self.aggregates.insert(
            {
                "_id": family,
                "member": member,
                "organization": organization,
                "digest": digest,
                "expire_ms": expire_ms,
            }
        )

    async def rotate(self, session: Document, digest: str, expire_ms: int) -> bool:
        """Put the next token in the place of the current one; False when another was faster."""
        fields = {"digest": digest, "expire_ms": expire_ms}
        return await self.aggregates.compare_and_set(session["_id"], session["revision"], fields)

    async def end(self, family: str) -> None:
        """End a session; none is no error."""
        await self.aggregates.collection.delete_one({"_id": family})

    async def end_all(self, member: str, *, but: str = "") -> None:
        """End a member's sessions, all but one."""
        await self.aggregates.collection.delete_many({"member": member, "_id": {"$ne": but}})

    async def end_organization(self, organization: str) -> None:
        """End the sessions of all members."""
        await self.aggregates.collection.delete_many({"organization": organization})

    async def sweep(self, instant_ms: int) -> int:
        """Delete what ran out before the instant; return how many."""
        result = await self.aggregates.collection.delete_many({"expire_ms": {"$lt": instant_ms}})
        return int(result.deleted_count)
