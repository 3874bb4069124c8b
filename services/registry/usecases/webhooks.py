"""Webhooks: made, changed, ended by an organization's owners, with a log of what was sent."""

import hashlib
from collections.abc import Callable

from services.chassis import names
from services.chassis.aggregates import Document, New, etag
from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition
from services.registry.domain import refusals, webhook_targets
from services.registry.domain.instants import Clock, timestamp
from services.registry.domain.webhook_signing import Seal, new_secret
from services.registry.store.changes import ATTEMPTS
from services.registry.store.webhooks import PENDING, Webhooks
from services.registry.usecases import pages
from services.registry.usecases.replay import Replay
from services.registry.usecases.webhook_events import TYPES
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.webhook_pb2 import Webhook, WebhookDelivery
from spareline.registry.v1 import webhook_service_pb2 as api

PATTERN = "organizations/{organization}/webhooks/{webhook}"
DELIVERY = PATTERN + "/deliveries/{event}"
MOST = 10
OVERLAP_MS = 86_400_000
Change = Callable[[Document], Document]
_CHANGEABLE = ("url", "display_name", "event_types", "paused")


class WebhookDesk:
    """Makes, changes, lists and ends webhooks."""

    def __init__(self, store: Webhooks, seal: Seal, clock: Clock, *, private: bool) -> None:
        """``private``: targets in private networks are allowed."""
        self._store = store
        self._seal = seal
        self._clock = clock
        self._private = private

    async def create(self, request: api.CreateWebhookRequest) -> Webhook:
        """Make a webhook; a repeat gets it without the secret.

        Raises InvalidArgument (webhook.url, webhook.event_types), FailedPrecondition when there
        are MOST of them.
        """
        parent, replay = request.parent, Replay.of(request)
        name = f"{parent}/webhooks/{_identity(parent, request.request_id)}"
        kept = replay.stored(await self._store.aggregates.get(name), Webhook)
        if kept is not None:
            return kept
        self._require_fit(request.webhook, _CHANGEABLE)
        if len(await self._store.of([parent])) >= MOST:
            raise FailedPrecondition(
                reason_pb2.REASON_FIELD_INVALID, said(cause_pb2.CAUSE_TOO_MANY_WEBHOOKS, most=MOST)
            )
        secret, now = new_secret(), self._clock()
        content = Webhook(name=name)
        _copy(request.webhook, content, _CHANGEABLE)
        document: Document = {
            "_id": name,
            "organization": parent,
            "secret": self._seal.close(secret),
            "previous_secret": b"",
            "previous_until_ms": 0,
            "create_ms": now,
            "update_ms": now,
            "body": content.SerializeToString(deterministic=True),
        }
        answer = shown({**document, "revision": 1})
        inserted = await self._store.aggregates.insert_many(
            [New(document, answer=replay.answer(answer))]
        )
        if not inserted[0]:
            raise refusals.conflict()
        answer.secret = secret
        return answer

    async def get(self, name: str) -> Webhook:
        """Return a webhook. Raises NotFound."""
        return shown(await self._present(name))

    async def list(self, request: api.ListWebhooksRequest) -> api.ListWebhooksResponse:
        """Return a page of an organization's webhooks."""
        items = [(d["_id"], shown(d)) for d in await self._store.of([request.parent])]
        page, following = pages.cut(request, items)
        return api.ListWebhooksResponse(webhooks=page, next_page_token=following)

    async def update(self, request: api.UpdateWebhookRequest) -> Webhook:
        """Change a webhook. Raises InvalidArgument, NotFound, Aborted (ETAG_MISMATCH)."""
        given, paths = request.webhook, tuple(request.update_mask.paths) or _CHANGEABLE
        for path in paths:
            if path not in _CHANGEABLE:
                raise refusals.field_invalid(
                    f"webhook.{path}",
                    said(cause_pb2.CAUSE_FIELD_FIXED, path=path, changeable=", ".join(_CHANGEABLE)),
                )
        self._require_fit(given, paths)

        def change(document: Document) -> Document:
            if given.etag and given.etag != etag(document):
                raise refusals.etag_mismatch()
            content = Webhook.FromString(document["body"])
            _copy(given, content, paths)
            return {"body": content.SerializeToString(deterministic=True)}

        return await self._change(given.name, Replay.of(request), change)

    async def rotate(self, request: api.RotateWebhookSecretRequest) -> Webhook:
        """Make a new secret; the one before signs for a day more. Raises NotFound."""
        secret, replay = new_secret(), Replay.of(request)
        repeated = replay.stored(await self._present(request.name), Webhook)
        if repeated is not None:
            return repeated

        def change(document: Document) -> Document:
            return {
                "secret": self._seal.close(secret),
                "previous_secret": document["secret"],
                "previous_until_ms": self._clock() + OVERLAP_MS,
            }

        answer = await self._change(request.name, replay, change)
        answer.secret = secret
        return answer

    async def delete(self, name: str) -> None:
        """End a webhook. None is no error."""
        names.parse(PATTERN, name)
        await self._store.delete(name)

    async def deliveries(
        self, request: api.ListWebhookDeliveriesRequest
    ) -> api.ListWebhookDeliveriesResponse:
        """Return a page of what was sent, the latest first. Raises NotFound."""
        await self._present(request.parent, "parent")
        documents = await self._store.deliveries(request.parent)
        items = [(document["_id"], delivery(document)) for document in documents]
        page, following = pages.cut(request, items)
        return api.ListWebhookDeliveriesResponse(deliveries=page, next_page_token=following)

    async def replay(self, name: str) -> WebhookDelivery:
        """Send an event once more. Raises NotFound."""
        names.parse(DELIVERY, name)
        if not await self._store.replay(name, self._clock()):
            raise refusals.not_found(name)
        document = await self._store.delivery(name)
        if document is None:
            raise refusals.not_found(name)
        return delivery(document)

    async def _present(self, name: str, field: str = "name") -> Document:
        names.parse(PATTERN, name, field=field)
        document = await self._store.aggregates.get(name)
        if document is None:
            raise refusals.not_found(name)
        return document

    async def _change(self, name: str, replay: Replay, change: Change) -> Webhook:
        for _ in range(ATTEMPTS):
            document = await self._present(name)
            stored = replay.stored(document, Webhook)
            if stored is not None:
                return stored
            fields = {**change(document), "update_ms": self._clock()}
            after = shown({**document, **fields, "revision": document["revision"] + 1})
            if await self._store.aggregates.compare_and_set(
                name, document["revision"], fields, (), [replay.answer(after)]
            ):
                return after
        raise refusals.conflict()

    def _require_fit(self, given: Webhook, paths: tuple[str, ...]) -> None:
        wrong = webhook_targets.fault(given.url, private=self._private) if "url" in paths else None
        if wrong is not None:
            raise refusals.field_invalid("webhook.url", wrong)
        unknown = [t for t in given.event_types if t not in TYPES] if "event_types" in paths else []
        if unknown:
            raise refusals.field_invalid(
                "webhook.event_types",
                said(
                    cause_pb2.CAUSE_NO_SUCH_EVENT, type=unknown[0], known=", ".join(sorted(TYPES))
                ),
            )


def shown(document: Document) -> Webhook:
    """Return a webhook as its owner sees it, without the secret."""
    webhook = Webhook.FromString(document["body"])
    webhook.create_time.CopyFrom(timestamp(document["create_ms"]))
    webhook.update_time.CopyFrom(timestamp(document["update_ms"]))
    if document["previous_until_ms"]:
        until = timestamp(document["previous_until_ms"])
        webhook.previous_secret_expire_time.CopyFrom(until)
    webhook.etag = etag(document)
    return webhook


def delivery(document: Document) -> WebhookDelivery:
    """Return a delivery as the log shows it."""
    shown_ = WebhookDelivery(
        name=document["_id"],
        event_type=document["type"],
        subject=document["subject"],
        state=WebhookDelivery.State.Value(document["state"]),
        attempts=document["attempts"],
        last_status=document["status"],
        last_error=document["error"],
        create_time=timestamp(document["create_ms"]),
        payload=bytes(document["payload"]).decode(),
    )
    if document.get("error_words"):
        shown_.last_error_words.ParseFromString(bytes(document["error_words"]))
    if document["last_ms"]:
        shown_.last_attempt_time.CopyFrom(timestamp(document["last_ms"]))
    if document["state"] == PENDING:
        shown_.next_attempt_time.CopyFrom(timestamp(document["due_ms"]))
    return shown_


def _copy(given: Webhook, into: Webhook, paths: tuple[str, ...]) -> None:
    for path in paths:
        if path == "event_types":
            into.event_types[:] = sorted(given.event_types)
        else:
            setattr(into, path, getattr(given, path))


def _identity(parent: str, request_id: str) -> str:
    derived = names.derived_id(f"{parent}/webhooks", request_id)
    return hashlib.sha256(derived.encode()).hexdigest()[:16]
