"""Where mail is prepared: members' choices, the news that wait, and whose turn it is to send."""

from collections.abc import Sequence
from typing import Any

from pymongo.errors import BulkWriteError

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database, DuplicateKey

_DUPLICATE = 11000
_MOST = 200


class Mail:
    """Choices and waiting news."""

    def __init__(self, database: Database) -> None:
        self.settings = Aggregates(database["mail_settings"])
        self._news = database["mail_news"]
        self._turns = database["mail_turns"]

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self._news.create_index([("member", 1), ("create_ms", 1)])
        await self._news.create_index("create_ms")
        await self._news.create_index("told_ms")

    async def muted(self, member: str) -> list[int]:
        """Return the kinds that a member does not want."""
        document = await self.settings.get(f"{member}/mailSettings")
        return list(document["muted"]) if document else []

    async def add(self, news: Sequence[Document]) -> None:
        """Store news; those that are there already stay as they are."""
        if not news:
            return
        try:
            await self._news.insert_many(list(news), ordered=False)
        except BulkWriteError as error:
            if any(e.get("code") != _DUPLICATE for e in error.details["writeErrors"]):
                raise

    async def waiting(self, until: int) -> list[str]:
        """Return members with news from before an instant."""
        cursor = self._news.find({"create_ms": {"$gt": 0, "$lte": until}}, {"member": 1})
        return sorted({d["member"] for d in await cursor.limit(_MOST).to_list(_MOST)})

    async def news(self, member: str) -> list[Document]:
        """Return a member's news that wait, the oldest first."""
        waiting = {"member": member, "create_ms": {"$gt": 0}}
        cursor = self._news.find(waiting).sort("create_ms", 1)
        found: list[Document] = await cursor.limit(_MOST).to_list(_MOST)
        return found

    async def take_turn(self, member: str, now: int, until: int) -> bool:
        """Take the right to write to a member; False while another copy has it."""
        taken: Any = await self._turns.update_one(
            {"_id": member, "until_ms": {"$lte": now}}, {"$set": {"until_ms": until}}
        )
        if taken.modified_count:
            return True
        try:
            await self._turns.insert_one({"_id": member, "until_ms": until})
        except DuplicateKey:
            return False
        return True

    async def end_turn(self, member: str) -> None:
        """Give the right back."""
        await self._turns.delete_one({"_id": member})

    async def done(self, names: Sequence[str], now: int) -> None:
        """Note that news were told: they wait no more, and none is taken up a second time."""
        told = {"$set": {"create_ms": 0, "told_ms": now}}
        await self._news.update_many({"_id": {"$in": list(names)}}, told)

    async def sweep(self, before: int) -> None:
        """Forget news that were told, or could not be told, for so long."""
        await self._news.delete_many({"create_ms": {"$gt": 0, "$lt": before}})
        await self._news.delete_many({"told_ms": {"$gt": 0, "$lt": before}})

    async def delete_below(self, name: str) -> None:
        """Forget everything of a member, or of all members of an organization."""
        # All names here begin with the member's; "0" follows "/" in every order.
        below = {"_id": {"$gte": f"{name}/", "$lt": f"{name}0"}}
        for collection in (self.settings.collection, self._news, self._turns):
            await collection.delete_many(below)
        await self._turns.delete_one({"_id": name})
