"""Reading postings: one by name or alias, or pages of them by a filter, newest first."""

from dataclasses import dataclass
from typing import Any, Generic

from services.chassis import names, paging
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.registry.domain import periods, refusals, search_words
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.posting_search import Shelf
from services.registry.domain.terms import ORGANIZATION
from services.registry.posting_documents import UNDISCLOSED
from services.registry.store.postings import Postings as Store
from services.registry.store.postings import Selection
from services.registry.usecases.kinds import Kind, M
from services.registry.usecases.open_postings import OpenPostings, Side
from services.registry.usecases.viewing import Viewer
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.registry.v1 import registry_service_pb2 as api

ANY = "organizations/-"
MOST_READ = 4000
"""Documents that one call looks at, at most; a page may then be short, or even empty."""


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """A page of postings, and the token for the next one (empty at the end)."""

    postings: list[M]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[M]):
    """Reads one kind of posting for a viewer."""

    kind: Kind[M]
    postings: OpenPostings
    side: Side

    @property
    def store(self) -> Store:
        """Where the postings are."""
        return self.side.store

    async def get(self, name: str, viewer: Viewer) -> M:
        """Return a posting as the viewer may see it.

        Raises NotFound when there is none, or when the viewer may not know whose it is and
        yet asks by its full name: an answer would give away what is hidden.
        """
        names.parse(self.kind.pattern, name)
        if name.startswith(f"{UNDISCLOSED}/"):
            document = await self.store.by_alias(name.rpartition("/")[2])
            known = True
        else:
            document = await self.store.get(name)
            known = document is not None and await viewer.may_know_owner(self.kind, document)
        if document is None or not known:
            raise refusals.not_found(name)
        return await viewer.see(self.kind, document)

    async def page(
        self, request: api.ListOffersRequest | api.ListDemandsRequest, viewer: Viewer
    ) -> Page[M]:
        """Return a page. Raises InvalidArgument naming what is wrong with the filter."""
        wanted = _Wanted.of(self.kind, request)
        asked = paging.Page.of(request)
        before, size = int(asked.start.get("before", 0)), asked.size
        own = viewer.privileged or (request.parent != ANY and await viewer.acts_for(request.parent))
        if request.parent == ANY and wanted.in_memory(own):
            return await self._open(wanted, asked, own, viewer)
        selection = wanted.selection(request.parent, own)
        shown: list[M] = []
        read = 0
        while len(shown) < size and read < MOST_READ:
            step = size - len(shown)
            documents = await self.store.page(selection, before, step)
            read += max(len(documents), 1)
            for document in documents:
                before = document["posted"]
                if await self._shows(document, wanted, request.parent, own, viewer):
                    shown.append(await viewer.see(self.kind, document))
            if len(documents) < step:
                return Page(shown, "")
        return Page(shown, asked.following(before=before))

    async def _open(
        self, wanted: "_Wanted", asked: paging.Page, own: bool, viewer: Viewer
    ) -> Page[M]:
        """Return a page of the open postings of all: found in memory, read anew by name."""
        before, size = int(asked.start.get("before", 0)), asked.size
        await self.postings.current()
        wants_open = not wanted.states or "STATE_OPEN" in wanted.states
        found = self.side.index.listed(wanted.shelf(), before) if wants_open else []
        shown: list[M] = []
        read = 0
        while read < min(len(found), MOST_READ) and len(shown) < size:
            some = found[read : read + size - len(shown)]
            documents = await self.store.get_many([entry.name for entry in some])
            # Whether the viewer acts for them takes each owner's record: better all in one reading.
            await self.postings.find([each["organization"] for each in documents.values()])
            for entry in some:
                document = documents.get(entry.name)
                if document is None or not wanted.open_and_asked_for(document, own):
                    continue
                if wanted.fits(self.kind.content(document)):
                    shown.append(await viewer.see(self.kind, document))
            read += len(some)
        if read == len(found):
            return Page(shown, "")
        return Page(shown, asked.following(before=found[read - 1].posted))

    async def _shows(
        self, document: Document, wanted: "_Wanted", parent: str, own: bool, viewer: Viewer
    ) -> bool:
        if not wanted.fits(self.kind.content(document)):
            return False
        if own or parent == ANY:
            return True
        # Listed under its organization it would give away whose it is.
        return await viewer.may_know_owner(self.kind, document)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A filter that was read and found in order."""

    capability: str
    region: str
    words: tuple[str, ...]
    states: tuple[str, ...]
    period: int | None
    served_by: str

    @classmethod
    def of(
        cls, kind: Kind[M], request: api.ListOffersRequest | api.ListDemandsRequest
    ) -> "_Wanted":
        filter_ = request.filter
        faults = []
        if request.parent != ANY and not names.matches(ORGANIZATION, request.parent):
            faults.append(
                Fault("parent", said(cause_pb2.CAUSE_NOT_AN_ORGANIZATION, name=request.parent))
            )
        known = kind.message.State.keys()[1:]  # all but the one that is not set
        for index, state in enumerate(filter_.states):
            if state not in known:
                field = f"filter.states[{index}]"
                faults.append(
                    Fault(
                        field,
                        said(cause_pb2.CAUSE_NO_SUCH_STATE, state=state, known=", ".join(known)),
                    )
                )
        period = None
        if filter_.period:
            if periods.exists(filter_.period):
                period = periods.ordinal(filter_.period)
            else:
                faults.append(
                    Fault("filter.period", said(cause_pb2.CAUSE_NOT_A_WEEK, period=filter_.period))
                )
        if faults:
            raise refusal(faults)
        return cls(
            filter_.capability,
            filter_.region,
            tuple(search_words.words(filter_.text)),
            tuple(filter_.states),
            period,
            filter_.served_by,
        )

    def in_memory(self, own: bool) -> bool:
        """Tell whether what is asked for is open and public, so that memory knows all of it."""
        return not own or (self.states == ("STATE_OPEN",) and not self._probed())

    def shelf(self) -> Shelf:
        """Return where to look in memory."""
        return Shelf(self.words, self.capability, self.region, self.served_by, self.period)

    def selection(self, parent: str, own: bool) -> Selection:
        """Return what to ask the store for."""
        conditions: dict[str, Any] = {}
        if self.states or not own:
            states = [s for s in self.states or ("STATE_OPEN",) if own or s == "STATE_OPEN"]
            conditions["state"] = states[0] if len(states) == 1 else {"$in": states}
        if self.region:
            conditions["places"] = self.region
        if self.period is not None:
            conditions["first_period"] = {"$lte": self.period}
            conditions["last_period"] = {"$gte": self.period}
        if not own and (probed := self._probed()):
            conditions["public"] = probed[0] if len(probed) == 1 else {"$all": probed}
        keys, lines = self._keys(), self._lines()
        return Selection("" if parent == ANY else parent, keys, conditions, lines)

    def open_and_asked_for(self, document: Document, own: bool) -> bool:
        """Compare a document that may have changed since memory knew it, but for the week."""
        return (
            document["state"] == "STATE_OPEN"
            and (not self.region or self.region in document["places"])
            and (own or set(self._probed()) <= set(document["public"]))
            and set(self._keys()) <= set(document["keys"])
            and (not self.served_by or not set(document["keys"]).isdisjoint(self._lines()))
        )

    def _keys(self) -> list[str]:
        keys = [f"w:{word}" for word in self.words]
        return keys + ([f"c:{self.capability}"] if self.capability else [])

    def _lines(self) -> list[str]:
        steps = self.served_by.split(".") if self.served_by else []
        return [f"l:{'.'.join(steps[: i + 1])}" for i in range(len(steps))]

    def _probed(self) -> list[str]:
        """Return what must be public, lest strangers learn by filters what they may not read."""
        probed = ["attributes"] if self.words else []
        return probed + (["quantity"] if self.period is not None else [])

    def fits(self, content: Any) -> bool:
        """Compare the period, which the store knows only from the first to the last."""
        if self.period is None:
            return True
        if isinstance(content, Demand):
            return any(
                periods.ordinal(line.window.earliest)
                <= self.period
                <= periods.ordinal(line.window.latest)
                for line in content.lines
            )
        return any(
            each.quantity and periods.ordinal(each.period) == self.period
            for each in content.capacity
        )
