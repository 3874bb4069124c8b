"""Serving one demand from what is left: which offers, how much, in which periods."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.prices import FloatArray


@dataclass
class Plan:
    """How one demand would be served: ticks per variable, what it pays, what it is worth."""

    ticks: dict[int, int] = field(default_factory=dict)
    pairs: dict[int, int] = field(default_factory=dict)
    groups: set[int] = field(default_factory=set)
    cost: int = 0
    worth: int = 0


class Filler:
    """What is left of slots, caps and offers while demands are served one after another."""

    def __init__(self, market: Market, slot_price: FloatArray) -> None:
        of = indices(market)
        self.market, self._of = market, of
        self.variables = market.variables
        self.closed: set[int] = set()
        self._slot_left = market.slot_capacity.tolist()
        self._cap_left = market.cap_limit.tolist()
        self._offer_used = [0] * market.offers
        self._run = market.min_run.tolist()
        self._budget = market.budget.tolist()
        self._pinned = set(market.pin_x.tolist())
        self._x_slot = market.x_slot.tolist()
        self._period = market.slot_period[market.x_slot].tolist()
        self._use = market.pair_use[market.x_pair].tolist()
        self._price = (slot_price[market.x_slot] * market.pair_use[market.x_pair]).tolist()
        self._xs = _grouped(market.x_pair, market.pairs)
        self._pairs = _grouped(market.pair_line, market.lines)
        self._caps: dict[int, list[int]] = {}
        for cap, pair in zip(of.cap_of.tolist(), market.cap_pairs.tolist(), strict=True):
            self._caps.setdefault(pair, []).append(cap)
        self._lines = _lines_in_order(market)
        self._before: dict[int, list[int]] = {}
        for before, after in zip(
            market.before_line.tolist(), market.after_line.tolist(), strict=True
        ):
            self._before.setdefault(after, []).append(before)
        self._leads = set(market.before_line.tolist())
        self._p_offer, self._p_group = market.pair_offer.tolist(), market.pair_setup.tolist()
        self._p_least, self._p_tick = of.pair_least.tolist(), of.per_tick.tolist()
        self._p_once, self._p_unit = of.per_pair.tolist(), market.pair_unit_cost.tolist()
        self._p_fixed = market.pair_fixed_cost.tolist()
        self._g_cost, self._g_worth = market.setup_cost.tolist(), of.per_setup.tolist()
        self._l_worth, self._d_worth = of.per_line.tolist(), of.per_demand.tolist()
        self._l_most, self._l_least = market.line_quantity.tolist(), market.line_least.tolist()
        self._l_partners = market.line_max_partners.tolist()

    def plan(self, demand: int) -> Plan | None:
        """The best way found to serve ``demand`` now; None when there is none that gains."""
        whole = bool(self.market.bundle[demand])
        plan = Plan()
        last: dict[int, int] = {}
        for line in self._lines[demand]:
            before = self._before.get(line, [])
            part = None
            if all(b in last for b in before):
                start = max((last[b] + 1 for b in before), default=None)
                part = self._line(demand, line, start, plan)
            if part is None:
                if whole:
                    return None
                continue
            if not whole and line not in self._leads and part.worth <= 0:
                continue
            last[line] = max(self._period[x] for x in part.ticks)
            _merge(plan, part)
        plan.worth += self._d_worth[demand]
        return plan if plan.ticks and plan.worth > 0 else None

    def apply(self, plan: Plan) -> None:
        """Take what the plan takes."""
        self._move(plan, -1)

    def take(self, quantity: IntArray) -> None:
        """Take what an assignment ``quantity[X]`` takes."""
        plan = Plan()
        for x in quantity.nonzero()[0].tolist():
            plan.ticks[x] = int(quantity[x])
            pair = int(self.market.x_pair[x])
            plan.pairs[pair] = plan.pairs.get(pair, 0) + plan.ticks[x]
        self._move(plan, -1)

    def undo(self, plan: Plan) -> None:
        """Give back what the plan took."""
        self._move(plan, 1)

    def touches(self, plan: Plan, offer: int) -> bool:
        """Whether the plan uses the offer."""
        return any(self._p_offer[pair] == offer for pair in plan.pairs)

    def emptiest_below_run(self) -> int | None:
        """The used offer that is furthest below its minimum run, ties by index."""
        below = [
            (used / run, offer)
            for offer, (used, run) in enumerate(zip(self._offer_used, self._run, strict=True))
            if 0 < used < run
        ]
        return min(below)[1] if below else None

    def close_unopened(self) -> None:
        """Close every unused offer with a minimum run: it is too late to fill it so far."""
        self.closed |= {o for o, run in enumerate(self._run) if run and not self._offer_used[o]}

    def _move(self, plan: Plan, sign: int) -> None:
        for x, ticks in plan.ticks.items():
            self._slot_left[self._x_slot[x]] += sign * ticks * self._use[x]
        for pair, ticks in plan.pairs.items():
            self._offer_used[self._p_offer[pair]] -= sign * ticks
            for cap in self._caps.get(pair, ()):
                self._cap_left[cap] += sign * ticks

    def _line(self, demand: int, line: int, start: int | None, so_far: Plan) -> Plan | None:
        """The better of two fills: by reduced value, and by how much each offer has left."""
        offered: list[tuple[float, int, list[tuple[int, int]], int]] = []
        for pair in self._pairs[line]:
            free = self._free(pair, line, start, so_far)
            room = min(sum(ticks for _, ticks in free), self._cap_room(pair, so_far))
            room = min(room, self._l_most[line])
            if room >= self._p_least[pair]:
                offered.append((self._score(pair, free, room, so_far), pair, free, room))
        best: Plan | None = None
        for by_room in (False, True):
            ranked = sorted(
                offered, key=lambda o: (-o[3], -o[0], o[1]) if by_room else (-o[0], o[1], 0)
            )
            plan = self._take(demand, line, ranked, so_far)
            if plan is not None and (best is None or plan.worth > best.worth):
                best = plan
        return best

    def _free(self, pair: int, line: int, start: int | None, so_far: Plan) -> list[tuple[int, int]]:
        """(variable, ticks left) of the pair, cheapest first; earliest first if lines wait."""
        if self._p_offer[pair] in self.closed:
            return []
        taken: dict[int, int] = {}
        for x, ticks in so_far.ticks.items():
            taken[self._x_slot[x]] = taken.get(self._x_slot[x], 0) + ticks * self._use[x]
        free = []
        for x in self._xs[pair]:
            left = self._slot_left[self._x_slot[x]] - taken.get(self._x_slot[x], 0)
            left //= self._use[x]
            if left > 0 and x not in self._pinned and (start is None or self._period[x] >= start):
                free.append((x, left))
        if line in self._leads:
            return sorted(free, key=lambda f: (self._period[f[0]], f[0]))
        return sorted(free, key=lambda f: (self._price[f[0]], self._period[f[0]], f[0]))

    def _cap_room(self, pair: int, so_far: Plan) -> int:
        """Ticks that the pair's caps still allow."""
        room = 2**62
        for cap in self._caps.get(pair, ()):
            own = sum(t for p, t in so_far.pairs.items() if cap in self._caps.get(p, ()))
            room = min(room, self._cap_left[cap] - own)
        return room

    def _score(self, pair: int, free: list[tuple[int, int]], room: int, so_far: Plan) -> float:
        """Reduced value per tick when the pair is used as far as it can."""
        once = self._p_once[pair]
        if self._p_group[pair] not in so_far.groups:
            once += self._g_worth[self._p_group[pair]]
        left, paid = room, 0.0
        for x, ticks in free:
            take = min(left, ticks)
            paid += take * self._price[x]
            left -= take
        return float(self._p_tick[pair] + (once - paid) / room)

    def _take(
        self,
        demand: int,
        line: int,
        ranked: list[tuple[float, int, list[tuple[int, int]], int]],
        so_far: Plan,
    ) -> Plan | None:
        """Fill the line in this order; None when its least part is not reached."""
        chosen: dict[int, int] = {}
        frees = {pair: free for _, pair, free, _ in ranked}
        wanted, least = self._l_most[line], self._l_least[line]
        limit = self._l_partners[line] or len(ranked)
        money = self._budget[demand] - so_far.cost if self._budget[demand] >= 0 else None
        groups: set[int] = set()
        for score, pair, _, room in ranked:
            got = sum(chosen.values())
            if got == wanted or len(chosen) == limit or (got >= least and score <= 0):
                break
            room = min(room, self._shared_caps(pair, chosen, room, so_far))
            once = self._once_cost(pair, so_far.groups | groups)
            if money is not None:
                unit = self._p_unit[pair]
                afford = (money - once) // unit if unit else room
                room = room if money >= once and not unit else min(room, afford)
            take = min(room, wanted - got)
            if take < self._p_least[pair]:
                if room < self._p_least[pair] or not self._give_back(
                    chosen, self._p_least[pair] - take
                ):
                    continue
                take = self._p_least[pair]
            chosen[pair] = take
            groups.add(self._p_group[pair])
            if money is not None:
                money -= once + take * self._p_unit[pair]
        if sum(chosen.values()) < least:
            return None
        return self._price_up(line, chosen, frees, so_far, demand)

    def _shared_caps(self, pair: int, chosen: dict[int, int], room: int, so_far: Plan) -> int:
        """Room under the caps that the pair shares with pairs chosen before it."""
        for cap in self._caps.get(pair, ()):
            own = sum(t for p, t in chosen.items() if cap in self._caps.get(p, ()))
            earlier = sum(t for p, t in so_far.pairs.items() if cap in self._caps.get(p, ()))
            room = min(room, self._cap_left[cap] - own - earlier)
        return room

    def _once_cost(self, pair: int, groups: set[int]) -> int:
        group = self._p_group[pair]
        return int(self._p_fixed[pair] + (0 if group in groups else self._g_cost[group]))

    def _give_back(self, chosen: dict[int, int], missing: int) -> bool:
        """Take ``missing`` ticks from one chosen pair that stays above its own least."""
        for pair in reversed(chosen):
            if chosen[pair] - missing >= self._p_least[pair]:
                chosen[pair] -= missing
                return True
        return False

    def _price_up(
        self,
        line: int,
        chosen: dict[int, int],
        frees: dict[int, list[tuple[int, int]]],
        so_far: Plan,
        demand: int,
    ) -> Plan | None:
        """Spread the chosen ticks over slots and count worth and cost; None if over budget."""
        plan = Plan(worth=self._l_worth[line])
        for pair, ticks in chosen.items():
            left = ticks
            for x, free in frees[pair]:
                if left:
                    plan.ticks[x] = min(left, free)
                    left -= plan.ticks[x]
            plan.pairs[pair] = ticks
            group = self._p_group[pair]
            if group not in so_far.groups and group not in plan.groups:
                plan.cost += self._g_cost[group]
                plan.worth += self._g_worth[group]
            plan.groups.add(group)
            plan.cost += self._p_fixed[pair] + ticks * self._p_unit[pair]
            plan.worth += self._p_once[pair] + ticks * self._p_tick[pair]
        if self._budget[demand] >= 0 and so_far.cost + plan.cost > self._budget[demand]:
            return None
        return plan


def _merge(plan: Plan, part: Plan) -> None:
    plan.ticks.update(part.ticks)
    plan.pairs.update(part.pairs)
    plan.groups |= part.groups
    plan.cost += part.cost
    plan.worth += part.worth


def _grouped(keys: IntArray, count: int) -> list[list[int]]:
    """Rows of each key, in rising order."""
    order = np.argsort(keys, kind="stable")
    cuts = np.searchsorted(keys[order], np.arange(count + 1)).tolist()
    rows = order.tolist()
    return [rows[first:last] for first, last in pairwise(cuts)]


def _lines_in_order(market: Market) -> list[list[int]]:
    """Lines of each demand so that every line comes after those that must end before it."""
    depth = np.zeros(market.lines, dtype=np.int64)
    for _ in range(market.lines):
        deeper = depth.copy()
        np.maximum.at(deeper, market.after_line, depth[market.before_line] + 1)
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    by_demand = _grouped(market.line_demand, market.demands)
    return [sorted(lines, key=lambda line: (int(depth[line]), line)) for lines in by_demand]
