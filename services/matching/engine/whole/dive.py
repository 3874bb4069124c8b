"""Compiled: diving by agents at Lagrangian prices, from the whole or inside an assignment.

Some agents (or all) give their jobs back. At prices that are found anew after each step, the agent
whose knapsack is least disputed keeps exactly what its knapsack holds, and is closed; the last few
are closed together by enumeration. It is diving in the Dantzig-Wolfe master of the problem (Sadykov
et al. 2019, *Primal heuristics for branch and price: the assets of diving methods*) with prices by
subgradients instead of columns, used as the repair step of a large-neighbourhood search. A dive
ends as soon as its Lagrangian bound says that it can't reach the target.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled, inner
from services.matching.engine.limits import IntArray
from services.matching.engine.whole.closing import NO_COST, close
from services.matching.engine.whole.knapsack import ByteArray, FloatArray, pack

DEFLECTION = 0.3
NODES = 20_000


@inner
def _reprice(
    who: IntArray,
    jobs: IntArray,
    cost: IntArray,
    use: IntArray,
    capacity: IntArray,
    job: FloatArray,
    agent: FloatArray,
    chosen: ByteArray,
    target: float,
    turns: int,
    least: float,
) -> tuple[float, int]:
    """Better prices ``job`` and ``agent``, and the knapsacks ``chosen[s, jobs]`` at the best ones.

    Returns the bound on the cost and the steps taken; stops where the bound exceeds ``target``.
    """
    s, count = len(who), len(jobs)
    best, theta, idle, taken = -np.inf, 1.0, 0, 0
    best_job, price = job.copy(), np.zeros(s)
    direction, left, profit = np.zeros(count), np.zeros(count), np.zeros(count)
    packed, size = np.zeros((s, count), np.uint8), np.empty((s, count), np.int64)
    paid = np.empty((s, count))
    for q in range(s):
        for x in range(count):
            size[q, x], paid[q, x] = use[who[q], jobs[x]], cost[who[q], jobs[x]]
    for _ in range(turns):
        value = 0.0
        for x in range(count):
            value += job[x]
            left[x] = 1.0
        for q in range(s):
            for x in range(count):
                profit[x] = job[x] - paid[q, x]
            gain, price[q], steps = pack(profit, size[q], capacity[who[q]], packed[q])
            taken += steps
            value -= gain
            for x in range(count):
                left[x] -= packed[q, x]
        if value > best + 1e-9:
            best, idle = value, 0
            best_job[:] = job
            chosen[:, :] = packed
            for q in range(s):
                agent[who[q]] = price[q]
        else:
            idle += 1
            if idle == 4:
                idle, theta = 0, theta * 0.6
                job[:] = best_job
        if best > target + 1e-6:
            break
        length = 0.0
        for x in range(count):
            direction[x] = DEFLECTION * direction[x] + left[x]
            length += direction[x] * direction[x]
        if length == 0.0:
            break
        step = theta * max(target - value, least) / length
        for x in range(count):
            job[x] += step * direction[x]
    job[:] = best_job
    return best, taken


@inner
def _least_disputed(chosen: ByteArray, agent: FloatArray, who: IntArray) -> int:
    """Place of the agent to close: few of its jobs are wanted by others too; chance breaks ties."""
    wanted = np.zeros(chosen.shape[1], np.int64)
    for q in range(chosen.shape[0]):
        wanted += chosen[q]
    pick, least = 0, np.inf
    for q in range(chosen.shape[0]):
        score = 2.0 * np.random.random()
        if agent[who[q]] <= 0.0:
            # Nothing is scarce there: it takes what the others leave, so it waits.
            score += 1e6
        for x in range(chosen.shape[1]):
            if chosen[q, x] and wanted[x] > 1:
                score += 1.0
        if score < least:
            pick, least = q, score
    return pick


@inner
def _dive(
    who: IntArray,
    jobs: IntArray,
    cost: IntArray,
    use: IntArray,
    capacity: IntArray,
    prices: FloatArray,
    noise: float,
    target: int,
    turns: int,
    last: int,
    out: IntArray,
) -> tuple[int, int]:
    """Work and cost (NO_COST if above ``target``) of one dive; ``out[J]`` is set for ``jobs``."""
    job, agent = np.empty(len(jobs)), np.zeros(cost.shape[0])
    for x in range(len(jobs)):
        job[x] = prices[jobs[x]] + noise * (np.random.random() - 0.5)
    fixed, work = 0, 0
    while True:
        chosen = np.zeros((len(who), len(jobs)), np.uint8)
        bound, taken = _reprice(
            who, jobs, cost, use, capacity, job, agent, chosen, target - fixed, turns, noise
        )
        work += taken
        if bound > target - fixed + 1e-6:
            return work, NO_COST
        if len(who) <= last:
            place = np.zeros(len(jobs), np.int64)
            nodes, rest = close(who, jobs, cost, use, capacity, agent, target - fixed, NODES, place)
            if rest < NO_COST:
                out[jobs] = place
                rest += fixed
            return work + 4 * nodes, rest
        pick = _least_disputed(chosen, agent, who)
        kept = chosen[pick] == 0
        for x in range(len(jobs)):
            if not kept[x]:
                out[jobs[x]] = who[pick]
                fixed += cost[who[pick], jobs[x]]
        jobs, job = jobs[kept], job[kept]
        who = np.concatenate((who[:pick], who[pick + 1 :]))
        if len(jobs) == 0:
            return work, fixed if fixed <= target else NO_COST


@compiled
def dives(
    cost: IntArray,
    use: IntArray,
    capacity: IntArray,
    prices: FloatArray,
    agent: IntArray,
    seed: int,
    most: int,
    noise: float,
    work: int,
    goal: int,
    trace: IntArray,
) -> int:
    """Dive in random sets of agents from the feasible ``agent[J]``, which is improved in place.

    Ends after ``work`` units or at a cost of ``goal``; returns the cost. ``trace`` counts the
    dives and those that gained.
    """
    np.random.seed(seed)
    agents, jobs = cost.shape
    now, done = 0, 0
    for j in range(jobs):
        now += cost[agent[j], j]
    out = np.empty(jobs, np.int64)
    while done < work and now > goal:
        size = min(agents, np.random.randint(min(8, most), most + 1))
        who = np.random.permutation(agents)[:size]
        freed = np.zeros(agents, np.uint8)
        freed[who] = 1
        own = np.flatnonzero(freed[agent] == 1)
        spent = 0
        for x in range(len(own)):
            spent += int(cost[agent[own[x]], own[x]])
        turns, last = np.random.randint(25, 65), np.random.randint(3, 6)
        used, found = _dive(who, own, cost, use, capacity, prices, noise, spent, turns, last, out)
        done += used + jobs
        trace[0] += 1
        if found <= spent:
            trace[1] += found < spent
            agent[own] = out[own]
            now += found - spent
    return now
