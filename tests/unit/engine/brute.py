"""The best value of a tiny market by trying everything: no solver, no rows, no arrays' tricks."""

from __future__ import annotations

import itertools

from services.matching.engine import Market


def optimum(m: Market) -> int | None:
    """The best objective over all feasible assignments; None when there is none."""
    ranges = []
    for x in range(m.variables):
        line = m.pair_line[m.x_pair[x]]
        top = min(_fits(m, x), int(m.line_quantity[line]))
        ranges.append(range(top + 1))
    best: int | None = None
    for choice in itertools.product(*ranges):
        if feasible(m, choice):
            worth = value(m, choice)
            best = worth if best is None else max(best, worth)
    return best


def count(m: Market) -> int:
    """How many assignments `optimum` would try."""
    total = 1
    for x in range(m.variables):
        line = m.pair_line[m.x_pair[x]]
        total *= 1 + min(_fits(m, x), int(m.line_quantity[line]))
    return total


def _fits(m: Market, x: int) -> int:
    return int(m.slot_capacity[m.x_slot[x]]) // int(m.pair_use[m.x_pair[x]])


def feasible(m: Market, q: tuple[int, ...]) -> bool:
    """Every constraint of the market, said as plainly as Python can."""
    xs = range(m.variables)
    ticks = [sum(q[x] for x in xs if m.x_pair[x] == p) for p in range(m.pairs)]
    for s in range(m.slots):
        taken = sum(q[x] * int(m.pair_use[m.x_pair[x]]) for x in xs if m.x_slot[x] == s)
        if taken > m.slot_capacity[s]:
            return False
    got = [0] * m.lines
    for line in range(m.lines):
        own = [ticks[p] for p in range(m.pairs) if m.pair_line[p] == line and ticks[p]]
        got[line] = sum(own)
        if own and not m.line_least[line] <= got[line] <= m.line_quantity[line]:
            return False
        if m.line_max_partners[line] and len(own) > m.line_max_partners[line]:
            return False
        if own and min(own) < m.line_least_share[line]:
            return False
    for p in range(m.pairs):
        if ticks[p] and ticks[p] < m.pair_min_order[p]:
            return False
    for o in range(m.offers):
        used = sum(ticks[p] for p in range(m.pairs) if m.pair_offer[p] == o)
        if used and used < m.min_run[o]:
            return False
    for d in range(m.demands):
        lines = [line for line in range(m.lines) if m.line_demand[line] == d]
        if m.bundle[d] and any(got[i] for i in lines) and not all(got[i] for i in lines):
            return False
        if m.budget[d] >= 0 and cost(m, d, ticks) > m.budget[d]:
            return False
    for k in range(len(m.before_line)):
        before, after = int(m.before_line[k]), int(m.after_line[k])
        if not got[after]:
            continue
        if not got[before]:
            return False
        if min(periods(m, q, after)) <= max(periods(m, q, before)):
            return False
    for c in range(m.caps):
        own_pairs = m.cap_pairs[m.cap_start[c] : m.cap_start[c + 1]]
        if sum(ticks[p] for p in own_pairs) > m.cap_limit[c]:
            return False
    return all(q[x] == t for x, t in zip(m.pin_x, m.pin_quantity, strict=True))


def periods(m: Market, q: tuple[int, ...], line: int) -> list[int]:
    """The periods in which the line runs."""
    return [
        int(m.slot_period[m.x_slot[x]])
        for x in range(m.variables)
        if q[x] and m.pair_line[m.x_pair[x]] == line
    ]


def cost(m: Market, demand: int, ticks: list[int]) -> int:
    """What the demand pays."""
    total, groups = 0, set()
    for p in range(m.pairs):
        if ticks[p] and m.line_demand[m.pair_line[p]] == demand:
            total += ticks[p] * int(m.pair_unit_cost[p]) + int(m.pair_fixed_cost[p])
            groups.add(int(m.pair_setup[p]))
    return total + sum(int(m.setup_cost[g]) for g in groups)


def value(m: Market, q: tuple[int, ...]) -> int:
    """The sum of all terms."""
    ticks = [sum(q[x] for x in range(m.variables) if m.x_pair[x] == p) for p in range(m.pairs)]
    used = [p for p in range(m.pairs) if ticks[p]]
    groups = {int(m.pair_setup[p]) for p in used}
    lines = {int(m.pair_line[p]) for p in used}
    demands = {int(m.line_demand[line]) for line in lines}
    total = 0
    for t in m.terms:
        total += sum(int(t.per_tick[p]) * ticks[p] + int(t.per_pair[p]) for p in used)
        total += sum(int(t.per_setup[g]) for g in groups)
        total += sum(int(t.per_line[i]) for i in lines)
        total += sum(int(t.per_demand[d]) for d in demands)
    return total
