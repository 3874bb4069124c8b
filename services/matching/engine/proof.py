"""The bound that a certificate's prices prove, in Python's integers: the checker's own count.

The formula is that of docs/engine.md. It is written a second time on purpose, demand by demand and
without numpy's arithmetic, so that an error in `certificate` can't hide here.
"""

from __future__ import annotations

from services.matching.engine.market import Market
from services.matching.engine.run_proof import earned

# Later than any period.
NEVER = 2**62
Span = tuple[int, int] | None


def proven_bound(
    market: Market,
    scale: int,
    slot: list[int],
    cap: list[int],
    budget: list[int],
    pair: list[int] | None = None,
) -> int:
    """Floor of (prices times what they ration + each demand's best reduced value) / scale."""
    return scaled_proof(market, scale, slot, cap, budget, pair) // scale


def scaled_proof(
    market: Market,
    scale: int,
    slot: list[int],
    cap: list[int],
    budget: list[int],
    pair: list[int] | None = None,
) -> int:
    """Prices times what they ration, and each demand's best reduced value, over ``scale``.

    Prices are integers over ``scale``, none negative but those per pair; a price on a budget that
    does not exist counts as zero. With prices per pair, sequences count and offers with a minimum
    run add what they earn at them.
    """
    total = sum(p * c for p, c in zip(slot, market.slot_capacity.tolist(), strict=True))
    total += sum(p * c for p, c in zip(cap, market.cap_limit.tolist(), strict=True))
    book = _Book(market, scale, slot, cap, budget)
    if pair is not None:
        book.count_sequences(market, pair)
        lines = market.pair_line.tolist()
        most = [book.most(p, line) for p, line in enumerate(lines)]
        least = [book.start(p, line) for p, line in enumerate(lines)]
        total += earned(market, most, least, pair)
    return int(total + sum(book.demand(d) for d in range(len(budget))))


class _Book:
    """The market as plain lists, keyed by what holds them."""

    def __init__(
        self, m: Market, scale: int, slot: list[int], cap: list[int], budget: list[int]
    ) -> None:
        self.scale, self.slot, self.budget_price = scale, slot, budget
        self.budget, self.bundle = m.budget.tolist(), m.bundle.tolist()
        self.capacity, self.x_slot = m.slot_capacity.tolist(), m.x_slot.tolist()
        self.want, self.least = m.line_quantity.tolist(), m.line_least.tolist()
        self.partners, self.share = m.line_max_partners.tolist(), m.line_least_share.tolist()
        self.order = m.pair_min_order.tolist()
        self.unit, self.fixed = m.pair_unit_cost.tolist(), m.pair_fixed_cost.tolist()
        self.use, self.x_pair = m.pair_use.tolist(), m.x_pair.tolist()
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
        self.pair_price = [0] * len(self.unit)
        self.period = m.slot_period[m.x_slot].tolist()
        self.follows: dict[int, int] = {}
        self.leads: dict[int, int] = {}
        self.rest: dict[int, int] = {}
        self.purse: dict[int, int] = {}

    def count_sequences(self, m: Market, pair_price: list[int]) -> None:
        """Take prices per pair and budgets, and of the rules on each line the first either way."""
        self.pair_price = pair_price
        self.purse = dict(enumerate(m.budget[m.line_demand[m.pair_line]].tolist()))
        for before, after in zip(m.before_line.tolist(), m.after_line.tolist(), strict=True):
            if before not in self.follows and after not in self.leads:
                self.follows[before] = after
                self.leads[after] = before

    def room(self, x: int, line: int) -> int:
        """The most ticks that variable x could carry."""
        fits = self.capacity[self.x_slot[x]] // self.use[self.x_pair[x]]
        return int(min(fits, self.want[line]))

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
        heads = [line for line in self.lines[d] if line not in self.leads]
        values = [self.chain(line, price, shared, bool(self.bundle[d])) for line in heads]
        possible = [v for v in values if v is not None]
        if not possible or (self.bundle[d] and len(possible) < len(values)):
            return 0
        total = self.by_demand[d] * self.scale + price * max(self.budget[d], 0)
        total += sum(max(0, self.opening[group]) * self.scale for group in shared)
        total += sum(v if self.bundle[d] else max(0, v) for v in possible)
        return int(max(0, total))

    def chain(self, head: int, price: int, shared: dict[int, int], whole: bool) -> int | None:
        """The most that the line and those after it could be worth; None when it can't be served.

        The best from each line on is kept by the period in which it may begin.
        """
        if head not in self.follows:
            return self.line(head, price, shared)
        lines = [head]
        while lines[-1] in self.follows:
            lines.append(self.follows[lines[-1]])
        periods = sorted({p for line in lines for p in self.when(line)})
        after: dict[int, int | None] = dict.fromkeys([*periods, NEVER], 0)
        for line in reversed(lines):
            own = sorted(set(self.when(line)))
            stop = None if whole or line == head else 0
            best: dict[int, int | None] = {NEVER: stop}
            for begin in reversed(periods):
                found = best[min([p for p in periods if p > begin], default=NEVER)]
                for end in own if begin in own else ():
                    if end < begin:
                        continue
                    worth = self.line(line, price, shared, (begin, end))
                    rest = after[min([p for p in periods if p > end], default=NEVER)]
                    if worth is not None and rest is not None:
                        found = worth + rest if found is None else max(found, worth + rest)
                best[begin] = found
            after = best
        return after[min(periods, default=NEVER)]

    def when(self, line: int) -> list[int]:
        """The periods in which the line could run, some more than once."""
        return [self.period[x] for pair in self.pairs[line] for x in self.xs[pair]]

    def afford(self, pair: int) -> int:
        """The most ticks of the pair that its demand's budget pays for, if that counts."""
        budget = self.purse.get(pair, -1)
        if budget < 0:
            return NEVER
        left = budget - self.fixed[pair] - self.setup[self.group[pair]]
        if left < 0:
            return 0
        return int(left // self.unit[pair]) if self.unit[pair] else NEVER

    def start(self, pair: int, line: int) -> int:
        """The fewest ticks of a feasible use: what the line's other partners can't carry."""
        if line not in self.rest:
            pairs = self.pairs[line]
            largest = max([self.most(other, line) for other in pairs], default=0)
            partners = min(self.partners[line] or len(pairs), len(pairs))
            self.rest[line] = self.least[line] - (partners - 1) * largest
        return int(max(1, self.order[pair], self.share[line], self.rest[line]))

    def line(self, line: int, price: int, shared: dict[int, int], span: Span = None) -> int | None:
        """The most a served line could be worth; None when its least part can't be had.

        It runs within the first and last period of ``span``, or at any time.
        """
        pairs = self.pairs[line]
        want, least = self.want[line], self.least[line]
        partners = self.partners[line] or max(1, len(pairs))
        steps: list[tuple[int, int]] = []
        alone: list[int] = []
        rooms: list[int] = []
        for pair in pairs:
            start = self.start(pair, line)
            xs = [x for x in self.xs[pair] if not span or span[0] <= self.period[x] <= span[1]]
            most = min(want, self.afford(pair), sum(self.room(x, line) for x in xs))
            if start <= most:
                rooms.append(most)
                own, best = self.pair(pair, line, price, shared, start, xs)
                steps += own
                alone.append(best)
        rooms.sort(reverse=True)
        if sum(rooms[:partners]) < least:
            return None
        total, got = 0, 0
        for rate, size in sorted(steps, reverse=True):
            take = min(size, max(0, (want if rate > 0 else least) - got))
            total += take * rate
            got += take
        if self.partners[line]:
            alone.sort(reverse=True)
            total = min(total, alone[0] + sum(max(0, each) for each in alone[1:partners]))
        return total + self.by_line[line] * self.scale

    def pair(
        self,
        pair: int,
        line: int,
        price: int,
        shared: dict[int, int],
        start: int,
        xs: list[int],
    ) -> tuple[list[tuple[int, int]], int]:
        """A concave bound on what the pair adds in ``xs``, as (value, ticks) steps; its best total.

        It is worth nothing at 0 ticks and counts from ``start`` ticks on, less its one-off costs.
        """
        group = self.group[pair]
        joint = max(0, -self.opening[group]) * self.scale + price * self.setup[group]
        once = joint * self.most(pair, line) // max(1, shared[group])
        once += price * self.fixed[pair] - self.once[pair] * self.scale
        tick = self.tick[pair] * self.scale - price * self.unit[pair] - self.cap_price[pair]
        tick -= self.pair_price[pair] * self.use[pair]
        charge = [self.slot[self.x_slot[x]] * self.use[pair] for x in xs]
        rooms = [self.room(x, line) for x in xs]
        offered = [(tick - paid, room) for paid, room in zip(charge, rooms, strict=True)]
        ranges: list[tuple[int, int, int]] = []
        points: list[tuple[int, int]] = []
        got, worth = 0, 0
        for value, room in sorted(offered, reverse=True):
            take = min(room, min(self.want[line], self.afford(pair)) - got)
            if got < start <= got + take:
                points.append((start, worth + value * (start - got) - once))
            ranges.append((value, got, got + take))
            got, worth = got + take, worth + value * take
            if take and got >= start:
                points.append((got, worth - once))
        rate = max(-(-gain // ticks) for ticks, gain in points)
        first = min(ticks for ticks, gain in points if -(-gain // ticks) == rate)
        later = [(value, end - max(begin, first)) for value, begin, end in ranges if end > first]
        return [(rate, first), *later], max(gain for _, gain in points)


def _total(parts: list[list[int]], size: int) -> list[int]:
    return [sum(values) for values in zip(*parts, strict=True)] if parts else [0] * size


def _gather(keys: list[int], count: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(count)]
    for row, key in enumerate(keys):
        rows[key].append(row)
    return rows
