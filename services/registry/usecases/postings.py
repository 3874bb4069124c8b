"""Posting, changing, withdrawing and expiring: the same for offers and demands."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Generic

from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis import names, validation
from services.chassis.aggregates import Answer, Document, New, etag
from services.chassis.causes import said
from services.chassis.errors import AlreadyExists, FailedPrecondition
from services.registry import posting_documents
from services.registry.domain import disclosure, field_masks, refusals
from services.registry.domain.faults import Fault, refusal, under
from services.registry.domain.instants import Clock, now_ms
from services.registry.domain.ledger import Account
from services.registry.domain.terms import retired_faults, unit_of
from services.registry.store.changes import ATTEMPTS
from services.registry.store.postings import Postings as Store
from services.registry.usecases.kinds import Kind, M
from services.registry.usecases.replay import Replay
from services.registry.usecases.taxonomy import LiveTaxonomy
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization

FindOrganization = Callable[[str], Awaitable[Organization | None]]


@dataclass(frozen=True, slots=True)
class Postings(Generic[M]):
    """What can be done with one kind of posting; who may do it was checked before."""

    kind: Kind[M]
    store: Store
    taxonomy: LiveTaxonomy
    organization: FindOrganization
    clock: Clock = now_ms

    async def create(
        self, parent: str, posting: M, wanted_id: str, validate_only: bool, replay: Replay
    ) -> M:
        """Post. Raises InvalidArgument, NotFound (the organization), AlreadyExists."""
        owner = await self.owner(parent)
        name = f"{parent}/{self.kind.noun}s/" + (
            wanted_id or names.derived_id(f"{parent}/{self.kind.noun}s", replay.request_id)
        )
        content = self.prepared(posting, name, owner)
        await self.check(content, parent, self.kind.noun, used=())
        if validate_only:
            return self._read(posting_documents.new(content, owner, 0, self.clock()) | _FRESH)
        stored = replay.stored(
            await self.store.get(name) if replay.request_id else None, self.kind.message
        )
        if stored is not None:
            return stored
        number = await self.store.numbers.take()
        new = self.new(content, owner, number, replay)
        [inserted] = await self.store.insert_many([new])
        if inserted:
            return self._read(new.document | _FRESH)
        stored = replay.stored(await self.store.get(name), self.kind.message)
        if stored is None:
            raise AlreadyExists(
                reason_pb2.REASON_ALREADY_EXISTS,
                said(cause_pb2.CAUSE_ALREADY_THERE, name=name),
            )
        return stored

    async def owner(self, name: str) -> Organization:
        """Return the organization that posts. Raises NotFound."""
        found = await self.organization(name)
        if found is None:
            raise refusals.not_found(name)
        return found

    def prepared(self, posting: M, name: str, owner: Organization) -> M:
        """Return the content to store: under its name, with all levels of disclosure filled in."""
        content = self.kind.message()
        content.CopyFrom(posting)
        content.name = name
        levels = disclosure.completed(
            posting.disclosure,
            demand=isinstance(posting, Demand),
            identity=owner.identity_disclosure,
        )
        content.disclosure.CopyFrom(levels)
        return content

    async def check(self, content: M, owner: str, root: str, used: Collection[str]) -> None:
        """Raise InvalidArgument naming every field that breaks a rule of the domain."""
        if faults := await self.faults(content, owner, root, used):
            raise refusal(faults)

    async def check_whole(self, content: M, owner: str, root: str, present: M) -> None:
        """As ``check``, with the field rules of the proto, which an update's request skips."""
        if found := validation.violations(content):
            raise refusal([Fault(under(root, v.field), v.said) for v in found])
        await self.check(content, owner, root, set(_codes(present).values()))

    async def faults(
        self, content: M, owner: str, root: str, used: Collection[str] = ()
    ) -> list[Fault]:
        """Return what is wrong with a posting.

        ``used``: capabilities that it has had so far, and keeps when they are deprecated.
        """
        codes = _codes(content)
        taxonomy = await self.taxonomy.knowing(codes.values())
        new = {field: code for field, code in codes.items() if code not in used}
        return self.kind.faults(content, owner, taxonomy, root) + retired_faults(
            new, taxonomy, root
        )

    def new(self, content: M, owner: Organization, number: int, replay: Replay | None) -> New:
        """Return what to insert for a posting: the document, its event and the answer."""
        now = self.clock()
        document = posting_documents.new(content, owner, number, now)
        posting = self._read(document | _FRESH)
        answer: Answer | None = replay.answer(posting) if replay and replay.request_id else None
        return New(document, [self.kind.event("posted", posting, now)], answer)

    async def update(self, given: M, mask: FieldMask, validate_only: bool, replay: Replay) -> M:
        """Change what the mask names. Raises what ``create`` does, and FailedPrecondition
        (NOT_OPEN, BELOW_COMMITTED), Aborted (ETAG_MISMATCH, CONFLICT).
        """
        names.parse(self.kind.pattern, given.name, field=f"{self.kind.noun}.name")
        for _ in range(ATTEMPTS):
            document = await self._present(given.name)
            stored = replay.stored(document, self.kind.message)
            if stored is not None:
                return stored
            self._require_etag(document, given.etag)
            self._require_open(document)
            owner = await self.owner(document["organization"])
            present = self.kind.content(document)
            content = self.prepared(
                field_masks.merged(present, given, mask, self.kind.changeable, self.kind.noun),
                given.name,
                owner,
            )
            await self.check_whole(content, owner.name, self.kind.noun, present)
            account = self._require_room(document, present, content)
            state = self.kind.state_after(document["state"], account)
            now = self.clock()
            fields = {
                **posting_documents.changed(content, state, now),
                "state": state,
            }
            done = await self._write(document, fields, "updated", now, replay, validate_only)
            if done is not None:
                return done
        raise refusals.conflict()

    async def withdraw(self, name: str, wanted_etag: str, replay: Replay) -> M:
        """Take a posting off the market; a second time changes nothing. Claims stay."""
        names.parse(self.kind.pattern, name)
        for _ in range(ATTEMPTS):
            document = await self._present(name)
            stored = replay.stored(document, self.kind.message)
            if stored is not None:
                return stored
            self._require_etag(document, wanted_etag)
            if document["state"] == "STATE_WITHDRAWN":
                return self._read(document)
            done = await self._end(document, "withdrawn", replay)
            if done is not None:
                return done
        raise refusals.conflict()

    async def expire(self, document: Document) -> bool:
        """End a posting whose last period is over; False when it was changed meanwhile."""
        return await self._end(document, "expired", Replay("", "")) is not None

    async def _end(self, document: Document, how: str, replay: Replay) -> M | None:
        now = self.clock()
        state = f"STATE_{how.upper()}"
        fields = {
            "state": state,
            "update_ms": now,
            "open_until": posting_documents.open_until(state, document["last_period"]),
        }
        return await self._write(document, fields, how, now, replay, False)

    async def _write(
        self,
        document: Document,
        fields: Document,
        happened: str,
        now: int,
        replay: Replay,
        validate_only: bool,
    ) -> M | None:
        after = self._read({**document, **fields, "revision": document["revision"] + 1})
        if validate_only:
            return after
        done = await self.store.compare_and_set(
            document["_id"],
            document["revision"],
            fields,
            [self.kind.event(happened, after, now)],
            [replay.answer(after)] if replay.request_id else (),
        )
        return after if done else None

    async def _present(self, name: str) -> Document:
        document = await self.store.get(name)
        if document is None:
            raise refusals.not_found(name)
        return document

    def _read(self, document: Document) -> M:
        return self.kind.read(document, None)

    def _require_etag(self, document: Document, wanted: str) -> None:
        if wanted and wanted != etag(document):
            raise refusals.etag_mismatch()

    def _require_open(self, document: Document) -> None:
        if document["state"] not in ("STATE_OPEN", "STATE_MATCHED"):
            state = document["state"].removeprefix("STATE_").lower()
            raise FailedPrecondition(
                reason_pb2.REASON_NOT_OPEN,
                said(cause_pb2.CAUSE_POSTING_CLOSED, name=document["_id"], state=state),
            )

    def _require_room(self, document: Document, present: M, content: M) -> Account:
        """Return the account with the new limits. Raises FailedPrecondition (BELOW_COMMITTED)."""
        account = self.kind.account(document, present)
        limits = self.kind.limits(content)
        faults = [
            Fault(
                self.kind.limit_field(cell, content),
                said(
                    cause_pb2.CAUSE_BELOW_COMMITTED,
                    least=least,
                    cell=cell,
                    **unit_of(_capability(present, cell), self.taxonomy.current),
                ),
                reason_pb2.REASON_BELOW_COMMITTED,
            )
            for cell, least in account.limit_refusals(limits).items()
        ] + _moved_capability(account, present, content)
        if faults:
            raise FailedPrecondition(
                faults[0].reason,
                faults[0].said,
                violations=[fault.violation() for fault in faults],
                metadata={"field": faults[0].field},
            )
        account.limits = limits
        return account


_FRESH: Document = {"revision": 1}


def _codes(posting: Offer | Demand) -> dict[str, str]:
    """Return the capabilities of a posting, by field."""
    if isinstance(posting, Offer):
        return {"capability": posting.capability}
    return {f"lines[{i}].capability": line.capability for i, line in enumerate(posting.lines)}


def _capability(posting: Offer | Demand, cell: str) -> str:
    """Return the capability in whose unit a cell is counted; empty where there is no such line."""
    if isinstance(posting, Offer):
        return posting.capability
    return next((line.capability for line in posting.lines if line.id == cell), "")


def _moved_capability(account: Account, present: M, content: M) -> list[Fault]:
    """Find capabilities that change although claims count in their unit."""
    wrong: list[str] = []
    if isinstance(present, Demand) and isinstance(content, Demand):
        codes = {line.id: line.capability for line in present.lines}
        taken = {cell for cell, each in account.balances().items() if each.held + each.committed}
        wrong = [
            f"demand.lines[{index}].capability"
            for index, line in enumerate(content.lines)
            if line.id in taken and line.capability != codes.get(line.id)
        ]
    elif isinstance(present, Offer) and isinstance(content, Offer) and account.claims:
        wrong = ["offer.capability"] * (present.capability != content.capability)
    return [
        Fault(
            field,
            said(cause_pb2.CAUSE_UNIT_IN_USE),
            reason_pb2.REASON_BELOW_COMMITTED,
        )
        for field in wrong
    ]
