"""State, events and answers change in one atomic write, whatever happens to the connection."""

import asyncio

import pytest

from services.chassis import mongo
from services.chassis.aggregates import (
    ANSWERS_KEPT,
    Aggregates,
    Answer,
    Document,
    Event,
    New,
    stored_answer,
)
from services.chassis.errors import FailedPrecondition
from tests import servers
from tests.contract.chassis.cutting_proxy import cutting_proxy


@pytest.fixture
async def things(database: mongo.Database) -> Aggregates:
    found = Aggregates(database["things"])
    await found.ensure_indexes()
    return found


async def held(things: Aggregates, name: str = "things/a") -> Document:
    document = await things.get(name)
    assert document is not None
    return document


async def test_insert_stores_state_event_and_answer_together(things: Aggregates) -> None:
    event = Event("market.thing.made.v1", b"payload")
    await things.insert({"_id": "things/a", "size": 3}, [event], Answer("r1", "d1", b"answer"))
    stored = await held(things)
    assert (stored["size"], stored["revision"], stored["pending"]) == (3, 1, True)
    assert [(e["id"], e["subject"], e["payload"]) for e in stored["outbox"]] == [
        (event.id, "market.thing.made.v1", b"payload")
    ]
    assert stored_answer(stored, "r1", "d1") == b"answer"


async def test_a_taken_name_is_refused_and_the_first_document_stays(things: Aggregates) -> None:
    await things.insert({"_id": "things/a", "size": 1})
    with pytest.raises(mongo.DuplicateKey):
        await things.insert({"_id": "things/a", "size": 2})
    assert (await held(things))["size"] == 1


async def test_insert_many_reports_each_duplicate(things: Aggregates) -> None:
    await things.insert({"_id": "things/3"})
    names = [f"things/{i}" for i in range(6)] + ["things/5"]
    results = await things.insert_many([New({"_id": name}) for name in names])
    assert results == [True, True, True, False, True, True, False]
    assert len(await things.get_many(names)) == 6


async def test_insert_many_is_one_list_over_several_batches(things: Aggregates) -> None:
    await things.insert({"_id": "things/1700"})
    news = [New({"_id": f"things/{i}"}) for i in range(2500)]
    results = await things.insert_many(news)
    assert [i for i, inserted in enumerate(results) if not inserted] == [1700]


async def test_compare_and_set_refuses_an_old_revision(things: Aggregates) -> None:
    await things.insert({"_id": "things/a", "size": 1, "note": "x"})
    assert await things.compare_and_set("things/a", 1, {"size": 2}, unset=["note"])
    assert not await things.compare_and_set("things/a", 1, {"size": 3})
    assert not await things.compare_and_set("things/none", 1, {"size": 3})
    stored = await held(things)
    assert (stored["size"], stored["revision"], "note" in stored) == (2, 2, False)


async def test_of_many_racers_exactly_one_wins_each_revision(things: Aggregates) -> None:
    await things.insert({"_id": "things/a", "count": 0})

    async def add_one() -> None:
        while True:
            stored = await held(things)
            changed = {"count": stored["count"] + 1}
            if await things.compare_and_set("things/a", stored["revision"], changed):
                return

    await asyncio.gather(*(add_one() for _ in range(20)))
    stored = await held(things)
    assert (stored["count"], stored["revision"]) == (20, 21)


async def test_changes_that_go_together_succeed_and_fail_one_by_one(things: Aggregates) -> None:
    names = [f"things/{i}" for i in range(100)]
    await things.insert_many([New({"_id": name, "n": 0}) for name in names])
    for name in names[::3]:
        assert await things.compare_and_set(name, 1, {"n": -1})
    results = await asyncio.gather(
        *(things.compare_and_set(name, 1, {"n": i}) for i, name in enumerate(names)),
        things.compare_and_set("things/none", 1, {"n": 1}),
    )
    assert results == [bool(i % 3) for i in range(100)] + [False]
    stored = await things.get_many(names)
    assert [stored[name]["n"] for name in names] == [i if i % 3 else -1 for i in range(100)]
    assert {document["revision"] for document in stored.values()} == {2}


async def test_a_value_that_is_taken_is_told_to_its_writer_alone(things: Aggregates) -> None:
    await things.collection.create_index("unique", unique=True)
    names = [f"things/{i}" for i in range(20)]
    await things.insert_many([New({"_id": name, "unique": name}) for name in names])
    results = await asyncio.gather(
        *(
            things.compare_and_set(name, 1, {"unique": "things/0" if i == 7 else f"new {i}"})
            for i, name in enumerate(names[1:])
        ),
        return_exceptions=True,
    )
    assert [i for i, result in enumerate(results) if result is not True] == [7]
    assert isinstance(results[7], mongo.DuplicateKey)


async def test_only_the_newest_answers_are_kept(things: Aggregates) -> None:
    await things.insert({"_id": "things/a"}, answer=Answer("r0", "d", b"0"))
    for i in range(1, ANSWERS_KEPT + 3):
        await things.compare_and_set("things/a", i, {}, answers=[Answer(f"r{i}", "d", b"%d" % i)])
    stored = await held(things)
    assert len(stored["requests"]) == ANSWERS_KEPT
    assert stored_answer(stored, "r0", "d") is None
    assert stored_answer(stored, f"r{ANSWERS_KEPT + 2}", "d") == b"%d" % (ANSWERS_KEPT + 2)


async def test_a_request_id_used_for_another_request_is_refused(things: Aggregates) -> None:
    await things.insert({"_id": "things/a"}, answer=Answer("r1", "digest", b"answer"))
    stored = await held(things)
    with pytest.raises(FailedPrecondition):
        stored_answer(stored, "r1", "other digest")
    assert stored_answer(stored, "", "digest") is None
    assert stored_answer(None, "r1", "digest") is None


async def test_an_answer_without_a_request_id_is_not_kept(things: Aggregates) -> None:
    await things.insert({"_id": "things/a"}, answer=Answer("", "digest", b"answer"))
    assert (await held(things))["requests"] == []


async def test_writes_whose_answer_is_lost_are_applied_exactly_once(
    mongo_url: str, database_name: str
) -> None:
    """The proxy forwards each write and cuts the connection before its answer comes back."""
    port = int(mongo_url.rsplit(":", 1)[1])
    async with cutting_proxy(port) as proxy:
        url = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
        async with mongo.connect(url, database_name) as database:
            things = Aggregates(database["things"])
            await things.insert({"_id": "things/warm"})
            proxy.cut_next_answer()
            await things.insert({"_id": "things/a", "n": 0})
            for revision in range(1, 6):
                proxy.cut_next_answer()
                assert await things.compare_and_set("things/a", revision, {"n": revision})
            proxy.cut_next_answer()
            news = [New({"_id": f"things/{i}"}) for i in range(50)]
            news.append(New({"_id": "things/a"}))
            assert await things.insert_many(news) == [True] * 50 + [False]
            stored = await held(things)
            assert (stored["n"], stored["revision"], proxy.cuts) == (5, 6, 7)
            proxy.cut_next_answer()
            together = await asyncio.gather(
                *(things.compare_and_set(f"things/{i}", 1, {"n": i}) for i in range(50)),
                things.compare_and_set("things/a", 1, {"n": 1}),
            )
            assert together == [True] * 50 + [False]
            after = await things.get_many([f"things/{i}" for i in range(50)])
            assert {(d["n"], d["revision"]) for d in after.values()} == {(i, 2) for i in range(50)}
            assert proxy.cuts == 8


@pytest.mark.slow
async def test_no_acknowledged_write_is_lost_when_the_store_is_killed() -> None:
    async with servers.mongo_server() as server, mongo.connect(server.url, "killed") as database:
        things = Aggregates(database["things"])
        await things.insert({"_id": "things/a", "n": 0})
        for revision in range(1, 31):
            if revision in (10, 20):
                await server.restart()
            changed = await things.compare_and_set("things/a", revision, {"n": revision})
            assert changed, f"write {revision} was not applied"
        stored = await held(things)
        assert (stored["n"], stored["revision"]) == (30, 31)


@pytest.mark.slow
async def test_none_is_lost_or_doubled_when_the_store_dies_among_many_changes() -> None:
    async with servers.mongo_server() as server, mongo.connect(server.url, "killed") as database:
        things = Aggregates(database["things"])
        names = [f"things/{i}" for i in range(60)]
        await things.insert_many([New({"_id": name, "n": 0}) for name in names])

        async def writes(name: str) -> None:
            for revision in range(1, 9):
                assert await things.compare_and_set(name, revision, {"n": revision})

        async def kills() -> None:
            for _ in range(2):
                await asyncio.sleep(0.4)
                await server.restart()

        await asyncio.gather(kills(), *(writes(name) for name in names))
        stored = await things.get_many(names)
        assert {(d["n"], d["revision"]) for d in stored.values()} == {(8, 9)}
