"""Rounds: where each stands, who runs it and until when that is believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.chassis.aggregates import Aggregates, Answer, Document, Event
from spareline.matching.v1 import round_pb2

Round = round_pb2.Round

UNDER_WAY = (Round.STATE_PENDING, Round.STATE_RUNNING)


@dataclass(frozen=True)
class StoredRound:
    """A round as it lies in the store."""

    round: round_pb2.Round
    revision: int
    owner: str  # the process that runs it
    owner_until_ms: int  # it is taken for dead after this moment
    cancelled: bool  # somebody asked to stop it
    holding: bool  # all its proposals are stored; from here on it is only ever finished
    limits: dict[str, int]  # what the request asked for: time_limit_ms, as_of_ms
    document: Document

    @property
    def name(self) -> str:
        """The resource name."""
        return self.round.name


class Rounds:
    """The collection of rounds."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._aggregates = aggregates
        self._collection = aggregates.collection

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below run on."""
        await self._aggregates.ensure_indexes()
        for fields in (("order",), ("what_if", "order"), ("state", "owner_until_ms")):
            await self._collection.create_index([(field, 1) for field in fields])

    async def create(
        self,
        round_: round_pb2.Round,
        owner: str,
        owner_until_ms: int,
        limits: dict[str, int],
        answer: Answer | None,
    ) -> None:
        """Store a new round. Raises DuplicateKey when its name is taken."""
        document = {
            "_id": round_.name,
            "order": f"{round_.create_time.ToMilliseconds():014d}-{round_.name}",
            "what_if": round_.what_if,
            "owner": owner,
            "owner_until_ms": owner_until_ms,
            "cancelled": False,
            "holding": False,
            "limits": limits,
            **_fields(round_),
        }
        await self._aggregates.insert(document, (), answer)

    async def get(self, name: str) -> StoredRound | None:
        """Return a round by its resource name."""
        document = await self._aggregates.get(name)
        return None if document is None else _stored(document)

    async def save(
        self,
        stored: StoredRound,
        round_: round_pb2.Round,
        events: Sequence[Message] = (),
        answer: Answer | None = None,
        **more: Any,
    ) -> bool:
        """Store a changed round, and further fields of the document; False when it lost a race."""
        return await self._aggregates.compare_and_set(
            stored.name,
            stored.revision,
            {**_fields(round_), **more},
            [Event.of(event) for event in events],
            [answer],
        )

    async def page(self, include_what_if: bool, before: str, size: int) -> list[StoredRound]:
        """Return up to ``size`` rounds, newest first, of an order below ``before``."""
        query: dict[str, Any] = {"order": {"$lt": before or "~"}}
        if not include_what_if:
            query["what_if"] = False
        cursor = self._collection.find(query).sort("order", -1).limit(size)
        return [_stored(document) for document in await cursor.to_list(size)]

    async def orphans(self, now_ms: int) -> list[StoredRound]:
        """Return rounds under way whose process has not been heard of for too long."""
        found: list[StoredRound] = []
        for state in UNDER_WAY:
            query = {"state": state, "owner_until_ms": {"$lte": now_ms}}
            found += [_stored(document) async for document in self._collection.find(query)]
        return found

    async def under_way(self) -> list[StoredRound]:
        """Return rounds that wait or run."""
        return await self.orphans(2**62)

    async def latest_completed(self) -> StoredRound | None:
        """Return the newest round that completed and was no what-if."""
        query = {"what_if": False, "order": {"$lt": "~"}, "state": Round.STATE_COMPLETED}
        found = await self._collection.find(query).sort("order", -1).limit(1).to_list(1)
        return _stored(found[0]) if found else None


def _fields(round_: round_pb2.Round) -> dict[str, Any]:
    return {"body": round_.SerializeToString(), "state": round_.state}


def _stored(document: Document) -> StoredRound:
    return StoredRound(
        round=round_pb2.Round.FromString(bytes(document["body"])),
        revision=document["revision"],
        owner=document["owner"],
        owner_until_ms=document["owner_until_ms"],
        cancelled=document["cancelled"],
        holding=document["holding"],
        limits=document["limits"],
        document=document,
    )
