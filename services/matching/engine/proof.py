"""The bound that a certificate's prices prove, in Python's integers: the checker's own count.

The formula is that of docs/engine.md. It is written a second time on purpose, demand by demand and
without numpy's arithmetic, so that an error in `certificate` can't hide here.
"""

from __future__ import annotations

from services.matching.engine.market import Market


def proven_bound(
    market: Market, scale: int, slot: list[int], cap: list[int], budget: list[int]
) -> int:
    """Floor of (prices times what they ration + each demand's best reduced value) / scale.

    Prices are integers over ``scale``, none negative; a price on a budget that does not exist
    counts as zero.
    """
    total = sum(p * c for p, c in zip(slot, market.slot_capacity.tolist(), strict=True))
    total += sum(p * c for p, c in zip(cap, market.cap_limit.tolist(), strict=True))
    book = _Book(market, scale, slot, cap, budget)
    return int(total + sum(book.demand(d) for d in range(len(budget)))) // scale


class _Book:
    """The market as plain lists, keyed by what holds them."""

    def __init__(
        self, m: Market, scale: int, slot: list[int], cap: list[int], budget: list[int]
    ) -> None:
        self.scale, self.slot, self.budget_price = scale, slot, budget
        self.budget, self.bundle = m.budget.tolist(), m.bundle.tolist()
        self.capacity, self.x_slot = m.slot_capacity.tolist(), m.x_slot.tolist()
        self.want, self.least = m.line_quantity.tolist(), m.line_least.tolist()
        self.partners = m.line_max_partners.tolist()
        self.unit, self.fixed = m.pair_unit_cost.tolist(), m.pair_fixed_cost.tolist()
        self.group, self.setup = m.pair_setup.tolist(), m.setup_cost.tolist()
        self.tick = _total([t.per_tick.tolist() for t in m.terms], len(self.unit))
        self.once = _total([t.per_pair.tolist() for t in m.terms], len(self.unit))
        self.opening = _total([t.per_setup.tolist() for t in m.terms], len(self.setup))
        self.by_line = _total([t.per_line.tolist() for t in m.terms], len(self.want))
        self.by_demand = _total([t.per_demand.tolist() for t in m.terms], len(self.budget))
        self.lines = _gather(m.line_demand.tolist(), len(self.budget))
        self.pairs = _gather(m.pair_line.tolist(), len(self.want))
        self.xs = _gather(m.x_pair.tolist(), len(self.unit))
        self.cap_price = [0] * len(self.unit)
        members = m.cap_pairs.tolist()
        for c, (first, last) in enumerate(zip(m.cap_start[:-1], m.cap_start[1:], strict=True)):
            for pair in members[first:last]:
                self.cap_price[pair] += cap[c]

    def room(self, x: int, line: int) -> int:
        """The most ticks that variable x could carry."""
        return int(min(self.capacity[self.x_slot[x]], self.want[line]))

    def most(self, pair: int, line: int) -> int:
        """The most ticks that the pair could carry."""
        return int(min(self.want[line], sum(self.room(x, line) for x in self.xs[pair])))

    def demand(self, d: int) -> int:
        """The best reduced value that demand d could reach, never below nothing."""
        price = self.budget_price[d] if self.budget[d] >= 0 else 0
        shared: dict[int, int] = {}
        for line in self.lines[d]:
            for pair in self.pairs[line]:
                group = self.group[pair]
                shared[group] = shared.get(group, 0) + self.most(pair, line)
        values = [self.line(line, price, shared) for line in self.lines[d]]
        possible = [v for v in values if v is not None]
        if not possible or (self.bundle[d] and len(possible) < len(values)):
            return 0
        total = self.by_demand[d] * self.scale + price * max(self.budget[d], 0)
        total += sum(max(0, self.opening[group]) * self.scale for group in shared)
        total += sum(v if self.bundle[d] else max(0, v) for v in possible)
        return int(max(0, total))

    def line(self, line: int, price: int, shared: dict[int, int]) -> int | None:
        """The best reduced value of a served line; None when its least part can't be had."""
        offered: list[tuple[int, int]] = []
        gains: list[int] = []
        for pair in self.pairs[line]:
            group = self.group[pair]
            tick = self.tick[pair] * self.scale - price * self.unit[pair] - self.cap_price[pair]
            own = max(0, -self.once[pair]) * self.scale + price * self.fixed[pair]
            joint = max(0, -self.opening[group]) * self.scale + price * self.setup[group]
            tick -= own // max(1, self.most(pair, line)) + joint // max(1, shared[group])
            gains.append(max(0, self.once[pair]) * self.scale)
            for x in self.xs[pair]:
                offered.append((tick - self.slot[self.x_slot[x]], self.room(x, line)))
        gains.sort(reverse=True)
        total = sum(gains[: self.partners[line] or None]) + self.by_line[line] * self.scale
        got = 0
        for value, room in sorted(offered, reverse=True):
            top = self.want[line] if value > 0 else self.least[line]
            take = min(room, max(0, top - got))
            total += take * value
            got += take
        return total if got >= self.least[line] else None


def _total(parts: list[list[int]], size: int) -> list[int]:
    return [sum(values) for values in zip(*parts, strict=True)] if parts else [0] * size


def _gather(keys: list[int], count: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(count)]
    for row, key in enumerate(keys):
        rows[key].append(row)
    return rows
