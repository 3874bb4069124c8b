"""The lock that lets one process at a time clear the market, with a lease that lapses."""

import time

from services.chassis.mongo import Collection, DuplicateKey


def now_ms() -> int:
    """Return the wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


class RoundLock:
    """One lock document, taken and renewed by compare-and-set.

    ``holder`` is ``<instance>/<process>``: a holder of the same instance but another process is
    our own former life, so it need not be waited for.
    """

    def __init__(self, collection: Collection, name: str, holder: str, lease_ms: int) -> None:
        self._collection = collection
        self._name = name
        self._holder = holder
        self._lease_ms = lease_ms

    async def ensure(self) -> None:
        """Create the lock, free, unless it is there."""
        free = {"_id": self._name, "holder": "", "until_ms": 0, "revision": 1}
        try:
            await self._collection.insert_one(free)
        except DuplicateKey:
            return

    async def take(self) -> bool:
        """Take or renew the lock; False while another process holds it."""
        document = await self._collection.find_one({"_id": self._name})
        if document is None:
            await self.ensure()
            return False
        instance = self._holder.partition("/")[0]
        ours = document["holder"].partition("/")[0] == instance and document["holder"]
        if not ours and document["until_ms"] > now_ms():
            return False
        until = now_ms() + self._lease_ms
        return await self._set(document["revision"], self._holder, until)

    async def free(self) -> None:
        """Give the lock back, if it is still ours."""
        document = await self._collection.find_one({"_id": self._name})
        if document is not None and document["holder"] == self._holder:
            await self._set(document["revision"], "", 0)

    async def _set(self, revision: int, holder: str, until_ms: int) -> bool:
        change = {"holder": holder, "until_ms": until_ms, "revision": revision + 1}
        result = await self._collection.update_one(
            {"_id": self._name, "revision": revision}, {"$set": change}
        )
        return bool(result.modified_count)
