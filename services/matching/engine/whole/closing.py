"""Compiled: a few agents and their jobs solved by enumeration in the order of reduced cost.

With prices of capacity, cost = constant + the jobs' reduced costs + the price of idle capacity, all
of them at least zero: what costs more than the target allows is cut off at once (depth first).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.compiled import compiled, inner
from services.matching.engine.limits import IntArray
from services.matching.engine.whole.knapsack import FloatArray

NO_COST = 2**60


class Choices(NamedTuple):
    """Options of the undecided jobs, dearest second choice first."""

    job: IntArray  # [F] place of the job among the given ones
    options: IntArray  # [F]
    agent: IntArray  # [F, s] place of the agent, cheapest first
    extra: FloatArray  # [F, s] reduced cost above the cheapest
    room: IntArray  # [s] left after the decided jobs
    spread: IntArray  # [F + 1, s] the most that the jobs from here on could still take
    budget: float  # extra and idle capacity may cost this much


@inner
def _choices(
    who: IntArray,
    jobs: IntArray,
    cost: IntArray,
    use: IntArray,
    capacity: IntArray,
    price: FloatArray,
    target: float,
    out: IntArray,
) -> Choices:
    """The options within the budget; a negative budget where there is no way."""
    s, count = len(who), len(jobs)
    agent, extra = np.zeros((count, s), np.int64), np.zeros((count, s))
    options, least = np.zeros(count, np.int64), np.zeros(count)
    budget = target + 1e-6
    for q in range(s):
        budget += price[who[q]] * capacity[who[q]]
    for x in range(count):
        least[x] = np.inf
        for q in range(s):
            i = who[q]
            if use[i, jobs[x]] <= capacity[i]:
                least[x] = min(least[x], cost[i, jobs[x]] + price[i] * use[i, jobs[x]])
        budget -= least[x]
    room, free, key = capacity[who].copy(), np.zeros(count, np.int64), np.zeros(count)
    undecided = 0
    for x in range(count):
        j, k = jobs[x], 0
        for q in range(s):
            i = who[q]
            d = cost[i, j] + price[i] * use[i, j] - least[x]
            if d < budget and use[i, j] <= capacity[i]:
                p = k
                while p > 0 and extra[x, p - 1] > d:
                    extra[x, p], agent[x, p] = extra[x, p - 1], agent[x, p - 1]
                    p -= 1
                extra[x, p], agent[x, p] = d, q
                k += 1
        options[x] = k
        if k == 0:
            budget = -1.0
        elif k == 1:
            out[x] = agent[x, 0]
            room[agent[x, 0]] -= use[who[agent[x, 0]], j]
        else:
            free[undecided], key[undecided] = x, -extra[x, 1]
            undecided += 1
    if budget > 0.0 and room.min() < 0:
        budget = -1.0
    order = free[:undecided][np.argsort(key[:undecided])]
    spread = np.zeros((undecided + 1, s), np.int64)
    for r in range(undecided - 1, -1, -1):
        x = order[r]
        spread[r] = spread[r + 1]
        for p in range(options[x]):
            spread[r, agent[x, p]] += use[who[agent[x, p]], jobs[x]]
    return Choices(order, options[order], agent[order], extra[order], room, spread, budget)


@compiled
def close(
    who: IntArray,
    jobs: IntArray,
    cost: IntArray,
    use: IntArray,
    capacity: IntArray,
    price: FloatArray,
    target: float,
    nodes: int,
    out: IntArray,
) -> tuple[int, int]:
    """Give ``jobs`` to the agents ``who`` at a cost of at most ``target``, the best within nodes.

    Returns the nodes used and the cost (NO_COST if none was found); ``out[x]`` is the agent.
    """
    of = _choices(who, jobs, cost, use, capacity, price, target, out)
    if of.budget <= 0.0:
        return 0, NO_COST
    s, depth = len(who), len(of.job)
    budget, found, r, used = of.budget, False, 0, 0
    following, taken = np.zeros(depth + 1, np.int64), np.zeros(depth, np.int64)
    so_far, room = np.zeros(depth + 1), of.room
    while r >= 0:
        if r == depth:
            spent = so_far[r]
            for q in range(s):
                spent += price[who[q]] * room[q]
            if spent < budget:
                budget, found = spent - 0.999, True
                for t in range(depth):
                    out[of.job[t]] = taken[t]
        elif following[r] < of.options[r] and so_far[r] + of.extra[r, following[r]] < budget:
            p = following[r]
            following[r] += 1
            q = of.agent[r, p]
            size = use[who[q], jobs[of.job[r]]]
            if size > room[q]:
                continue
            used += 1
            if used > nodes:
                break
            low = so_far[r] + of.extra[r, p]
            room[q] -= size
            for t in range(s):
                low += price[who[t]] * max(0, room[t] - of.spread[r + 1, t])
            if low < budget:
                taken[r], so_far[r + 1] = q, so_far[r] + of.extra[r, p]
                r += 1
                if r < depth:
                    following[r] = 0
            else:
                room[q] += size
            continue
        else:
            following[r] = 0
        r -= 1
        if r >= 0:
            room[taken[r]] += use[who[taken[r]], jobs[of.job[r]]]
    if not found:
        return used, NO_COST
    total = 0
    for x in range(len(jobs)):
        out[x] = who[out[x]]
        total += cost[out[x], jobs[x]]
    return used, total
