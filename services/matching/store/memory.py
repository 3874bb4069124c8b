"""What rounds remember of each other: pairs turned down, demands at the head, how each fared."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import ReplaceOne

from services.chassis.mongo import IDS_AT_ONCE, Collection, Database, insert_missing
from services.matching.domain.declined import Declined
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import policy_pb2

_BATCH = 500
_PIECE_BYTES = 4 * 1024 * 1024


class DeclinedPairs:
    """The (offer, line) pairs that were turned down, each on the terms of then."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, pairs: Iterable[Declined], time_ms: int) -> None:
        """Note pairs; noting one again is harmless."""
        documents = [
            {**pair._asdict(), "_id": "|".join(pair), "time_ms": time_ms} for pair in pairs
        ]
        await _put(self._collection, documents)

    async def all(self) -> list[Declined]:
        """Return every pair."""
        return [
            Declined(document["offer"], document["demand"], document["line"], document["terms"])
            async for document in self._collection.find({})
        ]


class Heads:
    """Demands at the head of the book: their partner broke off, so the next round favours them."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, demand: str, proposal: str, time_ms: int) -> None:
        """Put a demand at the head for what became of a proposal."""
        await _put(
            self._collection,
            [{"_id": f"{demand}|{proposal}", "demand": demand, "time_ms": time_ms}],
        )

    async def all(self) -> dict[str, list[str]]:
        """Return the demands at the head, each with the ids of its entries."""
        found: dict[str, list[str]] = {}
        async for document in self._collection.find({}):
            found.setdefault(document["demand"], []).append(document["_id"])
        return found

    async def remove(self, entries: Sequence[str]) -> None:
        """Take away entries that a round has taken into account."""
        await _remove(self._collection, entries)


@dataclass(frozen=True)
class Standings:
    """All fairness accounts by organization, the round that left them so (the ``number``-th that
    did), which broken proposals that round took off them, and ``waits``: for how many rounds in a
    row each demand that won nothing has won nothing."""

    accounts: Mapping[str, policy_pb2.FairnessAccount]
    round: str = ""
    number: int = 0
    broken: tuple[str, ...] = ()
    waits: Mapping[str, int] = field(default_factory=dict)


class Fairness:
    """How each organization has fared over the rounds.

    Nearly every account changes in every round, so each round leaves all of them in one piece:
    a few writes instead of one for each organization.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the index by which the newest accounts are found."""
        await self._collection.create_index([("order", 1), ("index", 1)])

    async def latest(self) -> Standings:
        """Return the accounts as the last round left them."""
        pieces: dict[str, list[dict[str, Any]]] = {}
        query = {"order": {"$gt": ""}}
        async for piece in self._collection.find(query).sort([("order", 1), ("index", 1)]):
            pieces.setdefault(piece["order"], []).append(piece)
        whole = [found for found in pieces.values() if len(found) == found[0]["of"]]
        if not whole:
            return Standings({})
        data = gzip.decompress(b"".join(bytes(piece["data"]) for piece in whole[-1]))
        accounts = pb.ListFairnessAccountsResponse.FromString(data).accounts
        first = whole[-1][0]
        return Standings(
            {account.organization: account for account in accounts},
            first["round"],
            first["number"],
            tuple(first["broken"]),
            json.loads(gzip.decompress(bytes(first["waits"]))) if "waits" in first else {},
        )

    async def put(self, standings: Standings) -> None:
        """Store the accounts as a round leaves them; storing them again is harmless.

        What rounds before left is removed once this is stored.
        """
        order = f"{standings.number:012d}|{standings.round}"
        message = pb.ListFairnessAccountsResponse(accounts=standings.accounts.values())
        data = gzip.compress(message.SerializeToString(), compresslevel=1)
        pieces = [data[i : i + _PIECE_BYTES] for i in range(0, len(data), _PIECE_BYTES)]
        waits = json.dumps(dict(standings.waits), separators=(",", ":"), sort_keys=True)
        documents = [
            {
                "_id": f"{order}|{index}",
                "order": order,
                "index": index,
                "of": len(pieces),
                "round": standings.round,
                "number": standings.number,
                "broken": list(standings.broken),
                "data": piece,
            }
            for index, piece in enumerate(pieces)
        ]
        documents[0]["waits"] = gzip.compress(waits.encode(), compresslevel=1)
        await insert_missing(self._collection, documents)
        await self._collection.delete_many({"order": {"$lt": order}})

    async def page(self, after: str, size: int) -> list[tuple[str, policy_pb2.FairnessAccount]]:
        """Return up to ``size`` accounts with their order, most in need first."""
        accounts = (await self.latest()).accounts
        ordered = sorted((_order(account), account.organization) for account in accounts.values())
        following = [each for each in ordered if each[0] > after]
        return [(order, accounts[name]) for order, name in following[:size]]


@dataclass(frozen=True)
class BrokenOff:
    """A proposal that broke off after it had counted as won."""

    proposal: str
    organization: str
    value: int


class Broken:
    """What is to be taken off the fairness accounts by the next round."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, broken: BrokenOff) -> None:
        """Note a proposal; noting it again is harmless."""
        document = {
            "_id": broken.proposal,
            "organization": broken.organization,
            "value": broken.value,
        }
        await _put(self._collection, [document])

    async def all(self) -> list[BrokenOff]:
        """Return all that is to be taken off."""
        return [
            BrokenOff(d["_id"], d["organization"], d["value"])
            async for d in self._collection.find({})
        ]

    async def remove(self, proposals: Sequence[str]) -> None:
        """Forget what has been taken off."""
        await _remove(self._collection, proposals)


class Counted:
    """The demands whose asked value is in the accounts already."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, demands: Iterable[str]) -> None:
        """Note demands; noting one again is harmless."""
        await insert_missing(self._collection, [{"_id": demand} for demand in sorted(demands)])

    async def among(self, demands: Sequence[str]) -> frozenset[str]:
        """Return which of these demands are counted."""
        found: set[str] = set()
        for start in range(0, len(demands), IDS_AT_ONCE):
            query = {"_id": {"$in": list(demands[start : start + IDS_AT_ONCE])}}
            found.update([d["_id"] async for d in self._collection.find(query)])
        return frozenset(found)


class Memory:
    """All of these together."""

    def __init__(self, database: Database) -> None:
        self.declined = DeclinedPairs(database["declined"])
        self.heads = Heads(database["heads"])
        self.fairness = Fairness(database["fairness"])
        self.broken = Broken(database["broken"])
        self.counted = Counted(database["counted"])


def _order(account: policy_pb2.FairnessAccount) -> str:
    return f"{1000 - account.need_permille:04d}-{account.organization}"


async def _remove(collection: Collection, identities: Sequence[str]) -> None:
    for start in range(0, len(identities), IDS_AT_ONCE):
        part = list(identities[start : start + IDS_AT_ONCE])
        await collection.delete_many({"_id": {"$in": part}})


async def _put(collection: Collection, documents: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(documents), _BATCH):
        batch = documents[start : start + _BATCH]
        await collection.bulk_write(
            [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in batch],
            ordered=False,
        )
