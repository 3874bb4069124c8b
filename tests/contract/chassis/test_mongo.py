"""The store does what every write rests on, and what our connection promises."""

import pytest
from pymongo.errors import ConnectionFailure

from services.chassis import mongo
from tests import servers


async def test_the_embedded_store_passes_the_self_check(database: mongo.Database) -> None:
    await mongo.self_check(database)
    await mongo.self_check(database)  # again: what it leaves behind does not disturb it


async def test_self_check_waits_for_a_store_that_comes_late() -> None:
    async with servers.mongo_server() as server, mongo.connect(server.url, "late") as database:
        await server.kill()
        with pytest.raises(ConnectionFailure):
            await mongo.ping(database)
        await server.start()
        await mongo.self_check(database, patience_seconds=15)


async def test_self_check_gives_up_when_its_patience_is_over() -> None:
    url = f"mongodb://127.0.0.1:{servers.free_port()}"
    async with mongo.connect(url, "nobody") as database:
        with pytest.raises(ConnectionFailure):
            await mongo.self_check(database, patience_seconds=0.1)
