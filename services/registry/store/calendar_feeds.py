"""Where calendar feeds are kept: the digest of each secret, by its member and by its id."""

from services.chassis.aggregates import Aggregates, Answer, Document, New
from services.chassis.mongo import Database


class CalendarFeeds:
    """All feeds, by the name of the feed."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["calendar_feeds"])

    async def ensure_indexes(self) -> None:
        """Create the index that the query below rests on."""
        await self.aggregates.collection.create_index("key")

    async def get(self, name: str) -> Document | None:
        """Return a feed by its resource name."""
        return await self.aggregates.get(name)

    async def by_id(self, key: str) -> Document | None:
        """Return a feed by the id inside its secret."""
        return await self.aggregates.collection.find_one({"key": key})

    async def put(
        self, name: str, before: Document | None, fields: Document, answer: Answer
    ) -> bool:
        """Store a feed in the place of the one read before; False when another was faster."""
        if before is None:
            [done] = await self.aggregates.insert_many(
                [New({"_id": name, **fields}, answer=answer)]
            )
            return bool(done)
        return await self.aggregates.compare_and_set(name, before["revision"], fields, (), [answer])

    async def touch(self, document: Document, instant_ms: int) -> None:
        """Note that the feed was read; when another reading is noted at once, that is enough."""
        await self.aggregates.compare_and_set(
            document["_id"], document["revision"], {"last_use_ms": instant_ms}
        )

    async def delete(self, name: str) -> None:
        """Delete a feed; none is no error."""
        await self.aggregates.collection.delete_one({"_id": name})

    async def delete_below(self, name: str) -> None:
        """Delete the feed of a member, or of all members of an organization."""
        # Names begin with the member's; "0" follows "/" in every order.
        below = {"_id": {"$gte": f"{name}/", "$lt": f"{name}0"}}
        await self.aggregates.collection.delete_many(below)
