"""What is offered and wanted of a capability, and what firms ask for it: counts and quartiles.

Only what is public goes in, and a band needs LEAST_FIRMS firms other than the reader's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.taxonomy_model import Capability

LEAST_FIRMS = 5


@dataclass(frozen=True, slots=True)
class Offered:
    """An open offer: whose, of what, and its price per tick where that is public."""

    organization: str
    capability: str
    price: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An open demand: whose, of what, and the country and region of its organization."""

    organization: str
    capabilities: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """The quartiles of what so many firms ask, in minor units per tick."""

    capability: str
    firms: int
    lower: int
    median: int
    upper: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The market of a capability, without the reader's own postings."""

    offers: int
    demands: int
    in_country: int
    in_region: int
    asked: Band | None


@dataclass(slots=True)
class Snapshot:
    """All open postings at one moment, by capability."""

    offers: dict[str, list[Offered]] = field(default_factory=dict)
    demands: dict[str, list[Wanted]] = field(default_factory=dict)

    def add_offer(self, offered: Offered) -> None:
        """Count an offer."""
        self.offers.setdefault(offered.capability, []).append(offered)

    def add_demand(self, wanted: Wanted) -> None:
        """Count a demand, once for each capability that it asks for."""
        for code in dict.fromkeys(wanted.capabilities):
            self.demands.setdefault(code, []).append(wanted)

    def summary(self, capability: Capability, taxonomy: Taxonomy, own: str, region: str) -> Summary:
        """Return what others offer and want; ``region`` is the reader's, "" for none."""
        offers = list(self._offers(capability, taxonomy, own))
        demands = self._demands(capability, taxonomy, own)
        country = region.partition("-")[0]
        return Summary(
            len(offers),
            len(demands),
            sum(bool(country) and country in each.places for each in demands),
            sum(bool(region) and region in each.places for each in demands),
            self._asked(capability, taxonomy, own),
        )

    def _offers(self, capability: Capability, taxonomy: Taxonomy, own: str) -> Iterable[Offered]:
        for code, offers in self.offers.items():
            if taxonomy.answers(code, capability.code):
                yield from (each for each in offers if each.organization != own)

    def _demands(self, capability: Capability, taxonomy: Taxonomy, own: str) -> list[Wanted]:
        found: dict[int, Wanted] = {}
        for code, demands in self.demands.items():
            if taxonomy.answers(capability.code, code):
                found.update((id(each), each) for each in demands if each.organization != own)
        return list(found.values())

    def _asked(self, capability: Capability, taxonomy: Taxonomy, own: str) -> Band | None:
        """Return the band of the capability, or of the nearest wider one that has enough firms."""
        wider = [each for each in taxonomy.ancestors(capability.code) if each.parent]
        for each in [capability, *reversed(wider)]:
            if each.unit != capability.unit:
                return None
            prices = _by_firm(self._offers(each, taxonomy, own))
            if len(prices) >= LEAST_FIRMS:
                quarter, half, three = (_quantile(prices, n, 4) for n in (1, 2, 3))
                return Band(each.code, len(prices), quarter, half, three)
        return None


def _by_firm(offers: Iterable[Offered]) -> list[int]:
    """Return the median price of every firm, in order: many offers give nobody more weight."""
    prices: dict[str, list[int]] = {}
    for each in offers:
        if each.price is not None:
            prices.setdefault(each.organization, []).append(each.price)
    return sorted(_quantile(sorted(found), 1, 2) for found in prices.values())


def _quantile(ordered: Sequence[int], part: int, parts: int) -> int:
    """Return the quantile by linear interpolation (type 7 of Hyndman and Fan 1996), rounded."""
    place, rest = divmod((len(ordered) - 1) * part, parts)
    if rest == 0:
        return ordered[place]
    low, high = ordered[place], ordered[place + 1]
    return low + ((high - low) * rest + parts // 2) // parts
