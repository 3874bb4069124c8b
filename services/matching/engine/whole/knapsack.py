"""Compiled: one agent's 0/1 knapsack in real numbers, by reduction and dynamic programming.

Items that the fractional bound (Dantzig 1957) decides are fixed, as no better solution than the
greedy one has them otherwise; the few others are left to the table (Balas and Zemel 1980 on cores).
Very wide tables are not filled: then the bound stands for the value and the greedy set for the
solution, which keeps the Lagrangian bound valid.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.matching.engine.compiled import inner
from services.matching.engine.limits import IntArray

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]

MOST_TABLE = 4_000_000


@inner
def pack(
    profit: FloatArray, use: IntArray, capacity: int, chosen: ByteArray
) -> tuple[float, float, int]:
    """The largest sum of ``profit`` that fits, and the worth of one more unit of capacity.

    ``chosen[items]`` is set to 1 for the items of a best solution. Third are the steps taken.
    """
    count = 0
    total, value = 0, 0.0
    items = np.empty(len(profit), np.int64)
    for j in range(len(profit)):
        chosen[j] = 0
        if profit[j] > 0.0 and use[j] <= capacity:
            items[count] = j
            count += 1
            total += use[j]
            value += profit[j]
    if total <= capacity:
        for q in range(count):
            chosen[items[q]] = 1
        return value, 0.0, len(profit)
    rate = np.empty(count)
    for q in range(count):
        rate[q] = -profit[items[q]] / use[items[q]]
    items = items[:count][np.argsort(rate)]
    left, low, high, price = capacity, 0.0, 0.0, -1.0
    for q in range(count):
        j = items[q]
        if use[j] <= left:
            left -= use[j]
            low += profit[j]
            chosen[j] = 1
            if price < 0.0:
                high += profit[j]
        elif price < 0.0:
            price = profit[j] / use[j]
            high += price * left
    best, steps = _refine(profit, use, capacity, chosen, items, low, high, price)
    return best, price, len(profit) + 4 * count + steps


@inner
def _refine(
    profit: FloatArray,
    use: IntArray,
    capacity: int,
    chosen: ByteArray,
    items: IntArray,
    low: float,
    high: float,
    price: float,
) -> tuple[float, int]:
    """The best value and steps, from the greedy set worth ``low`` and the bound ``high``."""
    slack = 1e-9 * (1.0 + abs(high))
    core = np.empty(len(items), np.int64)
    count, room, base = 0, capacity, 0.0
    for q in range(len(items)):
        j = items[q]
        gain = profit[j] - price * use[j]
        if high - abs(gain) > low + slack:
            core[count] = j
            count += 1
        elif gain > 0.0:
            base += profit[j]
            room -= use[j]
    if count == 0 or room <= 0:
        return low, 0
    if count * (room + 1) > MOST_TABLE:
        return high, 0
    best = np.zeros(room + 1)
    take = np.zeros((count, room + 1), np.uint8)
    for q in range(count):
        gain, size = profit[core[q]], use[core[q]]
        for c in range(room, size - 1, -1):
            if best[c - size] + gain > best[c]:
                best[c] = best[c - size] + gain
                take[q, c] = 1
    steps = count * room // 2
    if base + best[room] <= low:
        return low, steps
    for q in range(len(items)):
        chosen[items[q]] = 1 if profit[items[q]] - price * use[items[q]] > 0.0 else 0
    c = room
    for q in range(count - 1, -1, -1):
        chosen[core[q]] = take[q, c]
        if take[q, c]:
            c -= use[core[q]]
    return base + best[room], steps
