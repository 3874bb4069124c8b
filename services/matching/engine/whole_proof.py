"""The bound that a certificate's demand prices prove, in Python's integers: the checker's count.

It holds for markets in which every demand has one line, taken whole, by one partner, in the one
slot that each of its pairs has. With price y_d for doing demand d at all, every slot packs what is
worth most after that; no feasible assignment is worth more than all prices and packings together.
"""

from __future__ import annotations

from services.matching.engine.market import Market

# Cells of a knapsack's table up to which it is solved exactly; above, its fractional bound counts.
MOST_EXACT = 2**22


def not_whole(m: Market) -> str:
    """Why demand prices prove nothing for this market; empty where they do."""
    lines, slots, offers = [0] * m.demands, [0] * m.pairs, [0] * m.lines
    for demand in m.line_demand.tolist():
        lines[demand] += 1
    for pair in m.x_pair.tolist():
        slots[pair] += 1
    for line in m.pair_line.tolist():
        offers[line] += 1
    if max(lines, default=0) > 1 or max(slots, default=0) > 1:
        return "a demand has several lines or a pair several slots"
    rows = zip(
        m.line_quantity.tolist(),
        m.line_least.tolist(),
        m.line_max_partners.tolist(),
        m.line_least_share.tolist(),
        offers,
        strict=True,
    )
    for line, (want, least, partners, share, count) in enumerate(rows):
        alone = partners == 1 or count <= 1 or want == 1 or 2 * share > want
        if least != want or not alone:
            return f"line {line} need not go whole to one partner"
    return ""


def packed_bound(m: Market, scale: int, price: list[int]) -> int:
    """Floor of (prices + each slot's best packing at these prices) / scale."""
    offered: list[list[tuple[int, int]]] = [[] for _ in range(m.slots)]
    tick, once, opening, served, done = _weights(m)
    use, order, unit = m.pair_use.tolist(), m.pair_min_order.tolist(), m.pair_unit_cost.tolist()
    fixed, group, setup = m.pair_fixed_cost.tolist(), m.pair_setup.tolist(), m.setup_cost.tolist()
    capacity, budget = m.slot_capacity.tolist(), m.budget.tolist()
    want, share = m.line_quantity.tolist(), m.line_least_share.tolist()
    line_of, demand_of = m.pair_line.tolist(), m.line_demand.tolist()
    for pair, slot in zip(m.x_pair.tolist(), m.x_slot.tolist(), strict=True):
        line = line_of[pair]
        size, demand = want[line], demand_of[line]
        paid = size * unit[pair] + fixed[pair] + setup[group[pair]]
        if order[pair] > size or share[line] > size or 0 <= budget[demand] < paid:
            continue
        worth = tick[pair] * size + once[pair] + opening[group[pair]]
        gain = (worth + served[line] + done[demand]) * scale - price[demand]
        if gain > 0 and size * use[pair] <= capacity[slot]:
            offered[slot].append((gain, size * use[pair]))
    packed = sum(_packed(items, room) for items, room in zip(offered, capacity, strict=True))
    return int(sum(price) + packed) // scale


def _packed(items: list[tuple[int, int]], capacity: int) -> int:
    """The most that fits, or the fractional bound on it rounded up."""
    if sum(size for _, size in items) <= capacity:
        return sum(gain for gain, _ in items)
    if len(items) * (capacity + 1) <= MOST_EXACT:
        best = [0] * (capacity + 1)
        for gain, size in items:
            raised = [value + gain for value in best[: capacity + 1 - size]]
            best[size:] = map(max, best[size:], raised)
        return best[capacity]
    left = capacity
    for gain, size in sorted(items, key=lambda item: -(item[0] // item[1])):
        if size > left:
            above = sum(max(0, g * size - s * gain) for g, s in items)
            return -(-(gain * capacity + above) // size)
        left -= size
    return sum(gain for gain, _ in items)


def _weights(m: Market) -> tuple[list[int], list[int], list[int], list[int], list[int]]:
    """Per tick, pair, set-up, line and demand the weights of all terms together."""
    names = ("per_tick", "per_pair", "per_setup", "per_line", "per_demand")
    sizes = (m.pairs, m.pairs, m.setups, m.lines, m.demands)
    total = []
    for name, size in zip(names, sizes, strict=True):
        weights = [0] * size
        for term in m.terms:
            weights = [a + b for a, b in zip(weights, getattr(term, name).tolist(), strict=True)]
        total.append(weights)
    return total[0], total[1], total[2], total[3], total[4]
