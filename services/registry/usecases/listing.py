"""Reading postings: one by name or alias, or pages of them by a filter, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from services.chassis import names, paging
from services.chassis.aggregates import Document
from services.registry.domain import periods, refusals, search_words
from services.registry.domain.faults import Fault, refusal
from services.registry.domain.terms import ORGANIZATION
from services.registry.posting_documents import UNDISCLOSED
from services.registry.store.postings import Postings as Store
from services.registry.store.postings import Selection
from services.registry.usecases.kinds import Kind, M
from services.registry.usecases.viewing import Viewer
from spareline.market.v1.demand_pb2 import Demand
from spareline.registry.v1 import registry_service_pb2 as api

ANY = "organizations/-"
PAGE = 50
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
    store: Store

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
        bound = paging.bound_to(request)
        before = int(paging.decode(request.page_token, bound).get("before", 0))
        size = request.page_size or PAGE
        own = viewer.privileged or (request.parent != ANY and await viewer.acts_for(request.parent))
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
        return Page(shown, paging.encode({"before": before}, bound))

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
                Fault("parent", "it names no organization", f"Write it as {ORGANIZATION}")
            )
        known = kind.message.State.keys()[1:]  # all but the one that is not set
        for index, state in enumerate(filter_.states):
            if state not in known:
                field = f"filter.states[{index}]"
                faults.append(Fault(field, f"{state} is no state", f"Use: {', '.join(known)}"))
        period = None
        if filter_.period:
            if periods.exists(filter_.period):
                period = periods.ordinal(filter_.period)
            else:
                mend = "Give an ISO week such as 2026-W48"
                faults.append(Fault("filter.period", f"{filter_.period} is no week", mend))
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
        if not own:
            conditions |= self._without_probing()
        keys = [f"w:{word}" for word in self.words]
        keys += [f"c:{self.capability}"] if self.capability else []
        steps = self.served_by.split(".") if self.served_by else []
        lines = [f"l:{'.'.join(steps[: i + 1])}" for i in range(len(steps))]
        return Selection("" if parent == ANY else parent, keys, conditions, lines)

    def _without_probing(self) -> Mapping[str, Any]:
        """Keep strangers from learning by filters what they may not read."""
        hidden = []
        if self.words:
            hidden.append("attributes")
        if self.period is not None:
            hidden.append("quantity")
        if len(hidden) == 1:
            return {"public": hidden[0]}
        return {"public": {"$all": hidden}} if hidden else {}

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
