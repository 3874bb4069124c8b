"""Numbers that only grow, so that postings can be read newest first in bounded steps.

The store sorts in memory whatever a range holds. Numbering postings one by one makes ranges
exact: a page costs the same whether a day brought ten postings or thirty thousand.
"""

import asyncio

from services.chassis.causes import said
from services.chassis.errors import Unavailable
from services.chassis.mongo import Collection, DuplicateKey
from spareline.errors.v1 import cause_pb2, reason_pb2

ATTEMPTS = 50


class Sequence:
    """One counter, shared by all copies of the service."""

    def __init__(self, collection: Collection, name: str) -> None:
        self._collection = collection
        self._name = name
        self._lock = asyncio.Lock()

    async def last(self) -> int:
        """Return the greatest number given out so far; 0 before the first."""
        found = await self._collection.find_one({"_id": self._name})
        return 0 if found is None else int(found["last"])

    async def take(self, count: int = 1) -> int:
        """Reserve so many neighbouring numbers and return the first of them.

        Raises Unavailable when other copies are faster again and again.
        """
        async with self._lock:  # within one copy nobody competes
            for _ in range(ATTEMPTS):
                last = await self.last()
                if await self._move(last, last + count):
                    return last + 1
                await asyncio.sleep(0.002)
        raise Unavailable(reason_pb2.REASON_UNAVAILABLE, said(cause_pb2.CAUSE_TOO_MUCH_AT_ONCE))

    async def _move(self, last: int, new: int) -> bool:
        if last == 0:
            try:
                await self._collection.insert_one({"_id": self._name, "last": new})
            except DuplicateKey:
                return False
            return True
        # A lost connection here at worst skips numbers, which does no harm.
        result = await self._collection.update_one(
            {"_id": self._name, "last": last}, {"$set": {"last": new}}
        )
        return bool(result.modified_count)
