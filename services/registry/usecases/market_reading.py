"""The open postings in memory: read whole once, and from then on only what has changed."""

from collections.abc import Callable, Sequence

from services.chassis.aggregates import Document
from services.registry import convert
from services.registry.domain import market_entries
from services.registry.domain.market_entries import Entry
from services.registry.store.postings import Postings
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

_AT_ONCE = 100  # postings that are taken in before other calls get a turn
_OPEN = {"state": "STATE_OPEN"}
_MARK = ("revision", "places")


class Side:
    """The open offers, or the open demands, by name."""

    def __init__(self, store: Postings, entry: Callable[[Document], Entry]) -> None:
        self.entries: dict[str, Entry] = {}
        self._store = store
        self._entry = entry

    async def read(self) -> tuple[list[Entry], list[Entry]]:
        """Take in what has changed; return the entries that are gone, and those that are new.

        An entry that has changed is in both.
        """
        marks = {
            document["_id"]: mark(document) async for document in self._store.each(_OPEN, _MARK)
        }
        known = {name: each.mark for name, each in self.entries.items()}
        changed = [name for name, each in marks.items() if known.get(name) != each]
        gone = [self.entries.pop(name) for name in known if known[name] != marks.get(name)]
        fresh: list[Entry] = []
        for start in range(0, len(changed), _AT_ONCE):
            documents = await self._store.get_many(changed[start : start + _AT_ONCE])
            fresh += [self._entry(d) for d in documents.values() if d["state"] == "STATE_OPEN"]
        self.entries.update({each.name: each for each in fresh})
        return gone, fresh


def mark(document: Document) -> tuple[int, tuple[str, ...]]:
    """Return what changes whenever an entry may."""
    return document["revision"], tuple(document["places"])


def offer_entry(document: Document) -> Entry:
    """Return the entry of an offer's document."""
    offer = Offer.FromString(document["body"])
    public = document["public"]
    balances = convert.offer_account(document, offer).balances()
    price = offer.unit_price if "price" in public else None
    parts = (market_entries.of_offer(offer, balances, public),)
    return _entry(document, offer, parts, price, public)


def demand_entry(document: Document) -> Entry:
    """Return the entry of a demand's document."""
    demand = Demand.FromString(document["body"])
    public = document["public"]
    balances = convert.demand_account(document, demand).balances()
    return _entry(
        document, demand, market_entries.of_demand(demand, balances, public), None, public
    )


def _entry(
    document: Document,
    posting: Offer | Demand,
    parts: tuple[market_entries.Part, ...],
    price: int | None,
    public: Sequence[str],
) -> Entry:
    title, description = market_entries.words(posting, public)
    return Entry(
        document["_id"],
        isinstance(posting, Offer),
        document["organization"],
        document["posted"],
        mark(document),
        tuple(document["places"]),
        parts,
        price,
        "identity" in public,
        title,
        description,
    )
