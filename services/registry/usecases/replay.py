"""Requests that may come twice: what tells a repeat, and the answer that it gets."""

from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from services.chassis.aggregates import Answer, Document, request_digest, stored_answer

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Replay:
    """The identity of one mutation."""

    request_id: str
    digest: str

    @classmethod
    def of(cls, request: Message, *secrets: str) -> "Replay":
        """Return the identity of a request.

        ``secrets`` are fields that stay out of the digest: a password's plain hash, kept in
        a document, could be guessed from.
        """
        copy = type(request)()
        copy.CopyFrom(request)
        for field in secrets:
            copy.ClearField(field)
        request_id: str = getattr(copy, "request_id", "")
        return cls(request_id, request_digest(copy))

    def stored(self, document: Document | None, kind: type[M]) -> M | None:
        """Return the answer that this request got before, if a document keeps it.

        Raises FailedPrecondition (REQUEST_ID_REUSED) when its id was another request's.
        """
        payload = stored_answer(document, self.request_id, self.digest)
        return None if payload is None else kind.FromString(payload)

    def answer(self, message: Message | None = None) -> Answer:
        """Return what to keep for a repeat of this request."""
        return Answer(self.request_id, self.digest, (message or Empty()).SerializeToString())
