"""What callers of matching change goes into the audit, which the registry keeps: over the bus."""

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.chassis import faults, logs
from services.chassis.aggregates import Event
from services.chassis.events import Publisher
from services.chassis.mutations import Mutation
from spareline.events.v1 import events_pb2
from spareline.market.v1.organization_pb2 import AuditEntry

_PATIENCE_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_log = logs.get_logger("recording")


@dataclass
class _Waiting:
    event: Event
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Recorder:
    """Publishes changes in order; while the bus is away they wait here."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: deque[_Waiting] = deque()
        self._wanted = asyncio.Event()

    async def changed(self, mutations: Sequence[Mutation]) -> None:
        """Return once the bus has stored them, or after a while: they are sent all the same."""
        added = [_Waiting(_event(each)) for each in mutations]
        self._waiting.extend(added)
        self._wanted.set()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for each in added:
                    await each.done.wait()
        except TimeoutError:
            _log.warning("the audit waits for the bus", waiting=len(self._waiting))

    async def run(self) -> None:
        """Send for ever (spawn it in the app)."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                first = self._waiting[0]
                try:
                    event = first.event
                    await self._publisher.publish(event.subject, event.payload, event.id)
                except Exception as error:
                    if not faults.is_away(error):
                        raise
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                    continue
                pause = _FIRST_PAUSE_SECONDS
                self._waiting.popleft()
                first.done.set()


def _event(mutation: Mutation) -> Event:
    recorded = events_pb2.MutationRecorded(
        organization=mutation.organization,
        entry=AuditEntry(
            actor=mutation.actor,
            actor_organization=mutation.actor_organization,
            action=mutation.verb,
            resource=mutation.resource,
            fields=mutation.fields,
            method=mutation.method,
            outcome=mutation.outcome,
            request_id=mutation.request_id,
        ),
    )
    recorded.time.FromDatetime(datetime.now(UTC))
    recorded.entry.time.CopyFrom(recorded.time)
    return Event(Event.of(recorded).subject, recorded.SerializeToString(), uuid.uuid4().hex)
