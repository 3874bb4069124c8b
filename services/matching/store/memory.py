"""What rounds remember of each other: pairs turned down, demands at the head, how each fared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReplaceOne

from services.chassis.mongo import IDS_AT_ONCE, Collection, Database, insert_missing
from services.matching.domain.declined import Declined
from spareline.matching.v1 import policy_pb2

_BATCH = 500


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
class Fared:
    """An account, the round that wrote it, and which broken proposals that round took off."""

    account: policy_pb2.FairnessAccount
    round: str = ""
    broken: tuple[str, ...] = ()


class Fairness:
    """How each organization has fared over the rounds."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the index that lists the most needy first."""
        await self._collection.create_index([("order", 1)])

    async def all(self) -> dict[str, Fared]:
        """Return every account by organization."""
        newest: dict[str, dict[str, Any]] = {}
        async for document in self._collection.find({}):
            organization = _organization(document["_id"])
            if organization not in newest or newest[organization]["_id"] < document["_id"]:
                newest[organization] = document
        return {organization: _fared(document) for organization, document in newest.items()}

    async def put(self, accounts: Mapping[str, Fared], round_order: str) -> None:
        """Store accounts as a round leaves them; storing them again is harmless.

        ``round_order`` sorts rounds by age. New documents are inserted before the old ones are
        removed, and never replaced: an insertion of many is one write of the store, while each
        replacement is one of its own.
        """
        documents = [
            {
                "_id": f"{name}|{round_order}",
                "order": _order(fared.account),
                "round": fared.round,
                "broken": list(fared.broken),
                "body": fared.account.SerializeToString(),
            }
            for name, fared in accounts.items()
        ]
        await insert_missing(self._collection, documents)
        kept = {document["_id"] for document in documents}
        known = [d["_id"] async for d in self._collection.find({}, {"_id": 1})]
        old = [each for each in known if each not in kept and _organization(each) in accounts]
        await _remove(self._collection, old)

    async def page(self, after: str, size: int) -> list[tuple[str, policy_pb2.FairnessAccount]]:
        """Return up to ``size`` accounts with their order, most in need first."""
        cursor = self._collection.find({"order": {"$gt": after}}).sort("order", 1).limit(size)
        return [(d["order"], _fared(d).account) for d in await cursor.to_list(size)]


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


def _organization(identity: str) -> str:
    """Return the organization in the id of an account."""
    return identity.partition("|")[0]


def _fared(document: dict[str, Any]) -> Fared:
    account = policy_pb2.FairnessAccount.FromString(bytes(document["body"]))
    return Fared(account, document["round"], tuple(document["broken"]))


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
