"""Drafts: what a member has typed and not posted yet. Nobody else reads it."""

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Document, New, etag
from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.store.changes import ATTEMPTS
from services.registry.store.drafts import Drafts as Store
from services.registry.usecases import pages
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.draft_pb2 import Draft
from spareline.registry.v1 import draft_service_pb2 as api

PATTERN = "organizations/{organization}/members/{member}/drafts/{draft}"
MOST = 40
MOST_BYTES = 64 * 1024
_CHANGEABLE = ("title", "fields")


class Drafts:
    """Keeps, lists and throws away the drafts of whoever calls."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def update(self, principal: Principal, request: api.UpdateDraftRequest) -> Draft:
        """Store a draft.

        Raises PermissionDenied for another's, NotFound unless it may be made, InvalidArgument
        naming a path that cannot be changed, FailedPrecondition when there are MOST of them.
        """
        name = request.draft.name
        member = _own(principal, name, "draft.name")
        paths = _paths(request)
        _require_small(request.draft)
        replay = Replay.of(request)
        for _ in range(ATTEMPTS):
            document = await self._store.aggregates.get(name)
            if (stored := replay.stored(document, Draft)) is not None:
                return stored
            if document is None:
                if not request.allow_missing:
                    raise refusals.not_found(name)
                done = await self._insert(member, request.draft, replay)
            else:
                done = await self._change(document, request.draft, paths, replay)
            if done is not None:
                return done
        raise refusals.conflict()

    async def get(self, principal: Principal, name: str) -> Draft:
        """Return a draft. Raises NotFound, PermissionDenied."""
        _own(principal, name, "name")
        document = await self._store.aggregates.get(name)
        if document is None:
            raise refusals.not_found(name)
        return _draft(document)

    async def list(
        self, principal: Principal, request: api.ListDraftsRequest
    ) -> api.ListDraftsResponse:
        """Return a page of the caller's drafts without their fields, the latest first."""
        if principal.kind != "member" or principal.subject != request.parent:
            raise _foreign()
        items = []
        for document in await self._store.of_member(request.parent):
            draft = _draft(document)
            draft.ClearField("fields")
            items.append((draft.name, draft))
        page, following = pages.cut(request, items)
        return api.ListDraftsResponse(drafts=page, next_page_token=following)

    async def delete(self, principal: Principal, name: str) -> None:
        """Throw a draft away. Raises PermissionDenied."""
        _own(principal, name, "name")
        await self._store.delete(name)

    async def _insert(self, member: str, given: Draft, replay: Replay) -> Draft | None:
        if len(await self._store.of_member(member)) >= MOST:
            raise FailedPrecondition(
                reason_pb2.REASON_FIELD_INVALID,
                said(cause_pb2.CAUSE_TOO_MANY_DRAFTS, most=MOST),
            )
        now = self._clock()
        document: Document = {
            "_id": given.name,
            "organization": "/".join(member.split("/")[:2]),
            "member": member,
            "create_ms": now,
            "update_ms": now,
            "body": _content(given).SerializeToString(deterministic=True),
        }
        answer = _draft(document | {"revision": 1})
        [done] = await self._store.aggregates.insert_many(
            [New(document, answer=replay.answer(answer))]
        )
        return answer if done else None

    async def _change(
        self, document: Document, given: Draft, paths: tuple[str, ...], replay: Replay
    ) -> Draft | None:
        content = Draft.FromString(document["body"])
        if "title" in paths:
            content.title = given.title
        if "fields" in paths:
            content.ClearField("fields")
            for key, texts in given.fields.items():
                content.fields[key].CopyFrom(texts)
        fields = {
            "body": content.SerializeToString(deterministic=True),
            "update_ms": self._clock(),
        }
        after = _draft({**document, **fields, "revision": document["revision"] + 1})
        done = await self._store.aggregates.compare_and_set(
            document["_id"], document["revision"], fields, (), [replay.answer(after)]
        )
        return after if done else None


def _own(principal: Principal, name: str, field: str) -> str:
    """Return the member that a draft belongs to. Raises unless that is the caller."""
    names.parse(PATTERN, name, field=field)
    member = name.rpartition("/drafts/")[0]
    if principal.kind != "member" or principal.subject != member:
        raise _foreign()
    return member


def _foreign() -> Exception:
    return refusals.forbidden(said(cause_pb2.CAUSE_OWN_DRAFT_ONLY))


def _paths(request: api.UpdateDraftRequest) -> tuple[str, ...]:
    given = tuple(request.update_mask.paths)
    for path in given:
        if path not in _CHANGEABLE:
            raise refusals.field_invalid(
                f"draft.{path}",
                said(cause_pb2.CAUSE_FIELD_FIXED, path=path, changeable=", ".join(_CHANGEABLE)),
            )
    return given or _CHANGEABLE


def _require_small(draft: Draft) -> None:
    if draft.ByteSize() > MOST_BYTES:
        raise refusals.field_invalid(
            "draft.fields", said(cause_pb2.CAUSE_TOO_MANY_BYTES, most=MOST_BYTES)
        )


def _content(given: Draft) -> Draft:
    content = Draft()
    content.CopyFrom(given)
    for field in ("create_time", "update_time", "etag"):
        content.ClearField(field)
    return content


def _draft(document: Document) -> Draft:
    draft = Draft.FromString(document["body"])
    draft.create_time.CopyFrom(timestamp(document["create_ms"]))
    draft.update_time.CopyFrom(timestamp(document["update_ms"]))
    draft.etag = etag(document)
    return draft
