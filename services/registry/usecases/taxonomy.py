"""The taxonomy in use: the files, and what operators have added while the market runs."""

import asyncio
from collections.abc import Iterable, Sequence

from services.chassis import logs
from services.chassis.aggregates import Event, New
from services.chassis.errors import AlreadyExists
from services.registry import convert_taxonomy
from services.registry.domain import refusals
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.instants import Clock, now_ms, timestamp
from services.registry.domain.taxonomy import Taxonomy, TaxonomyError
from services.registry.store.capabilities import Capabilities
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import reason_pb2
from spareline.events.v1 import events_pb2
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1 import registry_service_pb2 as api

COLLECTION = "capabilities/"
FOLLOW_SECONDS = 5.0


class LiveTaxonomy:
    """The taxonomy of this copy of the service; it follows what other copies add."""

    def __init__(self, files: Taxonomy, store: Capabilities, clock: Clock = now_ms) -> None:
        self.current = files
        self._store = store
        self._clock = clock
        self._seen = 0
        self._log = logs.get_logger("taxonomy")

    async def refresh(self) -> None:
        """Take over what was added since the last time."""
        for document in await self._store.after(self._seen):
            added = Capability.FromString(document["body"])
            try:
                self.current = self.current.extended({added.code: convert_taxonomy.node(added)})
            except TaxonomyError as error:
                # A newer file may contradict an older addition; then the file holds.
                self._log.error("addition does not fit", code=added.code, problems=error.problems)
            self._seen = max(self._seen, int(document["number"]))

    async def follow(self) -> None:
        """Refresh for ever (spawn it in the app)."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            await self.refresh()

    async def knowing(self, codes: Iterable[str]) -> Taxonomy:
        """Return the taxonomy, refreshed first if one of the codes is not known here yet."""
        if not all(code in self.current for code in codes):
            await self.refresh()
        return self.current

    async def get(self, name: str) -> Capability:
        """Return a capability by its resource name. Raises NotFound."""
        code = name.removeprefix(COLLECTION)
        found = (await self.knowing([code])).get(code)
        if found is None:
            raise refusals.not_found(name)
        return convert_taxonomy.capability(found)

    def below(self, code: str) -> list[Capability]:
        """Return the capabilities below a code (all for the empty one), in order of codes."""
        return [
            convert_taxonomy.capability(each)
            for each in sorted(self.current, key=lambda each: each.code)
            if not code or each.code.startswith(f"{code}.")
        ]

    def search(self, query: str, limit: int) -> Sequence[Capability]:
        """Return the capabilities that fit words best, best first."""
        hits = self.current.search(query, limit=limit)
        return [convert_taxonomy.capability(hit.capability) for hit in hits]

    async def create(self, request: api.CreateCapabilityRequest) -> Capability:
        """Add a capability, for this copy at once and for the others soon.

        Raises InvalidArgument naming what does not fit, AlreadyExists.
        """
        replay = Replay.of(request)
        wanted = Capability()
        wanted.CopyFrom(request.capability)
        wanted.name = COLLECTION + wanted.code
        stored = replay.stored(await self._store.get(wanted.name), Capability)
        if stored is not None:
            return stored
        await self.refresh()
        if wanted.code in self.current:
            raise AlreadyExists(
                reason_pb2.REASON_ALREADY_EXISTS, f"{wanted.code} is in the taxonomy already"
            )
        added = self._resolved(wanted)
        now = self._clock()
        event = Event.of(events_pb2.CapabilityExtended(capability=added, time=timestamp(now)))
        document = {
            "_id": wanted.name,
            "number": await self._store.numbers.take(),
            "body": wanted.SerializeToString(),
            "create_ms": now,
        }
        [inserted] = await self._store.insert_many([New(document, [event], replay.answer(added))])
        if not inserted:  # another copy was faster, perhaps with this very request
            return replay.stored(await self._store.get(wanted.name), Capability) or added
        await self.refresh()
        return added

    def _resolved(self, wanted: Capability) -> Capability:
        try:
            wider = self.current.extended({wanted.code: convert_taxonomy.node(wanted)})
        except TaxonomyError as error:
            raise refusal([_fault(wanted.code, problem) for problem in error.problems]) from None
        found = wider.get(wanted.code)
        assert found is not None
        return convert_taxonomy.capability(found)


def _fault(code: str, problem: str) -> Fault:
    """Read "code: path: what" as a fault of a field of the request."""
    path, _, what = problem.removeprefix(f"{code}: ").rpartition(": ")
    field = ".".join(part for part in ("capability", path.replace(": ", ".")) if part)
    return Fault(field, what or problem, "Change it so that it fits the tree above it")
