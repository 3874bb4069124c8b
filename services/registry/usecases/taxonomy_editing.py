"""Editing the taxonomy: a draft that shows what would come of it, and its adoption."""

from collections.abc import Sequence

from services.chassis.access import Principal
from services.chassis.aggregates import Document, Event, New, etag
from services.chassis.causes import said
from services.chassis.errors import Aborted, AlreadyExists
from services.chassis.mongo import DuplicateKey
from services.registry import convert, convert_taxonomy
from services.registry.domain import refusals, taxonomy_edits
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.instants import Clock, now_ms, timestamp
from services.registry.domain.taxonomy_edits import Outcome
from services.registry.store.changes import ATTEMPTS, Change, change
from services.registry.store.taxonomy import DRAFT, VERSIONS, TaxonomyDrafts, TaxonomyVersions
from services.registry.usecases import pages
from services.registry.usecases.replay import Replay
from services.registry.usecases.taxonomy import COLLECTION, LiveTaxonomy
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import registry_service_pb2 as registry
from spareline.registry.v1 import taxonomy_service_pb2 as api
from spareline.registry.v1.taxonomy_service_pb2 import TaxonomyDraft, TaxonomyVersion

MOST_BYTES = 512 * 1024
_DEFINITION = "/definition"


class TaxonomyDesk:
    """What operators do about the taxonomy."""

    def __init__(
        self,
        live: LiveTaxonomy,
        versions: TaxonomyVersions,
        drafts: TaxonomyDrafts,
        clock: Clock = now_ms,
    ) -> None:
        self._live = live
        self._versions = versions
        self._drafts = drafts
        self._clock = clock

    async def definition(self, name: str) -> Capability:
        """Return a capability's own part. Raises NotFound."""
        code = name.removeprefix(COLLECTION).removesuffix(_DEFINITION)
        found = (await self._live.knowing([code])).definition(code)
        if found is None:
            raise refusals.not_found(name)
        return convert_taxonomy.definition(code, found)

    async def draft(self) -> TaxonomyDraft:
        """Return the draft, checked against the taxonomy as it stands."""
        await self._live.refresh()
        return self._shown(await self._drafts.get(DRAFT))

    async def update(
        self, principal: Principal, request: api.UpdateTaxonomyDraftRequest
    ) -> TaxonomyDraft:
        """Store the edits, right or wrong. Raises Aborted (ETAG_MISMATCH), InvalidArgument."""
        given = request.taxonomy_draft
        if given.ByteSize() > MOST_BYTES:
            raise refusals.field_invalid(
                "taxonomy_draft.edits", said(cause_pb2.CAUSE_TOO_MANY_BYTES, most=MOST_BYTES)
            )
        replay = Replay.of(request)
        await self._open()

        def decide(document: Document) -> Change | None:
            if replay.stored(document, TaxonomyDraft) is not None:
                return None
            if given.etag and given.etag != etag(document):
                raise refusals.etag_mismatch()
            kept = TaxonomyDraft(edits=given.edits, actor=principal.subject)
            kept.update_time.CopyFrom(timestamp(self._clock()))
            return Change({"body": kept.SerializeToString()}, answer=replay.answer(TaxonomyDraft()))

        await change(self._drafts, DRAFT, decide)
        return await self.draft()

    async def _open(self) -> None:
        if await self._drafts.get(DRAFT) is None:
            try:
                await self._drafts.insert({"_id": DRAFT, "body": b""})
            except DuplicateKey:
                return  # opened by somebody else just now: as good

    async def adopt(
        self, principal: Principal, request: api.AdoptTaxonomyDraftRequest
    ) -> TaxonomyVersion:
        """Make the draft the next version and empty it.

        Raises InvalidArgument naming all that is wrong, Aborted (ETAG_MISMATCH, CONFLICT).
        """
        replay = Replay.of(request)
        await self._live.refresh()
        document = await self._drafts.get(DRAFT)
        if document is None:
            raise _nothing()
        repeated = replay.stored(document, TaxonomyVersion)
        if repeated is not None:
            return repeated
        made = await self._earlier(replay)  # a crash may have come before the draft was emptied
        if made is None:
            if request.etag != etag(document):
                raise refusals.etag_mismatch()
            edits = list(TaxonomyDraft.FromString(document["body"]).edits)
            if not edits:
                raise _nothing()
            root = "taxonomy_draft.edits"
            made = await self._store(edits, request.note, principal, replay, root)

        def decide(present: Document) -> Change | None:
            # What was edited meanwhile stays: it was not looked at when this was adopted.
            same = present["revision"] == document["revision"]
            emptied = {"body": b""} if same else {}
            return Change(emptied, answer=replay.answer(made))

        await change(self._drafts, DRAFT, decide)
        return made

    async def create(
        self, principal: Principal, request: registry.CreateCapabilityRequest
    ) -> Capability:
        """Add one capability, without a draft.

        Raises InvalidArgument naming what does not fit, AlreadyExists.
        """
        replay = Replay.of(request)
        wanted = Capability()
        wanted.CopyFrom(request.capability)
        wanted.name = COLLECTION + wanted.code
        if await self._earlier(replay) is not None:
            return await self._live.get(wanted.name)
        for _ in range(ATTEMPTS):
            await self._live.refresh()
            if wanted.code in self._live.current:
                raise AlreadyExists(
                    reason_pb2.REASON_ALREADY_EXISTS,
                    said(cause_pb2.CAUSE_TAKEN_BY_TAXONOMY, code=wanted.code),
                )
            try:
                await self._store([wanted], "", principal, replay, "")
            except _Behind:
                continue
            return await self._live.get(wanted.name)
        raise refusals.conflict()

    async def _earlier(self, replay: Replay) -> TaxonomyVersion | None:
        """Return the version that this very request has made. Versions are few."""
        if not replay.request_id:
            return None
        for document in await self._versions.after(0):
            stored = replay.stored(document, TaxonomyVersion)
            if stored is not None:
                return stored
        return None

    async def _store(
        self,
        edits: Sequence[Capability],
        note: str,
        principal: Principal,
        replay: Replay,
        root: str,
    ) -> TaxonomyVersion:
        """Store the next version with the events of all that changes. Raises _Behind (Aborted)."""
        outcome = self._checked(edits, root)
        if outcome.taxonomy is None:
            raise refusal(outcome.faults)
        now, number = self._clock(), self._live.version + 1
        made = TaxonomyVersion(
            name=f"{VERSIONS}{number}",
            version=number,
            edits=edits,
            note=note,
            actor=principal.subject,
            create_time=timestamp(now),
            changed=len(outcome.changed),
        )
        resolved = [outcome.taxonomy.get(code) for code in outcome.changed]
        events = [
            Event.of(
                events_pb2.CapabilityExtended(
                    capability=convert_taxonomy.capability(each), time=timestamp(now)
                )
            )
            for each in resolved
            if each is not None
        ]
        document = {"_id": made.name, "number": number, "body": made.SerializeToString()}
        [inserted] = await self._versions.insert_many(
            [New(document, events, replay.answer(made) if replay.request_id else None)]
        )
        if not inserted:
            raise _Behind(reason_pb2.REASON_CONFLICT, "Another version was adopted just now")
        await self._live.refresh()
        return made

    def _checked(self, edits: Sequence[Capability], root: str) -> Outcome:
        pairs = [(each.code, convert_taxonomy.node(each)) for each in edits]
        if root:
            return taxonomy_edits.check(self._live.current, pairs, root)
        found = taxonomy_edits.check(self._live.current, pairs, "edits")
        one = [
            Fault(each.field.replace("edits[0]", "capability", 1), each.said)
            for each in found.faults
        ]
        return Outcome(found.taxonomy, one, found.changed)

    def _shown(self, document: Document | None) -> TaxonomyDraft:
        draft = TaxonomyDraft.FromString(document["body"] if document else b"")
        draft.name, draft.base_version = DRAFT, self._live.version
        draft.etag = etag(document) if document else ""
        outcome = self._checked(draft.edits, "taxonomy_draft.edits")
        draft.problems.extend(
            convert.field_problem(each.field, each.said) for each in outcome.faults
        )
        if outcome.taxonomy is not None:
            draft.changed = len(outcome.changed)
            found = [outcome.taxonomy.get(each.code) for each in draft.edits]
            draft.results.extend(convert_taxonomy.capability(each) for each in found if each)
        return draft

    async def versions(
        self, request: api.ListTaxonomyVersionsRequest
    ) -> api.ListTaxonomyVersionsResponse:
        """Return a page of versions, newest first. They are few."""
        found = [
            TaxonomyVersion.FromString(document["body"])
            for document in reversed(await self._versions.after(0))
        ]
        page, following = pages.cut(request, [(each.name, each) for each in found])
        return api.ListTaxonomyVersionsResponse(taxonomy_versions=page, next_page_token=following)


class _Behind(Aborted):
    """Somebody else has adopted the version that was to be the next."""


def _nothing() -> Exception:
    return refusals.field_invalid("taxonomy_draft.edits", said(cause_pb2.CAUSE_DRAFT_EMPTY))
