"""ImportOffers and ImportDemands: many postings in one call, which can be repeated as a whole."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from services.chassis.access import Delegations, Principal, require_organization
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition
from services.chassis.mongo import Database, DuplicateKey
from services.registry.domain.instants import Clock, now_ms
from services.registry.usecases.bulk import Bulk
from services.registry.usecases.kinds import M
from services.registry.usecases.postings import Postings
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.registry.v1 import registry_service_pb2 as api


class ImportAnswers:
    """What finished imports were answered with, so that a repeat gets the same answer."""

    def __init__(self, database: Database, clock: Clock = now_ms) -> None:
        self._collection = database["imports"]
        self._clock = clock

    async def get(self, key: str) -> Document | None:
        """Return the stored answer under a key."""
        return await self._collection.find_one({"_id": key})

    async def put(self, key: str, digest: str, answer: api.ImportResponse) -> None:
        """Keep an answer; one that is there already stays."""
        try:
            await self._collection.insert_one(
                {
                    "_id": key,
                    "digest": digest,
                    "answer": answer.SerializeToString(),
                    "create_ms": self._clock(),
                }
            )
        except DuplicateKey:
            return


@dataclass(slots=True)
class Import(Generic[M]):
    """One import; ``run`` it once."""

    postings: Postings[M]
    principal: Principal
    delegations: Delegations
    answers: ImportAnswers
    request_id: str = ""
    _replayed: Document | None = None
    _hash: Any = field(default_factory=hashlib.sha256)

    async def run(
        self, batches: AsyncIterator[tuple[Sequence[M], bool, str]]
    ) -> api.ImportResponse:
        """Take batches (items, validate_only, request_id; the first batch's flags count).

        Raises FailedPrecondition (REQUEST_ID_REUSED) when the id was another import's.
        """
        bulk = Bulk(self.postings, self._allowed)
        first = True
        try:
            async for items, validate_only, request_id in batches:
                if first:
                    bulk.validate_only, self.request_id = validate_only, request_id
                    self._replayed = await self._stored()
                    first = False
                if self.request_id:
                    for item in items:
                        self._hash.update(item.SerializeToString(deterministic=True))
                if self._replayed is None:
                    await bulk.take(items)
            return await self._finish(bulk)
        finally:
            bulk.stop()

    async def _allowed(self, name: str) -> None:
        await require_organization(self.principal, name, write=True, delegations=self.delegations)

    async def _stored(self) -> Document | None:
        return await self.answers.get(self._key()) if self.request_id else None

    def _key(self) -> str:
        return f"{self.principal.subject}/{self.postings.kind.noun}s/{self.request_id}"

    async def _finish(self, bulk: Bulk[M]) -> api.ImportResponse:
        """Return the answer, and keep it for a repeat of the same import."""
        answer = await bulk.finished()
        if not self.request_id:
            return answer
        digest = f"{bulk.validate_only}:{self._hash.hexdigest()}"
        if self._replayed is None:
            await self.answers.put(self._key(), digest, answer)
            return answer
        if self._replayed["digest"] != digest:
            raise FailedPrecondition(
                reason_pb2.REASON_REQUEST_ID_REUSED,
                said(cause_pb2.CAUSE_REQUEST_ID_REUSED),
            )
        return api.ImportResponse.FromString(self._replayed["answer"])
