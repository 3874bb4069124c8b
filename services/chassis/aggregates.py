"""Documents of aggregates: state, events and answers change together in one atomic write.

Each document carries ``revision`` (compared and set by every write), ``outbox`` with
``pending`` (events not yet relayed), ``requests`` (the newest answers, for replay) and
``writes`` (ids of the newest writes, by which a retry never applies one twice: see `writes`).
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition
from services.chassis.mongo import DUPLICATE_CODE, IDS_AT_ONCE, Collection, DuplicateKey
from services.chassis.writes import Change, Writes
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.options.v1 import options_pb2

Document = dict[str, Any]

ANSWERS_KEPT = 16
WRITES_KEPT = 8
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """An event to be relayed once the write that carries it is done."""

    subject: str
    payload: bytes
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, message: Message) -> "Event":
        """Return the event of a message, on the subject that its proto declares."""
        options = message.DESCRIPTOR.GetOptions()
        subject: str = options.Extensions[options_pb2.subject]
        if not subject:
            raise ValueError(f"{message.DESCRIPTOR.full_name} declares no subject")
        return cls(subject, message.SerializeToString())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with, to be replayed when it is repeated."""

    request_id: str
    digest: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class New:
    """A document to insert (its ``_id`` set), with its events and answer."""

    document: Document
    events: Sequence[Event] = ()
    answer: Answer | None = None


def request_digest(request: Message) -> str:
    """Return the digest by which a repeated request is told from another one with its id."""
    body = request.SerializeToString(deterministic=True)
    return hashlib.sha256(request.DESCRIPTOR.full_name.encode() + b"\n" + body).hexdigest()


def stored_answer(document: Document | None, request_id: str, digest: str) -> bytes | None:
    """Return the answer that the request got before, or None when it is new.

    Raises FailedPrecondition (REQUEST_ID_REUSED) when the id was used for another request.
    """
    if not request_id or document is None:
        return None
    for stored in document.get("requests", ()):
        if stored["id"] == request_id:
            if stored["digest"] != digest:
                raise FailedPrecondition(
                    reason_pb2.REASON_REQUEST_ID_REUSED,
                    said(cause_pb2.CAUSE_REQUEST_ID_REUSED),
                )
            return bytes(stored["answer"])
    return None


def etag(document: Document) -> str:
    """Return the etag of a document's present revision."""
    return f'"{document["revision"]}"'


class Aggregates:
    """The documents of one kind of aggregate, in one collection."""

    def __init__(self, collection: Collection, notify: Callable[[], None] = lambda: None) -> None:
        """``notify`` is called after each write that carries events (``Relay.wake``)."""
        self.collection = collection
        self._notify = notify
        self._writes = Writes(collection)
        self.watcher: Callable[[Sequence[str]], None] = lambda _: None
        """Is told the names of what this process has written, or may have."""

    async def ensure_indexes(self) -> None:
        """Create the index that the relay finds its work by."""
        await self.collection.create_index("pending")

    async def get(self, name: str) -> Document | None:
        """Return a document by its resource name."""
        return await self.collection.find_one({"_id": name})

    async def get_many(
        self, names: Sequence[str], fields: Sequence[str] = ()
    ) -> dict[str, Document]:
        """Return the documents that exist, by their names; with ``fields`` only these of each."""
        shown = dict.fromkeys(fields, 1) if fields else None
        found: dict[str, Document] = {}
        for start in range(0, len(names), IDS_AT_ONCE):
            some = list(names[start : start + IDS_AT_ONCE])
            cursor = self.collection.find({"_id": {"$in": some}}, shown)
            async for document in cursor:
                found[document["_id"]] = document
        return found

    async def insert(
        self, document: Document, events: Sequence[Event] = (), answer: Answer | None = None
    ) -> None:
        """Insert a document at revision 1.

        Raises DuplicateKey when its name (or a unique value of it) is taken, Unavailable
        when the store stays away.
        """
        [inserted] = await self.insert_many([New(document, events, answer)])
        if not inserted:
            raise DuplicateKey(f"taken: {document['_id']}", DUPLICATE_CODE)

    async def insert_many(self, news: Sequence[New]) -> list[bool]:
        """Insert documents in batches; per item True, or False when its name is taken.

        Within one call the first of two items with the same name wins. Raises Unavailable
        when the store stays away: some items may then be stored.
        """
        write = uuid.uuid4().hex
        results: list[bool] = []
        try:
            for start in range(0, len(news), BATCH):
                batch = [
                    _complete(new, f"{write}.{start + i}")
                    for i, new in enumerate(news[start : start + BATCH])
                ]
                results += await self._writes.insert(batch)
        finally:
            self.watcher([new.document["_id"] for new in news])
        if any(new.events for new in news):
            self._notify()
        return results

    async def compare_and_set(
        self,
        name: str,
        revision: int,
        set_fields: Mapping[str, Any],
        events: Sequence[Event] = (),
        answers: Sequence[Answer | None] = (),
        *,
        unset: Sequence[str] = (),
    ) -> bool:
        """Set fields (dotted paths allowed) if the document is still at that revision.

        Returns False, with nothing changed, when it is not, or does not exist. Raises
        Unavailable when the store stays away: the outcome is then unknown.
        """
        write = uuid.uuid4().hex
        update = _update(revision, set_fields, events, answers, unset, write)
        try:
            done = await self._writes.change(Change(name, revision, write, update))
        finally:
            self.watcher([name])
        if done and events:
            self._notify()
        return done


def _complete(new: New, write: str) -> Document:
    return {
        **new.document,
        "revision": 1,
        "outbox": [_outbox_entry(event) for event in new.events],
        "pending": bool(new.events),
        "requests": [_stored(new.answer)] if new.answer and new.answer.request_id else [],
        "writes": [write],
    }


def _update(
    revision: int,
    set_fields: Mapping[str, Any],
    events: Sequence[Event],
    answers: Sequence[Answer | None],
    unset: Sequence[str],
    write: str,
) -> Document:
    fields: Document = {**set_fields, "revision": revision + 1}
    push: Document = {"writes": {"$each": [write], "$slice": -WRITES_KEPT}}
    if events:
        fields["pending"] = True
        push["outbox"] = {"$each": [_outbox_entry(event) for event in events]}
    kept = [_stored(answer) for answer in answers if answer and answer.request_id]
    if kept:
        push["requests"] = {"$each": kept, "$slice": -ANSWERS_KEPT}
    update: Document = {"$set": fields, "$push": push}
    if unset:
        update["$unset"] = dict.fromkeys(unset, "")
    return update


def _stored(answer: Answer) -> Document:
    return {
        "id": answer.request_id,
        "digest": answer.digest,
        "answer": answer.payload,
        "time": datetime.now(UTC),
    }


def _outbox_entry(event: Event) -> Document:
    return {
        "id": event.id,
        "subject": event.subject,
        "payload": event.payload,
        "time": datetime.now(UTC),
    }
