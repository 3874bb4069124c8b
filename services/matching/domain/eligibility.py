"""Which offers may serve which lines: one named rule per name of the market, in their order.

Each rule is a pure function of the `Candidates` and says per candidate whether it holds. What the
ten rules say about a candidate is kept whole, so that funnels can tell which rule alone stood in
the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.matching.domain.attributes import attribute_mask
from services.matching.domain.geo import distances_km, in_regions
from services.matching.domain.tables import Tables
from services.matching.domain.transport import shipment_transport, unit_transport
from services.matching.domain.vocabulary import BoolArray, IntArray, tabulated


@dataclass(frozen=True, eq=False)
class Candidates:
    """Offers by lines, as two columns of rows of the tables, and what follows for each pair."""

    tables: Tables
    offer: IntArray
    line: IntArray

    @cached_property
    def offerer(self) -> IntArray:
        """Organization of the offer."""
        return self.tables.offers.organization[self.offer]

    @cached_property
    def demand(self) -> IntArray:
        """Demand of the line."""
        return self.tables.lines.demand[self.line]

    @cached_property
    def demander(self) -> IntArray:
        """Organization of the demand."""
        return self.tables.demands.organization[self.demand]

    @cached_property
    def located(self) -> BoolArray:
        """Whether both sites are known."""
        place = self.tables.organizations.located
        known: BoolArray = place[self.offerer] & place[self.demander]
        return known

    @cached_property
    def distance_km(self) -> IntArray:
        """Distance of the two sites; 0 when one is not known."""
        of = self.tables.organizations
        first, second = self.offerer, self.demander
        km = distances_km(
            of.latitude[first], of.longitude[first], of.latitude[second], of.longitude[second]
        )
        return np.where(self.located, km, 0)

    @cached_property
    def unit_transport(self) -> IntArray:
        """Minor units per tick."""
        return unit_transport(self.tables.offers.per_tick_1000km[self.offer], self.distance_km)

    @cached_property
    def shipment(self) -> IntArray:
        """Minor units once per pair."""
        return shipment_transport(self.tables.offers.per_shipment_km[self.offer], self.distance_km)

    @cached_property
    def first(self) -> IntArray:
        """First period column in which the offer may serve the line."""
        earliest = self.tables.lines.earliest[self.line]
        return np.maximum(np.maximum(earliest, self.tables.offers.lead_time[self.offer]), 0)

    @cached_property
    def last(self) -> IntArray:
        """Last period column; before `first` when there is none."""
        latest = np.minimum(self.tables.lines.latest[self.line], self.tables.columns - 1)
        return np.maximum(latest, -1)

    def within(self, by_period: IntArray) -> IntArray:
        """Sum of a [offer, period column] table over each candidate's periods."""
        running = np.zeros((by_period.shape[0], by_period.shape[1] + 1), dtype=np.int64)
        np.cumsum(by_period, axis=1, out=running[:, 1:])
        end = np.maximum(self.last + 1, np.minimum(self.first, self.tables.columns))
        start = np.minimum(self.first, self.tables.columns)
        return running[self.offer, end] - running[self.offer, start]


def capability(c: Candidates) -> BoolArray:
    """The offer's capability is the line's or below it, and both count in the same unit."""
    codes, offers, lines = c.tables.words.codes.words, c.tables.offers, c.tables.lines

    def below(asked: int, offered: int) -> bool:
        return codes[offered] == codes[asked] or codes[offered].startswith(f"{codes[asked]}.")

    nested = tabulated(lines.code[c.line], offers.code[c.offer], below)
    same: BoolArray = nested & (lines.unit[c.line] == offers.unit[c.offer])
    return same


def attributes(c: Candidates) -> BoolArray:
    """All that the line asks of the capability's attributes is offered."""
    offers, offer_of = np.unique(c.offer, return_inverse=True)
    lines, line_of = np.unique(c.line, return_inverse=True)
    return attribute_mask(
        [c.tables.offers.messages[row] for row in offers.tolist()],
        [c.tables.lines.messages[row] for row in lines.tolist()],
        offer_of,
        line_of,
        c.tables.capabilities,
    )


def standards(c: Candidates) -> BoolArray:
    """Each side is certified to every standard that the other asks for."""
    lists, of = c.tables.words.standard_lists.words, c.tables.organizations.standards

    def certified(asked: int, held: int) -> bool:
        return set(lists[asked]) <= set(lists[held])

    by_line = tabulated(c.tables.lines.standards[c.line], of[c.offerer], certified)
    by_offer = tabulated(c.tables.offers.standards[c.offer], of[c.demander], certified)
    return by_line & by_offer


def region(c: Candidates) -> BoolArray:
    """Each side is in a region, and within the radius, that the other asks for.

    A radius cannot hold when the place of one side is not known.
    """
    words, of = c.tables.words, c.tables.organizations

    def lies_in(allowed: int, place: int) -> bool:
        return in_regions(words.regions.words[place], words.region_lists.words[allowed])

    offers, lines = c.tables.offers, c.tables.lines
    holds = tabulated(lines.regions[c.line], of.region[c.offerer], lies_in)
    holds &= tabulated(offers.regions[c.offer], of.region[c.demander], lies_in)
    for radius in (lines.radius[c.line], offers.radius[c.offer]):
        holds &= (radius == 0) | (c.located & (c.distance_km <= radius))
    return holds


def window(c: Candidates) -> BoolArray:
    """The offer has capacity, free or taken, in some period of the window after its lead time."""
    some: BoolArray = c.within(c.tables.offers.offered) > 0
    return some


def price(c: Candidates) -> BoolArray:
    """The offer's price plus transport per tick is within the line's limit."""
    asked = c.tables.offers.unit_price[c.offer] + c.unit_transport
    within: BoolArray = asked <= c.tables.lines.limit_price[c.line]
    return within


def credit(c: Candidates) -> BoolArray:
    """Each side's grade is at least what the other asks for."""
    grade = c.tables.organizations.grade
    by_line = grade[c.offerer] >= c.tables.lines.least_grade[c.line]
    by_offer: BoolArray = grade[c.demander] >= c.tables.offers.least_grade[c.offer]
    return by_line & by_offer


def exclusion(c: Candidates) -> BoolArray:
    """Neither side has excluded the other, and they are not the same organization."""
    names = c.tables.organizations.messages
    offers, demands = c.tables.offers.messages, c.tables.demands.messages

    def by_offer(offer: int, organization: int) -> bool:
        return names[organization].name in offers[offer].requirements.excluded_organizations

    def by_demand(demand: int, organization: int) -> bool:
        return names[organization].name in demands[demand].excluded_organizations

    holds: BoolArray = c.offerer != c.demander
    picky, at = np.unique(c.offer, return_inverse=True)
    strict = [bool(offers[row].requirements.excluded_organizations) for row in picky.tolist()]
    some = np.flatnonzero(np.array(strict, dtype=np.bool_)[at])
    holds[some] &= ~tabulated(c.offer[some], c.demander[some], by_offer)
    picky, at = np.unique(c.demand, return_inverse=True)
    strict = [bool(demands[row].excluded_organizations) for row in picky.tolist()]
    some = np.flatnonzero(np.array(strict, dtype=np.bool_)[at])
    holds[some] &= ~tabulated(c.demand[some], c.offerer[some], by_demand)
    return holds


def declined(c: Candidates) -> BoolArray:
    """The pair was not turned down before on the terms as they stand."""
    lines = len(c.tables.lines.messages)
    turned_down = [offer * lines + line for offer, line in sorted(c.tables.declined)]
    fresh: BoolArray = ~np.isin(c.offer * lines + c.line, turned_down)
    return fresh


def size(c: Candidates) -> BoolArray:
    """The minimum order is within the open quantity, and what is free reaches the least needed.

    A single partner must carry the line's least part alone; one of several its least share. Where
    the window leaves no period at all there is nothing to measure, and `window` alone says so.
    """
    lines, minimum = c.tables.lines, c.tables.offers.minimum_order[c.offer]
    alone = np.where(lines.max_partners[c.line] == 1, lines.least[c.line], 0)
    needed = np.maximum(np.maximum(minimum, lines.least_share[c.line]), np.maximum(alone, 1))
    within = minimum <= lines.quantity[c.line]
    reached: BoolArray = c.within(c.tables.offers.free) >= needed
    return within & (reached | ~window(c))


Rule = Callable[[Candidates], BoolArray]

RULES: tuple[Rule, ...] = (
    capability,
    attributes,
    standards,
    region,
    window,
    price,
    credit,
    exclusion,
    declined,
    size,
)
"""In the order in which a funnel counts them."""

NAMES: tuple[str, ...] = tuple(rule.__name__ for rule in RULES)


def verdicts(c: Candidates) -> BoolArray:
    """What each rule says about each candidate: [rule, candidate], true where it holds."""
    return np.stack([rule(c) for rule in RULES])
