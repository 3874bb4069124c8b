"""Compiled: prices of jobs and agents by Lagrangian relaxation with one knapsack per agent.

Relaxing "each job once" leaves a knapsack per agent, a bound at least as high as the linear one
(Fisher, Jaikumar and Van Wassenhove 1986, *A multiplier adjustment method for the generalized
assignment problem*). The multipliers follow deflected subgradients (Camerini, Fratta and Maffioli
1975), begun from those that a subgradient ascent on the agents' prices alone gives.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.compiled import compiled
from services.matching.engine.limits import IntArray
from services.matching.engine.whole.knapsack import FloatArray, pack

DEFLECTION = 0.3


class JobPrices(NamedTuple):
    """Price of each job and each agent's unit of capacity, and the bound on the cost."""

    job: FloatArray  # [J]
    agent: FloatArray  # [A]
    bound: float


@compiled
def agent_ascent(
    cost: IntArray, use: IntArray, capacity: IntArray, turns: int, ahead: float
) -> tuple[FloatArray, FloatArray, float]:
    """The linear dual in the agents' prices alone: each job takes its cheapest agent.

    The target of a step is ``ahead`` above the best bound so far; it comes nearer while nothing is
    gained, and goes ahead again where it is reached (Bertsekas 1999, dynamic step sizes).
    """
    agents, jobs = cost.shape
    best, agent = -np.inf, np.zeros(agents)
    best_agent, best_job = agent.copy(), np.zeros(jobs)
    job, load, direction = np.zeros(jobs), np.zeros(agents), np.zeros(agents)
    idle, least = 0, 1e-7 * ahead
    for _ in range(turns):
        value = 0.0
        for i in range(agents):
            load[i] = -capacity[i]
            value -= agent[i] * capacity[i]
        for j in range(jobs):
            cheapest, where = np.inf, 0
            for i in range(agents):
                if use[i, j] <= capacity[i] and cost[i, j] + agent[i] * use[i, j] < cheapest:
                    cheapest, where = cost[i, j] + agent[i] * use[i, j], i
            job[j] = cheapest
            value += cheapest
            load[where] += use[where, j]
        if value > best:
            if value > best + 0.5 * ahead and best > -np.inf:
                ahead *= 1.5
            idle = 0 if value > best + 0.05 * ahead else idle + 1
            best = value
            best_agent[:], best_job[:] = agent, job
        else:
            idle += 1
        if idle >= 40:
            idle, ahead = 0, 0.7 * ahead
            agent[:] = best_agent
        length = 0.0
        for i in range(agents):
            direction[i] = DEFLECTION * direction[i] + load[i]
            if agent[i] <= 0.0 and direction[i] < 0.0:
                direction[i] = 0.0
            length += direction[i] * direction[i]
        if length == 0.0 or ahead < least:
            break
        step = (best + ahead - value) / length
        for i in range(agents):
            agent[i] = max(0.0, agent[i] + step * direction[i])
    return best_agent, best_job, best


@compiled
def job_ascent(
    cost: IntArray,
    use: IntArray,
    capacity: IntArray,
    job: FloatArray,
    turns: int,
    ahead: float,
    start: float,
) -> tuple[FloatArray, FloatArray, float, float]:
    """Better job prices, agents' prices and bound from ``job[J]`` on, which proves ``start``.

    Targets as in `agent_ascent`; the last distance to it is returned too, to go on with.
    """
    agents, jobs = cost.shape
    best, best_job, best_agent = -np.inf, job.copy(), np.zeros(agents)
    agent, count, direction = np.zeros(agents), np.zeros(jobs), np.zeros(jobs)
    chosen, profit, idle = np.zeros(jobs, np.uint8), np.zeros(jobs), 0
    for _ in range(turns):
        value = 0.0
        for j in range(jobs):
            value += job[j]
            count[j] = 1.0
        for i in range(agents):
            for j in range(jobs):
                profit[j] = job[j] - cost[i, j]
            gain, agent[i], _ = pack(profit, use[i], capacity[i], chosen)
            value -= gain
            for j in range(jobs):
                count[j] -= chosen[j]
        if value > best:
            if value > best + 0.5 * ahead and best > -np.inf:
                ahead *= 1.5
            idle = 0 if value > best + 0.05 * ahead else idle + 1
            best = value
            best_job[:], best_agent[:] = job, agent
        else:
            idle += 1
        if idle >= 12:
            idle, ahead = 0, 0.6 * ahead
            job[:] = best_job
        length = 0.0
        for j in range(jobs):
            direction[j] = DEFLECTION * direction[j] + count[j]
            length += direction[j] * direction[j]
        if length == 0.0:
            ahead = 0.0
            break
        step = (max(best, start) + ahead - value) / length
        for j in range(jobs):
            job[j] += step * direction[j]
    return best_job, best_agent, best, ahead
