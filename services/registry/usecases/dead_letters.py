"""Dead letters as operators see them: what could not be handled, why, and once more."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import DecodeError, Message

from services.chassis import names, paging
from services.chassis.causes import said
from services.chassis.dead_letters import DeadLetter, DeadLetterBox
from services.chassis.errors import FailedPrecondition, NotFound
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.events.v1 import events_pb2
from spareline.options.v1 import options_pb2
from spareline.registry.v1 import dead_letter_service_pb2 as api

PATTERN = "deadLetters/{letter}"


def _types() -> Mapping[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for name, descriptor in events_pb2.DESCRIPTOR.message_types_by_name.items():
        subject: str = descriptor.GetOptions().Extensions[options_pb2.subject]
        found[subject] = getattr(events_pb2, name)
    return found


_TYPES = _types()


class DeadLetterDesk:
    """Lists, reads, replays and drops dead letters."""

    def __init__(self, box: DeadLetterBox) -> None:
        self._box = box

    async def list(self, request: api.ListDeadLettersRequest) -> api.ListDeadLettersResponse:
        """Return a page, oldest first. Raises InvalidArgument for a token of another list."""
        page = paging.Page.of(request)
        after, size = int(page.start.get("after", 0)), page.size
        found = await self._box.page(after, size + 1, request.consumer)
        answer = api.ListDeadLettersResponse(
            dead_letters=[told(each) for each in found[:size]],
            total_size=await self._box.count(),
        )
        if len(found) > size:
            answer.next_page_token = page.following(after=found[size - 1].sequence)
        return answer

    async def get(self, name: str) -> api.DeadLetter:
        """Return one. Raises NotFound."""
        return told(await self._require(name))

    async def replay(self, name: str) -> api.DeadLetter:
        """Hand the event to its consumer once more. Raises NotFound, FailedPrecondition."""
        letter = await self._require(name)
        if not letter.replayable:
            raise FailedPrecondition(
                reason_pb2.REASON_NOT_FOUND,
                said(cause_pb2.CAUSE_LETTER_IS_WORK),
            )
        await self._box.replay(letter)
        return told(letter)

    async def drop(self, name: str) -> None:
        """Throw one away; that it is gone already is no error."""
        sequence = _sequence(name)
        if sequence is not None:
            await self._box.drop(sequence)

    async def _require(self, name: str) -> DeadLetter:
        sequence = _sequence(name)
        letter = None if sequence is None else await self._box.get(sequence)
        if letter is None:
            raise NotFound(
                reason_pb2.REASON_NOT_FOUND, said(cause_pb2.CAUSE_NO_SUCH_THING, name=name)
            )
        return letter


def told(letter: DeadLetter) -> api.DeadLetter:
    """Return what an operator reads of it: of its content the resource's name and generation."""
    resource, generation = _resource(letter)
    made = api.DeadLetter(
        name=f"deadLetters/{letter.sequence}",
        consumer=letter.consumer,
        subject=letter.subject,
        reason=letter.reason,
        resource=resource,
        generation=generation,
        size_bytes=len(letter.payload),
        event_id=letter.event_id,
        replayable=letter.replayable,
    )
    made.time.FromDatetime(letter.time)
    return made


def _resource(letter: DeadLetter) -> tuple[str, int]:
    """Name and generation of what the event is about; nothing where it cannot be read."""
    kind = _TYPES.get(letter.subject)
    if kind is None:
        return "", 0
    try:
        event = kind.FromString(letter.payload)
    except DecodeError:
        return "", 0
    for field, value in event.ListFields():
        if field.name != "time" and isinstance(value, Message):
            return str(getattr(value, "name", "")), int(getattr(value, "generation", 0))
    return "", 0


def _sequence(name: str) -> int | None:
    """Return the sequence in a letter's name, None where there is none. Raises InvalidArgument."""
    found = names.parse(PATTERN, name)["letter"]
    return int(found) if found.isascii() and found.isdigit() and len(found) < 19 else None
