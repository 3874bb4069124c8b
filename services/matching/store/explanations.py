"""Explanations of rounds, found by round, by organization, and by what they explain."""

from collections.abc import Sequence
from typing import Any

from services.chassis.access import organization_of
from services.chassis.mongo import Collection, insert_missing
from spareline.matching.v1 import explanation_pb2


class Explanations:
    """The collection of explanations; immutable once stored."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below run on."""
        for fields in (("round", "_id"), ("round", "organization", "_id"), ("subject", "order")):
            await self._collection.create_index([(field, 1) for field in fields])

    async def put(
        self, explanations: Sequence[explanation_pb2.Explanation], order: str, *, what_if: bool
    ) -> None:
        """Store a round's explanations; storing them again is harmless.

        ``order`` sorts rounds by age. What-if rounds do not count as anyone's latest.
        """
        await insert_missing(
            self._collection,
            [
                {
                    # Not the name: an offer and a demand of one id would share it.
                    "_id": f"{explanation.round}/{explanation.subject}",
                    "round": explanation.round,
                    "organization": organization_of(explanation.subject),
                    "subject": "" if what_if else explanation.subject,
                    "order": order,
                    "body": explanation.SerializeToString(),
                }
                for explanation in explanations
            ],
        )

    async def get(self, round_name: str, subject: str) -> explanation_pb2.Explanation | None:
        """Return what a round says of a demand or an offer."""
        return _message(await self._collection.find_one({"_id": f"{round_name}/{subject}"}))

    async def latest(self, subject: str) -> explanation_pb2.Explanation | None:
        """Return the newest explanation of a demand or an offer."""
        query = {"subject": subject, "order": {"$lt": "~"}}
        found = await self._collection.find(query).sort("order", -1).limit(1).to_list(1)
        return _message(found[0]) if found else None

    async def in_round(
        self, round_name: str, organization: str, after: str, size: int
    ) -> list[explanation_pb2.Explanation]:
        """Return up to ``size`` explanations of a round (of one organization), by subject.

        ``after`` is the subject of the last one before.
        """
        query: dict[str, Any] = {"round": round_name, "_id": {"$gt": f"{round_name}/{after}"}}
        if organization:
            query["organization"] = organization
        cursor = self._collection.find(query).sort("_id", 1).limit(size)
        return [
            explanation_pb2.Explanation.FromString(bytes(document["body"]))
            for document in await cursor.to_list(size)
        ]


def _message(document: dict[str, Any] | None) -> explanation_pb2.Explanation | None:
    if document is None:
        return None
    return explanation_pb2.Explanation.FromString(bytes(document["body"]))
