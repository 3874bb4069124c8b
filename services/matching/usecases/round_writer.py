"""Changing a round's document while others (a request to cancel it) change it too."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from services.chassis.causes import said
from services.chassis.errors import Aborted
from services.matching.store.rounds import Rounds, StoredRound
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.matching.v1 import round_pb2

_ATTEMPTS = 12

Change = Callable[[round_pb2.Round], None]


class Cancelled(Exception):  # noqa: N818
    """Somebody asked to stop the round, in time."""


class RoundWriter:
    """Writes one round for the process that runs it."""

    def __init__(self, store: Rounds, stored: StoredRound, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._one_at_a_time = asyncio.Lock()
        self.stored = stored

    @property
    def round(self) -> round_pb2.Round:
        """The round as last written or read."""
        return self.stored.round

    async def write(
        self,
        change: Change,
        *,
        event: Callable[[round_pb2.Round], Sequence[Message]] = lambda _: (),
        unless_cancelled: bool = False,
        **more: Any,
    ) -> None:
        """Change the round and further fields of its document, whatever else changes meanwhile.

        Raises Cancelled (with ``unless_cancelled``) when it was asked to stop, and Aborted
        (ROUND_STATE) when another process has taken it over.
        """
        async with self._one_at_a_time:
            for _ in range(_ATTEMPTS):
                if self.stored.owner != self._owner:
                    raise Aborted(
                        reason_pb2.REASON_ROUND_STATE, said(cause_pb2.CAUSE_ROUND_TAKEN_OVER)
                    )
                if unless_cancelled and self.stored.cancelled:
                    raise Cancelled
                changed = round_pb2.Round()
                changed.CopyFrom(self.stored.round)
                change(changed)
                done = await self._store.save(self.stored, changed, event(changed), **more)
                await self.refresh()
                if done:
                    return
            raise Aborted(reason_pb2.REASON_CONFLICT, said(cause_pb2.CAUSE_OTHERS_WERE_FASTER))

    async def refresh(self) -> StoredRound:
        """Read the round again."""
        found = await self._store.get(self.stored.name)
        if found is not None:
            self.stored = found
        return self.stored
