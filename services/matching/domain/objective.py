"""What a round maximises: the policy's weights as named terms of integers, in minor units.

All weights are thousandths. A weighted value is ``value * permille // 1000`` on magnitudes, so that
gains and costs are both rounded towards zero. The served value of a tick is its line's limit price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.matching.domain.pairs import Pairs
from services.matching.domain.tables import Tables
from services.matching.domain.transport import unit_transport
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Term

NAMES = (
    "surplus",
    "fill",
    "fairness",
    "locality",
    "partners",
    "credit",
    "preference",
    "priority",
    "change",
)


@dataclass(frozen=True, eq=False)
class Scope:
    """The rows of the tables that a market is made of; pairs refer to the tables' rows."""

    tables: Tables
    pairs: Pairs
    demands: IntArray
    """Rows of the demands, rising."""
    lines: IntArray
    """Rows of the lines, rising."""
    setup_offer: IntArray
    """Offer row of each (offer, demand) group."""

    @property
    def value(self) -> IntArray:
        """Served value per tick of each pair."""
        return self.tables.lines.limit_price[self.pairs.line]

    @property
    def demand(self) -> IntArray:
        """Demand row of each pair."""
        return self.tables.lines.demand[self.pairs.line]


def weighted(value: IntArray, permille: IntArray | int) -> IntArray:
    """A value times thousandths, rounded towards zero."""
    magnitude = np.abs(value) * permille // 1000
    return np.where(value < 0, -magnitude, magnitude).astype(np.int64)


def surplus(s: Scope) -> Term:
    """Value less price, transport and setup."""
    weight = s.tables.policy.surplus_permille
    cost = s.tables.offers.unit_price[s.pairs.offer] + s.pairs.unit_transport
    return Term.of(
        "surplus",
        per_tick=weighted(s.value - cost, weight),
        per_pair=-weighted(s.pairs.shipment, weight),
        per_setup=-weighted(s.tables.offers.setup_price[s.setup_offer], weight),
    )


def fill(s: Scope) -> Term:
    """A bonus for what is served, by value, and one per demand.

    A demand's bonus is shared equally by its lines; a line that may be served in part earns its
    share by the tick, of the whole quantity asked, rounded down.
    """
    policy, lines, demands = s.tables.policy, s.tables.lines, s.tables.demands
    per_tick = weighted(s.value, policy.fill_permille)
    owners = lines.demand[s.lines].tolist()
    count = np.array([len(demands.messages[row].lines) for row in owners], dtype=np.int64)
    share = policy.fill_per_demand // np.maximum(count, 1)
    messages = [lines.messages[row] for row in s.lines.tolist()]
    whole = np.array([not each.least_quantity for each in messages], dtype=np.bool_)
    asked = np.array([each.quantity for each in messages], dtype=np.int64)
    by_tick = np.where(whole, 0, share // np.maximum(asked, 1))
    position = np.searchsorted(s.lines, s.pairs.line)
    return Term.of(
        "fill", per_tick=per_tick + by_tick[position], per_line=np.where(whole, share, 0)
    )


def fairness(s: Scope) -> Term:
    """A bonus for organizations that have waited or won little, full at a need of 1000."""
    full = weighted(s.value, s.tables.policy.fairness_permille)
    return Term.of("fairness", per_tick=weighted(full, s.tables.demands.need[s.demand]))


def locality(s: Scope) -> Term:
    """A penalty for distance beyond what transport costs."""
    rate = np.full(len(s.pairs), s.tables.policy.locality_per_tick_1000km, dtype=np.int64)
    return Term.of("locality", per_tick=-unit_transport(rate, s.pairs.distance_km))


def partners(s: Scope) -> Term:
    """A penalty for each pair of partners."""
    penalty = s.tables.policy.partner_penalty
    return Term.of("partners", per_pair=np.full(len(s.pairs), -penalty, dtype=np.int64))


def credit(s: Scope) -> Term:
    """A bonus per grade of the offering organization above E."""
    offerer = s.tables.offers.organization[s.pairs.offer]
    grades = s.tables.organizations.grade[offerer]
    return Term.of("credit", per_tick=weighted(s.value, grades * s.tables.policy.credit_permille))


def preference(s: Scope) -> Term:
    """A bonus for a partner whom the demander prefers."""
    organizations, demands = s.tables.organizations, s.tables.demands.messages
    offerer = s.tables.offers.organization[s.pairs.offer]
    liked = np.zeros(len(s.pairs), dtype=np.bool_)
    by_demand = np.argsort(s.demand, kind="stable")
    ranges = np.searchsorted(s.demand[by_demand], [s.demands, s.demands + 1]).T.tolist()
    for row, (first, last) in zip(s.demands.tolist(), ranges, strict=True):
        if demands[row].preferred_organizations:
            found = [organizations.index.get(n, -1) for n in demands[row].preferred_organizations]
            own = by_demand[first:last]
            liked[own] = np.isin(offerer[own], found)
    bonus = weighted(s.value, s.tables.policy.preference_permille)
    return Term.of("preference", per_tick=np.where(liked, bonus, 0))


def priority(s: Scope) -> Term:
    """A bonus for the demand's priority class."""
    return Term.of("priority", per_tick=weighted(s.value, s.tables.demands.priority[s.demand]))


def change(s: Scope) -> Term:
    """A bonus for repeating a leg of an earlier, unanswered proposal: what not doing so costs."""
    repeat = s.tables.repeat
    ticks = np.zeros(len(s.pairs), dtype=np.int64)
    if repeat:
        keys = zip(s.pairs.offer.tolist(), s.pairs.line.tolist(), strict=True)
        ticks = np.array([repeat.get(key, 0) for key in keys], dtype=np.int64)
    return Term.of("change", per_pair=weighted(s.value * ticks, s.tables.policy.change_permille))


TERMS = (surplus, fill, fairness, locality, partners, credit, preference, priority, change)
"""In the order of `NAMES`."""


def terms(scope: Scope) -> list[Term]:
    """All terms of the objective."""
    return [term(scope) for term in TERMS]
