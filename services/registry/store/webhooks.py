"""Where webhooks and their deliveries are kept.

A delivery's name holds the event's id, so an event that comes twice makes one delivery. Its
sender owns it while ``due_ms`` lies ahead: whoever moves that instant first makes the attempt.
"""

from collections.abc import Sequence

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import IDS_AT_ONCE, Database, insert_missing

PENDING, DELIVERED, DEAD = "STATE_PENDING", "STATE_DELIVERED", "STATE_DEAD"
_KEPT_MS = 30 * 86_400_000
_MOST_LISTED = 1000


class Webhooks:
    """All webhooks and deliveries."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["webhooks"])
        self._deliveries = database["webhook_deliveries"]

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self.aggregates.collection.create_index("organization")
        await self._deliveries.create_index([("state", 1), ("due_ms", 1)])
        await self._deliveries.create_index([("webhook", 1), ("create_ms", 1)])
        await self._deliveries.create_index("create_ms")

    async def of(self, organizations: Sequence[str]) -> list[Document]:
        """Return the webhooks of some organizations, the oldest first. They are few."""
        found: list[Document] = []
        for start in range(0, len(organizations), IDS_AT_ONCE):
            some = list(organizations[start : start + IDS_AT_ONCE])
            condition = {"organization": {"$in": some}}
            found += await self.aggregates.collection.find(condition).to_list(None)
        return sorted(found, key=lambda d: (int(d["create_ms"]), str(d["_id"])))

    async def of_all(self) -> list[Document]:
        """Return all webhooks there are."""
        found: list[Document] = await self.aggregates.collection.find({}).to_list(None)
        return found

    async def delete(self, name: str) -> None:
        """Delete a webhook and its deliveries; none is no error."""
        await self.aggregates.collection.delete_one({"_id": name})
        await self._deliveries.delete_many({"webhook": name})

    async def delete_all(self, organization: str) -> None:
        """Delete all webhooks of an organization and their deliveries."""
        for webhook in await self.of([organization]):
            await self.delete(webhook["_id"])

    async def add(self, deliveries: Sequence[Document]) -> None:
        """Store deliveries; those that are there already stay as they are."""
        await insert_missing(self._deliveries, deliveries)

    async def delivery(self, name: str) -> Document | None:
        """Return a delivery by its name."""
        found: Document | None = await self._deliveries.find_one({"_id": name})
        return found

    async def deliveries(self, webhook: str) -> list[Document]:
        """Return the latest deliveries of a webhook, the latest first."""
        cursor = self._deliveries.find({"webhook": webhook}).sort("create_ms", -1)
        found: list[Document] = await cursor.limit(_MOST_LISTED).to_list(_MOST_LISTED)
        return found

    async def due(self, now: int, most: int) -> list[Document]:
        """Return deliveries whose attempt is due."""
        cursor = self._deliveries.find({"state": PENDING, "due_ms": {"$lte": now}})
        found: list[Document] = await cursor.limit(most).to_list(most)
        return found

    async def claim(self, delivery: Document, until: int) -> bool:
        """Take a due delivery for one attempt; False when somebody else was faster."""
        done = await self._deliveries.update_one(
            {"_id": delivery["_id"], "state": PENDING, "due_ms": delivery["due_ms"]},
            {"$set": {"due_ms": until, "attempts": delivery["attempts"] + 1}},
        )
        return bool(done.modified_count)

    async def settle(self, name: str, attempts: int, fields: Document) -> None:
        """Note what came of an attempt, unless a later one has begun."""
        await self._deliveries.update_one({"_id": name, "attempts": attempts}, {"$set": fields})

    async def replay(self, name: str, now: int) -> bool:
        """Make a delivery due again, as if the event were new; False when there is none."""
        done = await self._deliveries.update_one(
            {"_id": name}, {"$set": {"state": PENDING, "due_ms": now, "replay_ms": now}}
        )
        return bool(done.matched_count)

    async def sweep(self, now: int) -> None:
        """Forget deliveries that are a month old."""
        await self._deliveries.delete_many({"create_ms": {"$lt": now - _KEPT_MS}})
