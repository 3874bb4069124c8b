"""Posting many at once: each item is checked on its own, what is good is stored in bulk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from services.chassis import names, validation
from services.chassis.access import Delegations, Principal, organization_of, require_organization
from services.chassis.aggregates import Document, New
from services.chassis.errors import DomainError, FailedPrecondition
from services.chassis.grpc_errors import reason_name
from services.chassis.mongo import Database, DuplicateKey
from services.registry import convert
from services.registry.domain.faults import refusal
from services.registry.domain.instants import Clock, now_ms
from services.registry.usecases.kinds import M
from services.registry.usecases.postings import Postings
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api

STEP = 500
"""Items inserted at once: the store is fastest with some hundreds."""


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
class _Item(Generic[M]):
    index: int
    name: str
    content: M
    owner: Organization


@dataclass(slots=True)
class Import(Generic[M]):
    """One import; ``run`` it once."""

    postings: Postings[M]
    principal: Principal
    delegations: Delegations
    answers: ImportAnswers
    validate_only: bool = False
    request_id: str = ""
    response: api.ImportResponse = field(default_factory=api.ImportResponse)
    _index: int = 0
    _replayed: Document | None = None
    _hash: Any = field(default_factory=hashlib.sha256)
    _allowed: dict[str, Organization] = field(default_factory=dict)
    _storing: asyncio.Task[None] | None = None

    async def run(
        self, batches: AsyncIterator[tuple[Sequence[M], bool, str]]
    ) -> api.ImportResponse:
        """Take batches (items, validate_only, request_id; the first batch's flags count).

        Raises FailedPrecondition (REQUEST_ID_REUSED) when the id was another import's.
        """
        first = True
        try:
            async for items, validate_only, request_id in batches:
                if first:
                    self.validate_only, self.request_id = validate_only, request_id
                    self._replayed = await self._stored()
                    first = False
                if self.request_id:
                    for item in items:
                        self._hash.update(item.SerializeToString(deterministic=True))
                if self._replayed is None:
                    for start in range(0, len(items), STEP):
                        await self._take(items[start : start + STEP])
            return await self._finish()
        finally:
            if self._storing is not None:
                self._storing.cancel()

    async def _stored(self) -> Document | None:
        return await self.answers.get(self._key()) if self.request_id else None

    def _key(self) -> str:
        return f"{self.principal.subject}/{self.postings.kind.noun}s/{self.request_id}"

    async def _take(self, items: Sequence[M]) -> None:
        """Check some items while those before them are being stored, then have them stored."""
        good: list[_Item[M]] = []
        for item in items:
            index = self._index
            self._index += 1
            try:
                good.append(await self._checked(index, item))
            except DomainError as error:
                self._refuse(index, item.name, error)
        await self._stored_so_far()
        self._storing = asyncio.create_task(self._store(good))
        await asyncio.sleep(0)  # let it reach the store before the next items are checked

    async def _stored_so_far(self) -> None:
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing

    async def _checked(self, index: int, item: M) -> _Item[M]:
        names.parse(self.postings.kind.pattern, item.name)
        owner = await self._owner(organization_of(item.name))
        validation.require_valid(item)
        content = self.postings.prepared(item, item.name, owner)
        if faults := await self.postings.faults(content, owner.name, ""):
            raise refusal(faults)
        return _Item(index, item.name, content, owner)

    async def _owner(self, name: str) -> Organization:
        known = self._allowed.get(name)
        if known is None:
            await require_organization(
                self.principal, name, write=True, delegations=self.delegations
            )
            known = self._allowed[name] = await self.postings.owner(name)
        return known

    async def _store(self, good: list[_Item[M]]) -> None:
        if not good:
            return
        if self.validate_only:
            present = await self.postings.store.get_many([item.name for item in good])
            results = [item.name not in present for item in good]
        else:
            number = await self.postings.store.numbers.take(len(good))
            news: list[New] = [
                self.postings.new(item.content, item.owner, number + offset, None)
                for offset, item in enumerate(good)
            ]
            results = await self.postings.store.insert_many(news)
        taken = sum(results)
        self.response.taken += taken
        if taken < len(good):
            await self._compare([x for x, new in zip(good, results, strict=True) if not new])

    async def _compare(self, known: Sequence[_Item[M]]) -> None:
        """Sort items whose name is taken: the same content is fine, other content is not."""
        present = await self.postings.store.get_many([item.name for item in known])
        for item in known:
            document = present.get(item.name)
            if document is not None and document["body"] == convert.body(item.content):
                self.response.unchanged += 1
                continue
            error = self.response.errors.add(
                index=item.index,
                name=item.name,
                reason=reason_name(reason_pb2.REASON_ALREADY_EXISTS),
            )
            error.problems.add(
                field="name",
                description=f"There is {item.name} already, with other content",
                mend=f"Update it with Update{self.postings.kind.noun.title()}, or take another id",
            )

    def _refuse(self, index: int, name: str, error: DomainError) -> None:
        entry = self.response.errors.add(index=index, name=name, reason=reason_name(error.reason))
        for violation in error.violations:
            entry.problems.add(
                field=violation.field, description=violation.description, mend=violation.mend
            )
        if not error.violations:
            entry.problems.add(field="name", description=error.message)

    async def _finish(self) -> api.ImportResponse:
        """Return the answer, and keep it for a repeat of the same import."""
        await self._stored_so_far()
        in_order = sorted(self.response.errors, key=lambda error: error.index)
        del self.response.errors[:]
        self.response.errors.extend(in_order)
        if not self.request_id:
            return self.response
        digest = f"{self.validate_only}:{self._hash.hexdigest()}"
        if self._replayed is None:
            await self.answers.put(self._key(), digest, self.response)
            return self.response
        if self._replayed["digest"] != digest:
            raise FailedPrecondition(
                reason_pb2.REASON_REQUEST_ID_REUSED,
                "This request_id was used for another import; make a new one",
            )
        return api.ImportResponse.FromString(self._replayed["answer"])
