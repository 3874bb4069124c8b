"""What the market's figures and the search need of an open posting, and nothing that is hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.registry.domain import periods, search_words
from services.registry.domain.ledger import Balance
from services.registry.domain.market_view import Item, spread
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

NO_WORDS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """An offer, or a line of a demand; ticks that are free or open, by ordinal of the week.

    A line has all weeks of its window, also those to which an even spread gives nothing.
    ``weeks`` is empty, and ``open`` 0, where quantities are not public; ``standards`` are those
    that a line asks for, where that is public.
    """

    capability: str
    weeks: Mapping[int, int]
    open: int
    standards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """An open posting as anyone who is signed in may know it.

    ``organization`` tells whose it is, hidden or not: it only serves to leave out a reader's own
    and to count firms. ``price`` is per tick, of offers, where it is public.
    """

    name: str
    is_offer: bool
    organization: str
    posted: int
    mark: tuple[int, tuple[str, ...]]
    """Changes when the document does: its revision and places."""
    places: tuple[str, ...]
    parts: tuple[Part, ...]
    price: int | None
    identity_public: bool
    title: frozenset[str]
    description: frozenset[str]
    span: tuple[int, int] | None = None
    """The first and the last week that it speaks of, where quantities are public."""

    @property
    def region(self) -> str:
        """Where its organization is; "" when that is not known."""
        return self.places[-1] if self.places else ""

    def items(self, units: Mapping[str, str]) -> list[Item]:
        """Return its parts for the market view; ``units`` are the units' codes by capability."""
        return [
            Item(
                self.organization,
                part.capability,
                self.region,
                units.get(part.capability, ""),
                part.weeks,
            )
            for part in self.parts
        ]


def of_offer(offer: Offer, balances: Mapping[str, Balance], public: Sequence[str]) -> Part:
    """Return an offer as a part."""
    free = {periods.ordinal(week): each.open for week, each in balances.items() if each.open > 0}
    if "quantity" not in public:
        free = {}
    return Part(offer.capability, free, sum(free.values()))


def of_demand(
    demand: Demand, balances: Mapping[str, Balance], public: Sequence[str]
) -> tuple[Part, ...]:
    """Return the lines of a demand as parts."""
    parts = []
    for line in demand.lines:
        left = max(balances[line.id].open, 0) if "quantity" in public else 0
        first, last = periods.ordinal(line.window.earliest), periods.ordinal(line.window.latest)
        asked = line.requirements.standards if "requirements" in public else ()
        weeks = spread(left, first, last) if left else {}
        parts.append(Part(line.capability, weeks, left, frozenset(asked)))
    return tuple(parts)


def words(posting: Offer | Demand, public: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of the title and those of the description only, where they are public."""
    if "attributes" not in public:
        return NO_WORDS, NO_WORDS
    title = frozenset(search_words.words(posting.title))
    return title, frozenset(search_words.words(posting.description)) - title
