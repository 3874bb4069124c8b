"""Following proposals: one reader of the stream per process, any number of watchers.

A resume token names the place in the stream up to which its holder has seen everything, and the
time of the last change seen. Where the place is too old to be remembered here, the store is read
from that time on: so nothing is missed, and little is sent twice.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.chassis import logs, paging
from services.matching import metrics
from services.matching.domain.proposals import UNSEEN
from services.matching.store.proposals import Proposals, Stored
from services.matching.usecases.answers import Answers
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import matching_service_pb2 as pb

REMEMBERED = 20_000
HEARTBEAT_SECONDS = 15.0
# Clocks of two copies may differ, and a write may become visible after a later one.
OVERLAP_MS = 30_000
_QUEUE = 1_000
_SENT_KEPT = 2_000

_log = logs.get_logger("watch")


@dataclass(frozen=True, slots=True)
class _Change:
    sequence: int
    name: str
    parties: tuple[str, ...]


class _Watcher:
    """One stream: what still waits to be sent on it."""

    def __init__(self, party: str) -> None:
        self.party = party
        self.queue: deque[tuple[int, Stored]] = deque()
        self.more = asyncio.Event()
        self.overflowed = False

    def wants(self, change: _Change) -> bool:
        return not self.party or self.party in change.parties

    def put(self, sequence: int, stored: Stored) -> None:
        if len(self.queue) >= _QUEUE:
            self.overflowed = True  # too slow: it goes on from its token
        else:
            self.queue.append((sequence, stored))
        self.more.set()


class Feed:
    """What happened to proposals of late, and who wants to know."""

    def __init__(self, store: Proposals) -> None:
        self._store = store
        self._changes: deque[_Change] = deque(maxlen=REMEMBERED)
        self._watchers: set[_Watcher] = set()
        self.floor = 0  # every change after this place is remembered
        self.head = 0

    async def seen(self, events: Sequence[tuple[int, str, bytes]]) -> None:
        """Take in events of proposals, in the order of the stream."""
        changes = [_change(sequence, payload) for sequence, _, payload in events]
        if changes and changes[0].sequence <= self.head:
            self._changes.clear()  # the stream began anew: old places mean nothing
            self.floor = changes[0].sequence - 1
        elif not self.head and changes:
            self.floor = changes[0].sequence - 1
        wanted = {c.name for c in changes if any(w.wants(c) for w in self._watchers)}
        found = await self._store.get_many(sorted(wanted)) if wanted else {}
        for change in changes:
            if len(self._changes) == REMEMBERED:
                self.floor = self._changes[0].sequence
            self._changes.append(change)
            for watcher in self._watchers:
                if change.name in found and watcher.wants(change):
                    watcher.put(change.sequence, found[change.name])
            self.head = change.sequence

    def join(self, party: str) -> _Watcher:
        """Add a watcher."""
        watcher = _Watcher(party)
        self._watchers.add(watcher)
        metrics.WATCHERS.set(len(self._watchers))
        return watcher

    def leave(self, watcher: _Watcher) -> None:
        """Forget a watcher."""
        self._watchers.discard(watcher)
        metrics.WATCHERS.set(len(self._watchers))

    def since(self, sequence: int, party: str) -> list[_Change] | None:
        """Return the changes after a place, or None when they are not remembered here."""
        if sequence < self.floor or sequence > self.head or not sequence:
            return None
        return [
            change
            for change in self._changes
            if change.sequence > sequence and (not party or party in change.parties)
        ]


class Watch:
    """Streams of what changes for a party."""

    def __init__(
        self,
        feed: Feed,
        store: Proposals,
        answers: Answers,
        stopping: asyncio.Event,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._feed = feed
        self._store = store
        self._answers = answers
        self._stopping = stopping
        self._heartbeat = heartbeat_seconds

    async def follow(
        self, request: pb.WatchProposalsRequest, *, operator: bool = False
    ) -> AsyncIterator[pb.WatchProposalsResponse]:
        """Yield what changed after the token (everything, without one), then each change.

        Raises InvalidArgument (PAGE_TOKEN_INVALID) for a token of another party.
        """
        bound = f"watch:{request.party}"
        place = paging.decode(request.resume_token, bound)
        sequence, time_ms = int(place.get("s", 0)), int(place.get("m", 0))
        while not self._stopping.is_set():
            stream = _Stream(request.party, bound, sequence, time_ms, operator)
            watcher = self._feed.join(request.party)
            try:
                async for stored in self._missed(watcher, stream):
                    if (answer := self._answer(stored, stream)) is not None:
                        yield answer
                yield stream.heartbeat()
                async for answer in self._live(watcher, stream):
                    yield answer
            finally:
                self._feed.leave(watcher)
            sequence, time_ms = stream.sequence, stream.time_ms

    async def _missed(self, watcher: _Watcher, stream: "_Stream") -> AsyncIterator[Stored]:
        head = self._feed.head
        changes = self._feed.since(stream.sequence, stream.party)
        if changes is None:
            stream.sequence = 0  # until all of it is sent, a token must lead back to the store
            since = max(0, stream.time_ms - OVERLAP_MS)
            async for stored in self._store.changed_since(watcher.party, since):
                yield stored
        else:
            found = await self._store.get_many(sorted({change.name for change in changes}))
            for change in changes:
                if change.name in found:
                    yield found[change.name]
                    stream.sequence = change.sequence
        stream.sequence = max(stream.sequence, head)

    async def _live(
        self, watcher: _Watcher, stream: "_Stream"
    ) -> AsyncIterator[pb.WatchProposalsResponse]:
        while not self._stopping.is_set() and not watcher.overflowed:
            while watcher.queue:
                sequence, stored = watcher.queue.popleft()
                stream.sequence = max(stream.sequence, sequence)
                if (answer := self._answer(stored, stream)) is not None:
                    yield answer
            watcher.more.clear()
            if not await self._wait(watcher.more):
                if not watcher.queue:
                    stream.sequence = max(stream.sequence, self._feed.head)
                yield stream.heartbeat()

    async def _wait(self, more: asyncio.Event) -> bool:
        """Wait for more, the end, or the time of a heartbeat (which is False)."""
        waits = [asyncio.ensure_future(more.wait()), asyncio.ensure_future(self._stopping.wait())]
        try:
            done, _ = await asyncio.wait(
                waits, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()
        return bool(done)

    def _answer(self, stored: Stored, stream: "_Stream") -> pb.WatchProposalsResponse | None:
        proposal = stored.proposal
        if stream.party and proposal.state in UNSEEN:
            return None
        if not stream.is_news(stored.name, proposal.generation):
            return None
        stream.time_ms = max(stream.time_ms, proposal.update_time.ToMilliseconds())
        seen = self._answers.view(stored, stream.party, operator=stream.operator)
        return pb.WatchProposalsResponse(proposal=seen, resume_token=stream.token())


class _Stream:
    """How far one watcher has got."""

    def __init__(self, party: str, bound: str, sequence: int, time_ms: int, operator: bool) -> None:
        self.operator = operator
        self.party = party
        self.sequence = sequence
        self.time_ms = time_ms
        self._bound = bound
        self._sent: OrderedDict[str, int] = OrderedDict()

    def is_news(self, name: str, generation: int) -> bool:
        """Note what is sent; False when it, or something newer, was sent already."""
        if self._sent.get(name, -1) >= generation:
            return False
        self._sent[name] = generation
        self._sent.move_to_end(name)
        if len(self._sent) > _SENT_KEPT:
            self._sent.popitem(last=False)
        return True

    def token(self) -> str:
        """Return the token of the place reached."""
        return paging.encode({"s": self.sequence, "m": self.time_ms}, self._bound)

    def heartbeat(self) -> pb.WatchProposalsResponse:
        """Return an answer that carries only the token."""
        return pb.WatchProposalsResponse(resume_token=self.token())


def _change(sequence: int, payload: bytes) -> _Change:
    # Every event of a proposal has it as its first field, so any of their types reads it.
    proposal = events_pb2.ProposalProposed.FromString(payload).proposal
    parties = tuple(party.organization for party in proposal.parties)
    return _Change(sequence, proposal.name, parties)
