"""Explanations of rounds, found by round, by organization, and by what they explain.

A round explains thousands of postings, and one document for each of them took longer to store than
the round took to solve. So they lie in pieces, in the order of their subjects: a piece is found by
the last subject it holds, and all explanations of one organization stand beside each other.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterable, Sequence
from heapq import merge
from typing import Any

from services.chassis.access import organization_of
from services.chassis.mongo import Collection, insert_missing
from services.matching.domain.explained import SERVED
from spareline.matching.v1 import explanation_pb2
from spareline.matching.v1 import matching_service_pb2 as pb

Explanation = explanation_pb2.Explanation

PIECE_SUBJECTS = 200
PIECE_BYTES = 2 * 1024 * 1024
"""A piece ends with the explanation that fills it, before it is compressed."""

CHOSEN, SOLVED, HELD = "0-chosen", "1-solved", "2-held"
"""Of what was served whole; of what was not; of what could not be held, which overrules both."""


class Explanations:
    """The collection of explanations; immutable once stored."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def ensure_indexes(self) -> None:
        """Create the indexes that the queries below run on."""
        for fields in (("round", "part", "last"), ("subjects", "order")):
            await self._collection.create_index([(field, 1) for field in fields])

    async def put(
        self, explanations: Sequence[Explanation], order: str, *, what_if: bool, part: str = SOLVED
    ) -> None:
        """Store what one part of a round explains, all at once; storing it again is harmless.

        ``order`` sorts rounds by age. What-if rounds do not count as anyone's latest.
        """
        documents = await asyncio.to_thread(_pieces, explanations, order, what_if, part)
        await insert_missing(self._collection, documents)

    async def get(self, round_name: str, subject: str) -> Explanation | None:
        """Return what a round says of a demand or an offer."""
        for part in (HELD, SOLVED, CHOSEN):
            query = {"round": round_name, "part": part, "last": {"$gte": subject}}
            found = await self._collection.find(query).sort("last", 1).limit(1).to_list(1)
            for each in _unpacked(found[0]) if found else ():
                if each.subject == subject:
                    return each
        return None

    async def latest(self, subject: str) -> Explanation | None:
        """Return the newest explanation of a demand or an offer."""
        query = {"subjects": subject, "order": {"$lt": "~"}}
        found = await self._collection.find(query).sort("order", -1).limit(1).to_list(1)
        return (
            next((e for e in _unpacked(found[0]) if e.subject == subject), None) if found else None
        )

    async def in_round(
        self, round_name: str, organization: str, after: str, size: int
    ) -> list[Explanation]:
        """Return up to ``size`` explanations of a round (of one organization), by subject.

        What was served whole is left out. ``after`` is the subject of the last one before.
        """
        first = max(after, f"{organization}/" if organization else "")
        parts = [
            await self._of_part(round_name, part, organization, first, size)
            for part in (HELD, SOLVED)
        ]
        found: list[Explanation] = []
        # Of two with one subject the merge gives that of the first list first.
        for each in merge(*parts, key=lambda each: each.subject):
            if not found or found[-1].subject != each.subject:
                found.append(each)
        return found[:size]

    async def _of_part(
        self, round_name: str, part: str, organization: str, after: str, size: int
    ) -> list[Explanation]:
        found: list[Explanation] = []
        async for piece in self._following(round_name, part, after):
            for each in piece:
                if each.subject <= after:
                    continue
                if organization and organization_of(each.subject) != organization:
                    return found
                found.append(each)
            if len(found) >= size:
                break
        return found[:size]

    async def _following(
        self, round_name: str, part: str, after: str
    ) -> AsyncIterator[list[Explanation]]:
        query = {"round": round_name, "part": part, "last": {"$gt": after}}
        async for document in self._collection.find(query).sort("last", 1).batch_size(2):
            yield _unpacked(document)


def by_part(explanations: Iterable[Explanation]) -> dict[str, list[Explanation]]:
    """What a round explains, by the part that it is stored in."""
    parts: dict[str, list[Explanation]] = {CHOSEN: [], SOLVED: []}
    for each in explanations:
        parts[CHOSEN if each.outcome == SERVED else SOLVED].append(each)
    return parts


def _pieces(
    explanations: Sequence[Explanation], order: str, what_if: bool, part: str
) -> list[dict[str, Any]]:
    return [
        {
            "_id": f"{piece[0].round}/{part}/{piece[0].subject}",
            "round": piece[0].round,
            "part": part,
            "last": piece[-1].subject,
            "subjects": [] if what_if else [each.subject for each in piece],
            "order": f"{order}|{part}",
            "body": gzip.compress(
                pb.ListExplanationsResponse(explanations=piece).SerializeToString(), 1, mtime=0
            ),
        }
        for piece in _cut(sorted(explanations, key=lambda each: each.subject))
    ]


def _cut(explanations: Sequence[Explanation]) -> list[list[Explanation]]:
    pieces: list[list[Explanation]] = []
    size = PIECE_BYTES
    for each in explanations:
        if size >= PIECE_BYTES or len(pieces[-1]) == PIECE_SUBJECTS:
            pieces.append([])
            size = 0
        pieces[-1].append(each)
        size += each.ByteSize()
    return pieces


def _unpacked(document: dict[str, Any]) -> list[Explanation]:
    answer = pb.ListExplanationsResponse.FromString(gzip.decompress(bytes(document["body"])))
    return list(answer.explanations)
