"""The taxonomy in use: the files, and what operators have adopted while the market runs."""

import asyncio
from collections.abc import Iterable, Sequence

from services.chassis import logs
from services.registry import convert_taxonomy
from services.registry.domain import meaning, refusals
from services.registry.domain.taxonomy import Hit, Taxonomy, TaxonomyError
from services.registry.store.capabilities import Capabilities
from services.registry.store.taxonomy import TaxonomyVersions
from services.registry.usecases.meanings import Meanings
from spareline.market.v1.capability_pb2 import Capability
from spareline.registry.v1.taxonomy_service_pb2 import TaxonomyVersion

COLLECTION = "capabilities/"
FOLLOW_SECONDS = 5.0


class LiveTaxonomy:
    """The taxonomy of this copy of the service; it follows what other copies adopt."""

    def __init__(
        self,
        files: Taxonomy,
        store: Capabilities,
        versions: TaxonomyVersions,
        meanings: Meanings | None = None,
    ) -> None:
        """``store`` holds what was added before there were versions; it comes first.

        With ``meanings`` a search finds what no name or synonym is near, too.
        """
        self.current = files
        self.version = 0
        self._store = store
        self._versions = versions
        self._meanings = meanings
        self._seen = 0
        self._refreshing = asyncio.Lock()
        self._log = logs.get_logger("taxonomy")

    async def refresh(self) -> None:
        """Take over what was adopted since the last time."""
        async with self._refreshing:
            if self.version == 0:
                for document in await self._store.after(self._seen):
                    self._take([Capability.FromString(document["body"])])
                    self._seen = max(self._seen, int(document["number"]))
            for document in await self._versions.after(self.version):
                self._take(TaxonomyVersion.FromString(document["body"]).edits)
                self.version = int(document["number"])

    def _take(self, edits: Iterable[Capability]) -> None:
        changes = {each.code: convert_taxonomy.node(each) for each in edits}
        try:
            self.current = self.current.extended(changes)
        except TaxonomyError as error:
            # A newer file may contradict an older change; then the file holds.
            self._log.error("change does not fit", codes=list(changes), problems=error.problems)

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

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        """Return the capabilities that fit words best, best first; none that is deprecated."""
        hits = await self.hits(query, limit)
        return [hit for hit in hits if not hit.capability.deprecated]

    async def hits(self, text: str, limit: int) -> Sequence[Hit]:
        """Return what words find, and where that is not sure, what they mean; best first."""
        taxonomy = self.current
        found = taxonomy.search(text, limit=limit)
        if self._meanings is None or meaning.is_sure(found):
            return found
        near = await self._meanings.nearness(text)
        return found if near is None else meaning.joined(found, near, taxonomy, text, limit)
