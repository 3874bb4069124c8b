"""Posting many at once: each item is checked on its own, what is good is stored in bulk."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from services.chassis import names, validation
from services.chassis.access import organization_of
from services.chassis.aggregates import Document, New
from services.chassis.causes import said
from services.chassis.errors import DomainError, Violation
from services.chassis.grpc_errors import reason_name
from services.registry import convert
from services.registry.domain import refusals
from services.registry.domain.faults import refusal
from services.registry.usecases.kinds import M
from services.registry.usecases.postings import Postings
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api

STEP = 500
"""Items inserted at once: the store is fastest with some hundreds."""

Allowed = Callable[[str], Awaitable[None]]
"""Raises PermissionDenied unless postings of an organization may be taken."""


@dataclass(slots=True)
class _Item(Generic[M]):
    index: int
    name: str
    content: M
    owner: Organization


@dataclass(slots=True)
class Bulk(Generic[M]):
    """Takes items; what became of them is in ``response`` once it is ``finished``.

    ``origin`` marks what is posted with the import that it comes from: an item of the same
    content and the same mark was taken by this very import before a crash.
    """

    postings: Postings[M]
    allowed: Allowed
    validate_only: bool = False
    origin: str = ""
    response: api.ImportResponse = field(default_factory=api.ImportResponse)
    _index: int = 0
    _owners: dict[str, Organization] = field(default_factory=dict)
    _storing: asyncio.Task[None] | None = None

    async def take(self, items: Sequence[M]) -> None:
        """Check some items while those before them are being stored, then have them stored."""
        for start in range(0, len(items), STEP):
            await self._step(items[start : start + STEP])

    async def finished(self) -> api.ImportResponse:
        """Wait until all is stored. Returns the counts, and the errors in order."""
        await self._stored_so_far()
        in_order = sorted(self.response.errors, key=lambda error: error.index)
        del self.response.errors[:]
        self.response.errors.extend(in_order)
        return self.response

    def stop(self) -> None:
        """Leave off; what is on its way to the store may still arrive there."""
        if self._storing is not None:
            self._storing.cancel()

    async def _step(self, items: Sequence[M]) -> None:
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
        known = self._owners.get(name)
        if known is None:
            await self.allowed(name)
            known = self._owners[name] = await self.postings.owner(name)
        return known

    async def _store(self, good: list[_Item[M]]) -> None:
        if not good:
            return
        if self.validate_only:
            present = await self.postings.store.get_many([item.name for item in good])
            results = [item.name not in present for item in good]
        else:
            number = await self.postings.store.numbers.take(len(good))
            results = await self.postings.store.insert_many(
                [self._new(item, number + offset) for offset, item in enumerate(good)]
            )
        taken = sum(results)
        self.response.taken += taken
        if taken < len(good):
            await self._compare([x for x, new in zip(good, results, strict=True) if not new])

    def _new(self, item: _Item[M], number: int) -> New:
        new = self.postings.new(item.content, item.owner, number, None)
        if self.origin:
            new.document["import"] = self.origin
        return new

    async def _compare(self, known: Sequence[_Item[M]]) -> None:
        """Sort items whose name is taken: the same content is fine, other content is not."""
        present = await self.postings.store.get_many([item.name for item in known])
        for item in known:
            document = present.get(item.name)
            if document is not None and document["body"] == convert.body(item.content):
                self._count(document)
                continue
            error = self.response.errors.add(
                index=item.index,
                name=item.name,
                reason=reason_name(reason_pb2.REASON_ALREADY_EXISTS),
            )
            words = said(cause_pb2.CAUSE_ALREADY_THERE_DIFFERENTLY, name=item.name)
            error.problems.append(convert.field_problem("name", words))

    def _count(self, document: Document) -> None:
        if self.origin and not self.validate_only and document.get("import") == self.origin:
            self.response.taken += 1
        else:
            self.response.unchanged += 1

    def _refuse(self, index: int, name: str, error: DomainError) -> None:
        entry = self.response.errors.add(index=index, name=name, reason=reason_name(error.reason))
        entry.problems.extend(
            convert.field_problem(each.field, each.said)
            for each in error.violations or (Violation("name", error.said),)
        )


def only(organization: str) -> Allowed:
    """Return what lets in the postings of one organization alone."""

    async def allowed(name: str) -> None:
        if name != organization:
            raise refusals.forbidden(said(cause_pb2.CAUSE_OTHERS_POSTING_IN_IMPORT))

    return allowed
