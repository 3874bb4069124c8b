"""Proposals: the contract's message as bytes, beside what it is found by and what is due.

``todo`` names the step that the proposal owes the ledger, stored in the same write as the state
that calls for it, so that whoever finds it after a crash can take the step.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.chassis.aggregates import Aggregates, Answer, Document, Event, New, etag
from services.matching.domain import counters
from services.matching.domain.proposals import LIVE, Move
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal

_WRITES_IN_FLIGHT = 32
_DEMANDS = 500


class Todo(StrEnum):
    """What a proposal owes the ledger."""

    NOTHING = ""
    COMMIT = "commit"  # all accepted: the hold is to become a commitment
    REVISE = "revise"  # a counter is agreed: its quantities are to be held in place of the old
    REHOLD = "rehold"  # the quantities of the terms as they stand are to be held (again)
    RELEASE = "release"  # it is over: its hold is to be freed, and what follows noted
    CANCEL = "cancel"  # it is over after a dispute: its commitment is to be freed


@dataclass(frozen=True)
class Stored:
    """A proposal as it lies in the store."""

    proposal: proposal_pb2.Proposal
    revision: int
    todo: Todo
    claim_version: int
    hidden: frozenset[int]  # indexes of the parties that wanted to be unnamed until confirmation
    terms: Mapping[str, str]  # "<offer>|<line>" -> digest of the terms that were judged
    value: int  # what it serves of the demand, in minor units, for the fairness accounts
    document: Document

    @property
    def name(self) -> str:
        """The resource name."""
        return self.proposal.name


@dataclass(frozen=True)
class Draft:
    """A proposal to be stored for the first time."""

    proposal: proposal_pb2.Proposal
    hidden: frozenset[int]
    terms: Mapping[str, str]
    value: int


@dataclass(frozen=True)
class Filter:
    """Which proposals a page shows. At most one of round, party's posting and awaiting leads."""

    round: str = ""
    party: str = ""
    posting: str = ""
    awaiting: bool = False
    states: tuple[int, ...] = ()


class Proposals:
    """The collection of proposals."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._aggregates = aggregates
        self._collection = aggregates.collection

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below run on."""
        await self._aggregates.ensure_indexes()
        for fields in (
            ("order",),
            ("parties", "order"),
            ("round", "order"),
            ("awaiting", "order"),
            ("postings", "order"),
            ("todo", "todo_ms"),
            ("state", "lease_ms"),
            ("parties", "update_ms"),
            ("update_ms",),
            ("demand", "state"),
        ):
            await self._collection.create_index([(field, 1) for field in fields])

    async def create(self, drafts: Sequence[Draft]) -> None:
        """Store proposals; one that is there already is left as it is."""
        await self._aggregates.insert_many([New(_new_document(draft)) for draft in drafts])

    async def get(self, name: str) -> Stored | None:
        """Return a proposal by its resource name."""
        document = await self._aggregates.get(name)
        return None if document is None else _stored(document)

    async def get_many(self, names: Sequence[str]) -> dict[str, Stored]:
        """Return the proposals that exist, by name."""
        found = await self._aggregates.get_many(names)
        return {name: _stored(document) for name, document in found.items()}

    async def save(
        self,
        stored: Stored,
        move: Move,
        todo: Todo,
        *,
        claim_version: int | None = None,
        answer: Answer | None = None,
    ) -> Stored | None:
        """Store a move with its events and answer; None when somebody else was faster.

        What is returned is the proposal as it lies in the store now.
        """
        version = stored.claim_version if claim_version is None else claim_version
        fields = {**_fields(move.proposal, todo), "claim_version": version}
        events = [Event.of(event) for event in move.events]
        done = await self._aggregates.compare_and_set(
            stored.name, stored.revision, fields, events, answer
        )
        return _after(stored, fields) if done else None

    async def set_todo(
        self, stored: Stored, todo: Todo, claim_version: int | None = None
    ) -> Stored | None:
        """Note what is owed now, without a change that a party would see; None as for `save`."""
        version = stored.claim_version if claim_version is None else claim_version
        fields = {"todo": todo.value, "claim_version": version}
        done = await self._aggregates.compare_and_set(stored.name, stored.revision, fields)
        return _after(stored, fields) if done else None

    async def page(self, wanted: Filter, before: str, size: int) -> list[Stored]:
        """Return up to ``size`` proposals, newest first, of an order below ``before``."""
        query: dict[str, Any] = {}
        if wanted.awaiting:
            query["awaiting"] = wanted.party
        elif wanted.posting:
            query["postings"] = wanted.posting
        elif wanted.party:
            query["parties"] = wanted.party
        elif wanted.round:
            query["round"] = wanted.round
        query["order"] = {"$lt": before or "~"}
        if wanted.round:
            query["round"] = wanted.round
        if wanted.states:
            query["state"] = {"$in": list(wanted.states)}
        cursor = self._collection.find(query).sort("order", -1).limit(size)
        return [_stored(document) for document in await cursor.to_list(size)]

    async def of_round(self, round_name: str, state: int, size: int) -> list[Stored]:
        """Return up to so many proposals of a round in a state."""
        query = {"round": round_name, "order": {"$lt": "~"}, "state": state}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def all_of_round(self, round_name: str) -> list[Stored]:
        """Return every proposal of a round."""
        query = {"round": round_name, "order": {"$lt": "~"}}
        return [_stored(document) async for document in self._collection.find(query)]

    async def expired(self, now_ms: int, size: int) -> list[Stored]:
        """Return proposals that still wait though their lease has run out."""
        query = {"state": Proposal.STATE_PROPOSED, "lease_ms": {"$lte": now_ms}}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def proposed(self, size: int) -> list[Stored]:
        """Return proposals that wait for answers."""
        query = {"state": Proposal.STATE_PROPOSED, "lease_ms": {"$gt": 0}}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def owing(self, before_ms: int, size: int) -> list[Stored]:
        """Return proposals that have owed the ledger something since before a moment."""
        found: list[Stored] = []
        for todo in Todo:
            if todo is not Todo.NOTHING and len(found) < size:
                query = {"todo": todo.value, "todo_ms": {"$lte": before_ms}}
                room = size - len(found)
                cursor = self._collection.find(query).limit(room)
                found += [_stored(document) for document in await cursor.to_list(room)]
        return found

    async def changed_since(self, party: str, since_ms: int) -> AsyncIterator[Stored]:
        """Return a party's proposals (all, for the empty party) that changed at or after then.

        In the order of change.
        """
        query: dict[str, Any] = {"update_ms": {"$gte": since_ms}}
        if party:
            query["parties"] = party
        async for document in self._collection.find(query).sort("update_ms", 1):
            yield _stored(document)

    async def alive_of(self, demands: Sequence[str]) -> list[proposal_pb2.Proposal]:
        """Return the proposals of these demands that hold or have committed something."""
        found = []
        for start in range(0, len(demands), _DEMANDS):
            part = list(demands[start : start + _DEMANDS])
            query = {"demand": {"$in": part}, "state": {"$in": sorted(LIVE)}}
            async for document in self._collection.find(query):
                found.append(_stored(document).proposal)
        return found

    async def count(self, state: int) -> int:
        """Return how many proposals are in a state."""
        return int(await self._collection.count_documents({"state": state}))

    async def save_many(self, moves: Sequence[tuple[Stored, Move, Todo]]) -> None:
        """Store many moves at once; those where somebody else was faster are left to them."""
        gate = asyncio.Semaphore(_WRITES_IN_FLIGHT)

        async def one(stored: Stored, move: Move, todo: Todo) -> None:
            async with gate:
                await self.save(stored, move, todo)

        await asyncio.gather(*(one(*each) for each in moves))


def order_of(create_ms: int, name: str) -> str:
    """Return the key by which proposals are paged: by time, then by name."""
    return f"{create_ms:014d}-{name}"


def _new_document(draft: Draft) -> Document:
    proposal = draft.proposal
    create_ms = proposal.create_time.ToMilliseconds()
    return {
        "_id": proposal.name,
        "round": proposal.round,
        "order": order_of(create_ms, proposal.name),
        "parties": [party.organization for party in proposal.parties],
        "demand": proposal.demand,
        "postings": sorted({proposal.demand, *(leg.offer for leg in proposal.legs)}),
        "hidden": sorted(draft.hidden),
        "terms": [{"pair": pair, "digest": digest} for pair, digest in draft.terms.items()],
        "value": draft.value,
        "claim_version": 1,
        **_fields(proposal, Todo.NOTHING),
    }


def _fields(proposal: proposal_pb2.Proposal, todo: Todo) -> dict[str, Any]:
    update_ms = proposal.update_time.ToMilliseconds()
    waiting = counters.waits_for(proposal)
    return {
        "body": proposal.SerializeToString(),
        "state": proposal.state,
        "update_ms": update_ms,
        "lease_ms": proposal.lease_expire_time.ToMilliseconds(),
        "awaiting": [proposal.parties[index].organization for index in sorted(waiting)],
        "todo": todo.value,
        "todo_ms": update_ms,
    }


def _after(before: Stored, fields: Mapping[str, Any]) -> Stored:
    return _stored({**before.document, **fields, "revision": before.revision + 1})


def _stored(document: Document) -> Stored:
    proposal = proposal_pb2.Proposal.FromString(bytes(document["body"]))
    proposal.etag = etag(document)
    return Stored(
        proposal=proposal,
        revision=document["revision"],
        todo=Todo(document["todo"]),
        claim_version=document["claim_version"],
        hidden=frozenset(document["hidden"]),
        terms={entry["pair"]: entry["digest"] for entry in document["terms"]},
        value=document["value"],
        document=document,
    )
