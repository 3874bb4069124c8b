"""Where imports and their rows are kept. Rows lie in chunks, as they were added."""

from collections.abc import AsyncIterator, Sequence

from services.chassis.aggregates import Aggregates, Document
from services.chassis.mongo import Database, DuplicateKey

NEVER_MS = 2**53
"""The instant at which an import is due that has nothing to be done."""


class ImportFiles:
    """All imports."""

    def __init__(self, database: Database) -> None:
        self.aggregates = Aggregates(database["import_files"])
        self._rows = database["import_rows"]

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below rest on."""
        await self.aggregates.collection.create_index([("organization", 1), ("create_ms", 1)])
        await self.aggregates.collection.create_index("due_ms")
        await self.aggregates.collection.create_index("update_ms")
        await self._rows.create_index([("import", 1), ("first", 1)])

    async def of_organization(self, organization: str) -> list[Document]:
        """Return an organization's imports, the latest first. They are few."""
        query = {"organization": organization}
        documents = await self.aggregates.collection.find(query).to_list(None)
        return sorted(documents, key=lambda d: (-int(d["create_ms"]), str(d["_id"])))

    async def due(self, now_ms: int) -> list[Document]:
        """Return some imports that have work to be done which nobody does just now."""
        query = {"due_ms": {"$lte": now_ms}}
        found: list[Document] = await self.aggregates.collection.find(query).limit(10).to_list(10)
        return found

    async def untouched_since(self, instant_ms: int) -> list[str]:
        """Return the names of some imports that have not changed since."""
        query = {"update_ms": {"$lt": instant_ms}}
        cursor = self.aggregates.collection.find(query, {"_id": 1}).limit(100)
        return [document["_id"] for document in await cursor.to_list(100)]

    async def add(self, name: str, first: int, rows: Sequence[bytes], bad: Sequence[int]) -> None:
        """Keep a chunk of rows, in place of one that a call left behind which then ended.

        ``bad`` are the indexes of rows with a problem.
        """
        key = f"{name}#{first}"
        fields: Document = {"rows": list(rows), "bad": list(bad), "received_bad": len(bad)}
        try:
            await self._rows.insert_one({"_id": key, "import": name, "first": first, **fields})
        except DuplicateKey:
            await self._rows.update_one({"_id": key}, {"$set": fields})

    async def chunk(self, name: str, first: int) -> Document | None:
        """Return the chunk that begins with a row."""
        return await self._rows.find_one({"_id": f"{name}#{first}"})

    async def chunks(self, name: str, firsts: Sequence[int], after: int) -> AsyncIterator[Document]:
        """Yield chunks in order, from the one in which a row lies.

        ``firsts`` are the rows with which chunks begin: asking the store for them would have it
        read them all.
        """
        start = max((x for x in firsts if x <= after), default=0)
        for first in firsts:
            if first >= start and (found := await self.chunk(name, first)) is not None:
                yield found

    async def replace(
        self, chunk: Document, rows: Sequence[bytes], bad: Sequence[int], *, checked: bool
    ) -> None:
        """Keep what was found out about the rows of a chunk: when checked, or when posted."""
        fields: Document = {"rows": list(rows), "bad": list(bad)}
        if checked:
            fields["checked_bad"] = len(bad)
        await self._rows.update_one({"_id": chunk["_id"]}, {"$set": fields})

    async def delete(self, name: str) -> None:
        """Delete an import and its rows; none is no error."""
        # Rows of an import that is gone are found by nobody, so it goes last.
        await self._rows.delete_many({"import": name})
        await self.aggregates.collection.delete_one({"_id": name})

    async def delete_all(self, organization: str) -> None:
        """Delete all imports of an organization."""
        for document in await self.of_organization(organization):
            await self.delete(document["_id"])
