"""Proposals: the contract's message as bytes, beside what it is found by and what is due.

``todo`` names the step that the proposal owes the ledger, stored in the same write as the state
that calls for it, so that whoever finds it after a crash can take the step.

Few indexes serve all queries: each one makes every write dearer, on the embedded store by about
half a millisecond. ``keys`` names all that a proposal is listed by, ``watched`` whose stream it
appears in, ``due`` what is to be done with it when its time comes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.chassis.aggregates import Aggregates, Answer, Document, Event, New, etag
from services.chassis.mongo import IDS_AT_ONCE
from services.matching.domain import counters, overdue
from services.matching.domain.proposals import LIVE, Move
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal

_WRITES_IN_FLIGHT = 32
_ALL = "all"
_LEASE = "lease"
_REPORT = "report"


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
    terms: Mapping[str, str]  # "<offer>|<line>" -> the terms that were judged (domain.declined)
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
        for fields in (("keys", "order"), ("watched", "update_ms"), ("due", "due_ms")):
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
        answers: Sequence[Answer] = (),
    ) -> Stored | None:
        """Store a move with its events and answers; None when somebody else was faster.

        What is returned is the proposal as it lies in the store now.
        """
        version = stored.claim_version if claim_version is None else claim_version
        fields = {**_fields(move.proposal, todo), "claim_version": version}
        events = [Event.of(event) for event in move.events]
        done = await self._aggregates.compare_and_set(
            stored.name, stored.revision, fields, events, answers
        )
        return _after(stored, fields) if done else None

    async def set_todo(
        self, stored: Stored, todo: Todo, claim_version: int | None = None
    ) -> Stored | None:
        """Note what is owed now, without a change that a party would see; None as for `save`."""
        version = stored.claim_version if claim_version is None else claim_version
        fields = {**_due(stored.proposal, todo), "claim_version": version}
        done = await self._aggregates.compare_and_set(stored.name, stored.revision, fields)
        return _after(stored, fields) if done else None

    async def page(self, wanted: Filter, before: str, size: int) -> list[Stored]:
        """Return up to ``size`` proposals, newest first, of an order below ``before``."""
        if wanted.awaiting:
            key = _awaits(wanted.party)
        elif wanted.posting:
            key = _on(wanted.posting)
        elif wanted.party:
            key = _of(wanted.party)
        elif wanted.round:
            key = _in(wanted.round)
        else:
            key = _ALL
        query: dict[str, Any] = {"keys": key}
        query["order"] = {"$lt": before or "~"}
        if wanted.round:
            query["round"] = wanted.round
        if wanted.states:
            query["state"] = {"$in": list(wanted.states)}
        cursor = self._collection.find(query).sort("order", -1).limit(size)
        return [_stored(document) for document in await cursor.to_list(size)]

    async def of_round(self, round_name: str, state: int, size: int) -> list[Stored]:
        """Return up to so many proposals of a round in a state."""
        query = {"keys": _in(round_name), "order": {"$lt": "~"}, "state": state}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def all_of_round(self, round_name: str) -> list[Stored]:
        """Return every proposal of a round."""
        query = {"keys": _in(round_name), "order": {"$lt": "~"}}
        return [_stored(document) async for document in self._collection.find(query)]

    async def expired(self, now_ms: int, size: int) -> list[Stored]:
        """Return proposals that still wait though their lease has run out, and owe nothing."""
        query = {"due": _LEASE, "due_ms": {"$lte": now_ms}}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def proposed(self, size: int) -> list[Stored]:
        """Return proposals that wait for answers and owe nothing."""
        query = {"due": _LEASE, "due_ms": {"$gt": 0}}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def unreported(self, now_ms: int, size: int) -> list[Stored]:
        """Return confirmed proposals of which it is time to be reminded (domain.overdue)."""
        query = {"due": _REPORT, "due_ms": {"$lte": now_ms}}
        return [_stored(d) for d in await self._collection.find(query).limit(size).to_list(size)]

    async def owing(self, before_ms: int, size: int) -> list[Stored]:
        """Return proposals that have owed the ledger something since before a moment."""
        found: list[Stored] = []
        for todo in Todo:
            if todo is not Todo.NOTHING and len(found) < size:
                query = {"due": todo.value, "due_ms": {"$lte": before_ms}}
                room = size - len(found)
                cursor = self._collection.find(query).limit(room)
                found += [_stored(document) for document in await cursor.to_list(room)]
        return found

    async def changed_since(self, party: str, since_ms: int) -> AsyncIterator[Stored]:
        """Return a party's proposals (all, for the empty party) that changed at or after then.

        In the order of change.
        """
        query = {"watched": party or _ALL, "update_ms": {"$gte": since_ms}}
        async for document in self._collection.find(query).sort("update_ms", 1):
            yield _stored(document)

    async def fulfilled(self, party: str) -> AsyncIterator[proposal_pb2.Proposal]:
        """Yield a party's fulfilled proposals; all, for the empty party."""
        state = int(Proposal.STATE_FULFILLED)
        query = {"keys": _of(party) if party else _in_state(state), "order": {"$lt": "~"}}
        async for document in self._collection.find(query | {"state": state}).batch_size(1000):
            yield _stored(document).proposal

    async def alive_of(self, demands: Sequence[str]) -> list[proposal_pb2.Proposal]:
        """Return the proposals of these demands that hold or have committed something."""
        found = []
        for start in range(0, len(demands), IDS_AT_ONCE):
            part = [_on(demand) for demand in demands[start : start + IDS_AT_ONCE]]
            query = {"keys": {"$in": part}, "state": {"$in": sorted(LIVE)}}
            async for document in self._collection.find(query):
                found.append(_stored(document).proposal)
        return found

    async def count(self, state: int) -> int:
        """Return how many proposals are in a state."""
        query = {"keys": _in_state(state), "order": {"$lt": "~"}}
        return int(await self._collection.count_documents(query))

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


def _of(party: str) -> str:
    return f"of {party}"


def _awaits(party: str) -> str:
    return f"awaits {party}"


def _on(posting: str) -> str:
    return f"on {posting}"


def _in(round_name: str) -> str:
    return f"in {round_name}"


def _in_state(state: int) -> str:
    return f"state {state}"


def _new_document(draft: Draft) -> Document:
    proposal = draft.proposal
    create_ms = proposal.create_time.ToMilliseconds()
    return {
        "_id": proposal.name,
        "round": proposal.round,
        "order": order_of(create_ms, proposal.name),
        "watched": [_ALL, *_parties(proposal)],
        "hidden": sorted(draft.hidden),
        "terms": [{"pair": pair, "digest": digest} for pair, digest in draft.terms.items()],
        "value": draft.value,
        "claim_version": 1,
        **_fields(proposal, Todo.NOTHING),
    }


def _parties(proposal: proposal_pb2.Proposal) -> list[str]:
    return [party.organization for party in proposal.parties]


def _fields(proposal: proposal_pb2.Proposal, todo: Todo) -> dict[str, Any]:
    return {
        "body": proposal.SerializeToString(),
        "state": proposal.state,
        "update_ms": proposal.update_time.ToMilliseconds(),
        "keys": _keys(proposal),
        **_due(proposal, todo),
    }


def _keys(proposal: proposal_pb2.Proposal) -> list[str]:
    parties = _parties(proposal)
    postings = sorted({proposal.demand, *(leg.offer for leg in proposal.legs)})
    waiting = sorted(counters.waits_for(proposal) | overdue.reports_awaited(proposal))
    return [
        _ALL,
        _in(proposal.round),
        _in_state(proposal.state),
        *(_of(party) for party in parties),
        *(_on(posting) for posting in postings),
        *(_awaits(parties[index]) for index in waiting),
    ]


def _due(proposal: proposal_pb2.Proposal, todo: Todo) -> dict[str, Any]:
    """What is to be done next, and when: what it owes at once, else what time will ask for."""
    reminder = overdue.reminder_time(proposal)
    if todo is not Todo.NOTHING:
        due, due_ms = todo.value, proposal.update_time.ToMilliseconds()
    elif proposal.state == Proposal.STATE_PROPOSED:
        due, due_ms = _LEASE, proposal.lease_expire_time.ToMilliseconds()
    elif reminder is not None:
        due, due_ms = _REPORT, round(reminder.timestamp() * 1000)
    else:
        due, due_ms = "", 0
    return {"todo": todo.value, "due": due, "due_ms": due_ms}


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
