"""What a round leaves behind, in chunks: its book, certificate, assignment and the like."""

from collections.abc import AsyncIterator

from pymongo.errors import BulkWriteError

from services.chassis.mongo import Collection, DuplicateKey

CHUNK_BYTES = 4 * 1024 * 1024

# What there is of a round.
INPUTS = "inputs"
ANSWER = "answer"
FLOWS = "flows"
SHARES = "shares"


class Artifacts:
    """Immutable bytes by round and kind; each chunk is a document of at most 4 MB."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the index by which the chunks of one thing are found in order."""
        await self._collection.create_index([("owner", 1), ("index", 1)])

    async def put(self, round_name: str, kind: str, data: bytes) -> None:
        """Store something; storing it again is harmless."""
        owner = f"{round_name}/{kind}"
        pieces = [data[i : i + CHUNK_BYTES] for i in range(0, len(data), CHUNK_BYTES)] or [b""]
        for index, piece in enumerate(pieces):
            document = {
                "_id": f"{owner}/{index}",
                "owner": owner,
                "index": index,
                "of": len(pieces),
                "data": piece,
            }
            try:
                await self._collection.insert_one(document)
            except (DuplicateKey, BulkWriteError):
                await self._collection.replace_one({"_id": document["_id"]}, document)

    async def get(self, round_name: str, kind: str) -> bytes | None:
        """Return something whole, or None when it is not there or not there whole."""
        pieces = [piece async for piece in self._pieces(f"{round_name}/{kind}")]
        if not pieces or len(pieces) != pieces[0][0]:
            return None
        return b"".join(data for _, data in pieces)

    async def _pieces(self, owner: str) -> AsyncIterator[tuple[int, bytes]]:
        query = {"owner": owner, "index": {"$gte": 0}}
        async for document in self._collection.find(query).sort("index", 1):
            yield document["of"], bytes(document["data"])
