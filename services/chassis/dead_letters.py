"""Events that a consumer gave up: look at them, hand them over once more, or drop them.

A replayed event goes to the consumer that gave it up and to no other: those who handled it do not
see it a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import nats.js.errors
from nats.js.api import Header

SUBJECTS = "dead.>"
REPLAYS = "replay.>"

HEADER_SUBJECT = "Spareline-Subject"
HEADER_REASON = "Spareline-Reason"
HEADER_SEQUENCE = "Spareline-Sequence"
HEADER_EVENT = "Spareline-Event"

_EVENTS = "market."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event as its consumer gave it up; ``sequence`` is its place among the dead letters."""

    sequence: int
    consumer: str
    subject: str
    reason: str
    event_id: str
    payload: bytes
    time: datetime

    @property
    def replayable(self) -> bool:
        """Whether a consumer waits for such a thing: parts of rounds that are over have none."""
        return self.subject.startswith(_EVENTS)


def replay_subject(durable: str, subject: str) -> str:
    """Return where an event goes that one durable is to have once more."""
    return f"replay.{durable}.{subject}"


def original_subject(durable: str, subject: str) -> str:
    """Return the subject under which an event was published, replayed or not."""
    return subject.removeprefix(f"replay.{durable}.")


class DeadLetterBox:
    """The stream of dead letters. Each call raises nats.errors.Error while the bus is away."""

    def __init__(self, jetstream: Any, stream: str) -> None:
        self._js = jetstream
        self._stream = stream

    async def count(self) -> int:
        """Return how many there are."""
        state = (await self._js.stream_info(self._stream)).state
        return int(state.messages)

    async def page(self, after: int, size: int, consumer: str = "") -> list[DeadLetter]:
        """Return up to ``size`` letters behind a sequence, oldest first."""
        subject = f"dead.{consumer}" if consumer else SUBJECTS
        found: list[DeadLetter] = []
        while len(found) < size:
            try:
                message = await self._js.get_msg(
                    self._stream, seq=after + 1, subject=subject, next=True
                )
            except nats.js.errors.NotFoundError:
                break
            found.append(_letter(message))
            after = found[-1].sequence
        return found

    async def get(self, sequence: int) -> DeadLetter | None:
        """Return one, or None when it is gone."""
        try:
            return _letter(await self._js.get_msg(self._stream, seq=sequence))
        except nats.js.errors.NotFoundError:
            return None

    async def replay(self, letter: DeadLetter) -> None:
        """Hand the event to its consumer once more; the letter is gone once it is stored for it.

        Doing so again after a crash in between is harmless: the bus knows the replay's id, and
        consumers are idempotent.
        """
        headers = {
            Header.MSG_ID.value: f"replay-{letter.consumer}-{letter.sequence}",
            HEADER_EVENT: letter.event_id,
        }
        subject = replay_subject(letter.consumer, letter.subject)
        await self._js.publish(subject, letter.payload, headers=headers)
        await self.drop(letter.sequence)

    async def drop(self, sequence: int) -> None:
        """Throw one away; that it is gone already is no error."""
        try:
            await self._js.delete_msg(self._stream, sequence)
        except (nats.js.errors.NotFoundError, nats.js.errors.ServerError):
            # The server answers 500 for a message that is not there, and for nothing else here.
            if await self.get(sequence) is not None:
                raise


def _letter(message: Any) -> DeadLetter:
    headers = message.headers or {}
    return DeadLetter(
        sequence=message.seq,
        consumer=message.subject.removeprefix("dead."),
        subject=headers.get(HEADER_SUBJECT, ""),
        reason=headers.get(HEADER_REASON, ""),
        # Letters of before this header was there keep an id of their own.
        event_id=headers.get(HEADER_EVENT) or headers.get(Header.MSG_ID.value, ""),
        payload=message.data or b"",
        time=message.time or datetime.fromtimestamp(0, UTC),
    )
