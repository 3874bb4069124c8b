"""Members' choices of what they are written to about."""

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Document, New, etag
from services.chassis.causes import said
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.store.changes import ATTEMPTS
from services.registry.store.mail import Mail
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.registry.v1 import mail_service_pb2 as api

PATTERN = "organizations/{organization}/members/{member}/mailSettings"


class MailChoices:
    """Reads and changes the caller's own settings."""

    def __init__(self, store: Mail, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, principal: Principal, name: str) -> MailSettings:
        """Return the settings. Raises PermissionDenied for another's."""
        _own(principal, name, "name")
        document = await self._store.settings.get(name)
        return MailSettings(name=name) if document is None else _shown(document)

    async def update(
        self, principal: Principal, request: api.UpdateMailSettingsRequest
    ) -> MailSettings:
        """Change the settings. Raises PermissionDenied, InvalidArgument, Aborted."""
        given, replay = request.mail_settings, Replay.of(request)
        _own(principal, given.name, "mail_settings.name")
        for path in request.update_mask.paths:
            if path != "muted":
                raise refusals.field_invalid(
                    f"mail_settings.{path}",
                    said(cause_pb2.CAUSE_FIELD_FIXED, path=path, changeable="muted"),
                )
        fields: Document = {"muted": sorted(given.muted), "update_ms": self._clock()}
        for _ in range(ATTEMPTS):
            document = await self._store.settings.get(given.name)
            if (stored := replay.stored(document, MailSettings)) is not None:
                return stored
            if given.etag and given.etag != (etag(document) if document else ""):
                raise refusals.etag_mismatch()
            done = await self._write(given.name, document, fields, replay)
            if done is not None:
                return done
        raise refusals.conflict()

    async def _write(
        self, name: str, document: Document | None, fields: Document, replay: Replay
    ) -> MailSettings | None:
        revision = document["revision"] if document else 0
        after = _shown({"_id": name, **fields, "revision": revision + 1})
        answer = replay.answer(after)
        if document is None:
            new = New({"_id": name, **fields}, answer=answer)
            [done] = await self._store.settings.insert_many([new])
        else:
            done = await self._store.settings.compare_and_set(name, revision, fields, (), [answer])
        return after if done else None


def _own(principal: Principal, name: str, field: str) -> None:
    names.parse(PATTERN, name, field=field)
    member = name.removesuffix("/mailSettings")
    if principal.kind != "member" or principal.subject != member:
        raise refusals.forbidden(said(cause_pb2.CAUSE_OWN_MAIL_ONLY))


def _shown(document: Document) -> MailSettings:
    return MailSettings(
        name=document["_id"],
        muted=document["muted"],
        update_time=timestamp(document["update_ms"]),
        etag=etag(document),
    )
