"""The store's connection: the one module that imports motor.

Motor is in its last support year. Its successor, PyMongo's AsyncMongoClient, has nearly the
same calls; to switch, change the client made here and the two type names.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo.errors import BulkWriteError, ConnectionFailure
from pymongo.errors import DuplicateKeyError as DuplicateKey

from services.chassis import logs

if TYPE_CHECKING:
    Database: TypeAlias = AsyncIOMotorDatabase[dict[str, Any]]
    Collection: TypeAlias = AsyncIOMotorCollection[dict[str, Any]]
else:
    Database: TypeAlias = AsyncIOMotorDatabase
    Collection: TypeAlias = AsyncIOMotorCollection

__all__ = [
    "Collection",
    "Database",
    "DuplicateKey",
    "StoreUnfit",
    "connect",
    "insert_missing",
    "ping",
    "self_check",
]

_log = logs.get_logger("mongo")
_CHECKED = "chassis_self_check"

# The most ids in one $in: the embedded store's cost per id grows with their number.
IDS_AT_ONCE = 100

DUPLICATE_CODE = 11000

_INSERTED_AT_ONCE = 1000


class StoreUnfit(RuntimeError):  # noqa: N818
    """The configured store does not do what Spareline's writes rest on."""


@asynccontextmanager
async def connect(url: str, database: str) -> AsyncIterator[Database]:
    """Open a client and yield the database. Nothing is sent before the first operation.

    The driver's own retries of writes are off: they could apply a write twice after a crash.
    ``aggregates`` retries by what the document itself tells.
    """
    client: Any = AsyncIOMotorClient(
        url,
        retryWrites=False,
        retryReads=True,
        tz_aware=True,
        w="majority",
        appname="spareline",
        serverSelectionTimeoutMS=3000,
        connectTimeoutMS=3000,
        socketTimeoutMS=30000,
        maxPoolSize=50,
    )
    try:
        yield client[database]
    finally:
        client.close()


async def ping(database: Database) -> None:
    """Raise ConnectionFailure when the store does not answer."""
    await database.command("ping")


async def insert_missing(collection: Collection, documents: Sequence[dict[str, Any]]) -> None:
    """Insert documents, many in one write; one whose ``_id`` is there already is left as it is."""
    for start in range(0, len(documents), _INSERTED_AT_ONCE):
        batch = list(documents[start : start + _INSERTED_AT_ONCE])
        try:
            await collection.insert_many(batch, ordered=False)
        except BulkWriteError as error:
            details: Any = error.details
            if any(each["code"] != DUPLICATE_CODE for each in details["writeErrors"]):
                raise


async def self_check(database: Database, *, patience_seconds: float | None = None) -> None:
    """Wait until the store answers, then try what every write rests on.

    Unique ids, unique indexes, compare-and-set, and pushing to and pulling from a list.
    Raises StoreUnfit saying what failed, ConnectionFailure when patience (seconds; None:
    endless) is over.
    """
    await _await_store(database, patience_seconds)
    collection = database[_CHECKED]
    await collection.create_index("unique", unique=True)
    identity = uuid.uuid4().hex
    try:
        await collection.insert_one(
            {"_id": identity, "unique": identity, "revision": 1, "list": []}
        )
        for duplicate in ({"_id": identity, "unique": "-"}, {"_id": "-", "unique": identity}):
            await _expect_duplicate(collection, duplicate)
        await _expect_compare_and_set(collection, identity)
    finally:
        await collection.delete_one({"_id": identity})


async def _await_store(database: Database, patience_seconds: float | None) -> None:
    loop = asyncio.get_running_loop()
    started, pause = loop.time(), 0.2
    while True:
        try:
            return await ping(database)
        except ConnectionFailure as error:
            over = patience_seconds is not None and loop.time() - started > patience_seconds
            if over:
                raise
            _log.warning("the store does not answer yet", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5.0)


async def _expect_duplicate(collection: Collection, document: dict[str, Any]) -> None:
    try:
        await collection.insert_one(document)
    except DuplicateKey:
        return
    await collection.delete_one({"_id": document["_id"]})
    raise StoreUnfit("the store took a second document with a unique value")


async def _expect_compare_and_set(collection: Collection, identity: str) -> None:
    condition = {"_id": identity, "revision": 1}
    change = {
        "$set": {"revision": 2},
        "$push": {"list": {"$each": [{"id": 1}, {"id": 2}, {"id": 3}], "$slice": -2}},
    }
    first = await collection.update_one(condition, change)
    second = await collection.update_one(condition, change)
    if (first.modified_count, second.modified_count) != (1, 0):
        raise StoreUnfit("the store's update_one does not compare and set")
    await collection.update_one({"_id": identity}, {"$pull": {"list": {"id": {"$in": [2]}}}})
    found = await collection.find_one({"_id": identity}) or {}
    if found.get("list") != [{"id": 3}]:
        raise StoreUnfit("the store's $push with $slice or its $pull does something else")
