"""Checking an answer without trusting the solver: feasibility and bound from the market alone.

This module shares no code with the solver, its constraints or its certificate: it reads the
market's arrays, counts with Python's own integers, and names the first thing that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.proof import proven_bound
from services.matching.engine.result import Certificate
from services.matching.engine.run_proof import misplaced
from services.matching.engine.whole_proof import not_whole, packed_bound


@dataclass(frozen=True)
class Verdict:
    """What the check found. ``broken`` names the first broken rule, empty when all hold.

    ``index`` is the row of that rule (slot, line, pair, demand, offer, cap or pin), ``message``
    says it in words with the numbers. ``objective`` and ``bound`` are recomputed.
    """

    ok: bool
    broken: str
    index: int
    message: str
    objective: int
    bound: int


@dataclass(frozen=True)
class Breach:
    """A rule that does not hold, where, and the numbers."""

    rule: str
    index: int
    message: str


def verify(
    market: Market,
    quantity: IntArray,
    certificate: Certificate,
    *,
    objective: int | None = None,
) -> Verdict:
    """Recompute feasibility of every constraint, the objective, and the bound from the prices.

    ``objective``, if given, is the value that was claimed for ``quantity[X]``.
    """
    breach = _shape(market, quantity)
    if breach is not None:
        return Verdict(False, breach.rule, breach.index, breach.message, 0, 0)
    taken = _Taken(market, quantity.tolist())
    for rule in RULES:
        breach = breach or rule(market, taken)
    worth = _objective(market, taken)
    if breach is None and objective is not None and objective != worth:
        breach = Breach("objective", 0, f"claimed {objective}, the assignment is worth {worth}")
    wrong, bound = _bound(market, certificate)
    breach = breach or wrong
    if breach is None and worth > bound:
        breach = Breach("bound", 0, f"the assignment is worth {worth}, above the bound {bound}")
    if breach is None:
        return Verdict(True, "", -1, "", worth, bound)
    return Verdict(False, breach.rule, breach.index, breach.message, worth, bound)


def _shape(m: Market, quantity: IntArray) -> Breach | None:
    if quantity.shape != (len(m.x_pair),) or quantity.dtype.kind not in "iu":
        text = f"{quantity.shape} of {quantity.dtype}, not ({len(m.x_pair)},) of integers"
        return Breach("quantity", 0, text)
    below = np.flatnonzero(quantity < 0)
    if len(below):
        return Breach("quantity", int(below[0]), f"{int(quantity[below[0]])} ticks are negative")
    return None


class _Taken:
    """The assignment counted once: ticks by slot, pair, line, offer; periods by line; costs."""

    def __init__(self, m: Market, quantity: list[int]) -> None:
        self.quantity = quantity
        self.slot: dict[int, int] = {}
        self.pair: dict[int, int] = {}
        self.periods: dict[int, tuple[int, int]] = {}
        for x in np.flatnonzero(np.array(quantity, dtype=np.int64)).tolist():
            ticks, pair, slot = quantity[x], int(m.x_pair[x]), int(m.x_slot[x])
            self.slot[slot] = self.slot.get(slot, 0) + ticks * int(m.pair_use[pair])
            self.pair[pair] = self.pair.get(pair, 0) + ticks
            line, period = int(m.pair_line[pair]), int(m.slot_period[slot])
            first, last = self.periods.get(line, (period, period))
            self.periods[line] = (min(first, period), max(last, period))
        self.line: dict[int, int] = {}
        self.partners: dict[int, int] = {}
        self.offer: dict[int, int] = {}
        self.groups: set[int] = set()
        self.cost: dict[int, int] = {}
        for pair, ticks in self.pair.items():
            line, offer = int(m.pair_line[pair]), int(m.pair_offer[pair])
            self.line[line] = self.line.get(line, 0) + ticks
            self.partners[line] = self.partners.get(line, 0) + 1
            self.offer[offer] = self.offer.get(offer, 0) + ticks
            demand, group = int(m.line_demand[line]), int(m.pair_setup[pair])
            cost = ticks * int(m.pair_unit_cost[pair]) + int(m.pair_fixed_cost[pair])
            if group not in self.groups:
                self.groups.add(group)
                cost += int(m.setup_cost[group])
            self.cost[demand] = self.cost.get(demand, 0) + cost
        self.demands = {int(m.line_demand[line]) for line in self.line}


def _capacity(m: Market, taken: _Taken) -> Breach | None:
    for slot, ticks in taken.slot.items():
        if ticks > m.slot_capacity[slot]:
            text = f"{ticks} ticks of capacity taken of {int(m.slot_capacity[slot])} in slot {slot}"
            return Breach("capacity", slot, text)
    return None


def _quantity(m: Market, taken: _Taken) -> Breach | None:
    for line, ticks in taken.line.items():
        least, most = int(m.line_least[line]), int(m.line_quantity[line])
        if not least <= ticks <= most:
            return Breach("quantity", line, f"line {line} gets {ticks}, not {least} to {most}")
    return None


def _sourcing_partners(m: Market, taken: _Taken) -> Breach | None:
    for line, count in taken.partners.items():
        limit = int(m.line_max_partners[line])
        if limit and count > limit:
            return Breach("sourcing_partners", line, f"line {line} has {count} of {limit} partners")
    return None


def _least_share(m: Market, taken: _Taken) -> Breach | None:
    for pair, ticks in taken.pair.items():
        share = int(m.line_least_share[m.pair_line[pair]])
        if ticks < share:
            return Breach("least_share", pair, f"pair {pair} carries {ticks}, least share {share}")
    return None


def _minimum_order(m: Market, taken: _Taken) -> Breach | None:
    for pair, ticks in taken.pair.items():
        least = int(m.pair_min_order[pair])
        if ticks < least:
            text = f"pair {pair} carries {ticks}, minimum order {least}"
            return Breach("minimum_order", pair, text)
    return None


def _bundle(m: Market, taken: _Taken) -> Breach | None:
    for line, demand in enumerate(m.line_demand.tolist()):
        if m.bundle[demand] and demand in taken.demands and line not in taken.line:
            return Breach("bundle", demand, f"bundle {demand} is served without its line {line}")
    return None


def _sequence(m: Market, taken: _Taken) -> Breach | None:
    rules = zip(m.before_line.tolist(), m.after_line.tolist(), strict=True)
    for rule, (before, after) in enumerate(rules):
        if after not in taken.periods:
            continue
        if before not in taken.periods:
            return Breach("sequence", rule, f"line {after} runs, line {before} before it does not")
        start, end = taken.periods[after][0], taken.periods[before][1]
        if start <= end:
            text = f"line {after} starts in {start}, line {before} ends in {end}"
            return Breach("sequence", rule, text)
    return None


def _budget(m: Market, taken: _Taken) -> Breach | None:
    for demand, cost in taken.cost.items():
        budget = int(m.budget[demand])
        if 0 <= budget < cost:
            return Breach("budget", demand, f"demand {demand} pays {cost} of a budget of {budget}")
    return None


def _minimum_run(m: Market, taken: _Taken) -> Breach | None:
    for offer, ticks in taken.offer.items():
        least = int(m.min_run[offer])
        if ticks < least:
            return Breach("minimum_run", offer, f"offer {offer} is used {ticks}, least {least}")
    return None


def _pins(m: Market, taken: _Taken) -> Breach | None:
    for pin, (x, ticks) in enumerate(zip(m.pin_x.tolist(), m.pin_quantity.tolist(), strict=True)):
        if taken.quantity[x] != ticks:
            return Breach("pins", pin, f"x {x} is {taken.quantity[x]}, pinned to {ticks}")
    return None


def _concentration(m: Market, taken: _Taken) -> Breach | None:
    for cap, limit in enumerate(m.cap_limit.tolist()):
        own = m.cap_pairs[m.cap_start[cap] : m.cap_start[cap + 1]].tolist()
        ticks = sum(taken.pair.get(pair, 0) for pair in own)
        if ticks > limit:
            return Breach("concentration", cap, f"cap {cap} carries {ticks} of {limit}")
    return None


RULES: tuple[Callable[[Market, _Taken], Breach | None], ...] = (
    _capacity,
    _quantity,
    _sourcing_partners,
    _least_share,
    _minimum_order,
    _bundle,
    _sequence,
    _budget,
    _minimum_run,
    _pins,
    _concentration,
)


def _objective(m: Market, taken: _Taken) -> int:
    """The sum of all terms, and so also of set-ups, each counted once."""
    total = 0
    for term in m.terms:
        for pair, ticks in taken.pair.items():
            total += int(term.per_tick[pair]) * ticks + int(term.per_pair[pair])
        total += sum(int(term.per_setup[group]) for group in taken.groups)
        total += sum(int(term.per_line[line]) for line in taken.line)
        total += sum(int(term.per_demand[demand]) for demand in taken.demands)
    return total


def _bound(m: Market, certificate: Certificate) -> tuple[Breach | None, int]:
    """The recomputed bound, and what is wrong with the certificate."""
    wanted = {
        "slot_price": len(m.slot_capacity),
        "cap_price": len(m.cap_limit),
        "budget_price": len(m.budget),
    }
    if certificate.demand_price is not None:
        wanted["demand_price"] = len(m.budget)
        why = not_whole(m)
        if why:
            return Breach("certificate", 0, f"demand_price proves nothing here: {why}"), 0
    if certificate.pair_price is not None:
        wanted["pair_price"] = len(m.pair_offer)
    for name, size in wanted.items():
        prices: IntArray = getattr(certificate, name)
        if prices.shape != (size,) or prices.dtype.kind not in "iu":
            return Breach("certificate", 0, f"{name} has shape {prices.shape}, not ({size},)"), 0
        below = np.flatnonzero(prices < 0)
        if len(below) and name != "pair_price":
            row = int(below[0])
            return Breach("certificate", row, f"{name}[{row}] is {int(prices[row])}, below 0"), 0
    if certificate.scale < 1:
        return Breach("certificate", 0, f"scale is {certificate.scale}, not positive"), 0
    pair = None if certificate.pair_price is None else certificate.pair_price.tolist()
    wrong = -1 if pair is None else misplaced(m, pair)
    if pair and wrong >= 0:
        text = f"pair_price[{wrong}] is {pair[wrong]}, its offer has no minimum run: must be 0"
        return Breach("certificate", wrong, text), 0
    bound = proven_bound(
        m,
        certificate.scale,
        certificate.slot_price.tolist(),
        certificate.cap_price.tolist(),
        certificate.budget_price.tolist(),
        pair,
    )
    if certificate.demand_price is not None:
        other = packed_bound(m, certificate.scale, certificate.demand_price.tolist())
        bound = min(bound, other)
    if bound != certificate.bound:
        text = f"the prices prove {bound}, the certificate says {certificate.bound}"
        return Breach("bound", 0, text), bound
    return None, bound
