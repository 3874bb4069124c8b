"""Compiled: local search by shifts, swaps and ejection chains, with a moving price of overload.

After Yagiura, Ibaraki and Glover (2004, *An ejection chain approach for the generalized assignment
problem*): capacities may be broken at a price per agent that rises while the agent stays overfull
and falls while all capacities hold. Jobs to move are looked for in the order of their reduced cost.
It only has to find a decent feasible start; `dive` goes on from there.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled, inner
from services.matching.engine.limits import IntArray
from services.matching.engine.whole.ledger import (
    Field,
    Ledger,
    ask_again,
    move,
    open_ledger,
    over,
)

FIRST_LINKS = 10
SECOND_LINKS = 5
NO_COST = 2**60
LOG = 4096
LEAST_GAIN = 1e-6


@inner
def _shift_or_swap(field: Field, book: Ledger, j: int, plan: IntArray) -> float:
    """The best shift of ``j``, or swap with another job; the plan is (moves, job, agent, ...)."""
    i = book.agent[j]
    best, size = -LEAST_GAIN, field.use[i, j]
    now, freed = over(field, book, i, 0), over(field, book, i, -size)
    plan[0] = 0
    for x in range(field.able[j]):
        k = field.near[j, x]
        if k == i:
            continue
        step, there = field.cost[k, j] - field.cost[i, j], over(field, book, k, 0)
        gain = step + freed - now + over(field, book, k, field.use[k, j]) - there
        if gain < best:
            best, plan[0], plan[1], plan[2] = gain, 1, j, k
        for y in range(book.held[k]):
            p = book.jobs[k, y]
            gain = step + field.cost[i, p] - field.cost[k, p] - now - there
            if gain >= best:
                continue
            gain += over(field, book, i, field.use[i, p] - size)
            gain += over(field, book, k, field.use[k, j] - field.use[k, p])
            if gain < best:
                best, plan[0], plan[1], plan[2], plan[3], plan[4] = gain, 2, j, k, p, i
    return best


@inner
def _chain(field: Field, book: Ledger, j: int, plan: IntArray) -> float:
    """The best chain: ``j`` makes room for ``p`` from k, perhaps that for ``q``; ``j`` goes on."""
    i = book.agent[j]
    best, seen = -LEAST_GAIN, 0
    plan[0] = 0
    for x in range(field.wanted.shape[1]):
        p = field.wanted[i, x]
        k = book.agent[p]
        if k == i:
            continue
        seen += 1
        if seen > FIRST_LINKS or plan[0] > 0:
            break
        first = field.cost[i, p] - field.cost[k, p] - field.cost[i, j]
        first += over(field, book, i, field.use[i, p] - field.use[i, j]) - over(field, book, i, 0)
        left = first + over(field, book, k, -field.use[k, p]) - over(field, book, k, 0)
        for z in range(field.able[j]):
            t = field.near[j, z]
            if t != i and t != k:
                gain = left + field.cost[t, j] - over(field, book, t, 0)
                gain += over(field, book, t, field.use[t, j])
                if gain < best:
                    best, plan[0], plan[1], plan[2], plan[3], plan[4] = gain, 2, p, i, j, t
        best = _longer(field, book, j, p, first, best, plan)
    return best


@inner
def _longer(
    field: Field, book: Ledger, j: int, p: int, first: float, best: float, plan: IntArray
) -> float:
    """Chains with a third job q into the place of ``p``; ``j`` to where q was or anywhere."""
    i, k, seen = book.agent[j], book.agent[p], 0
    for y in range(field.wanted.shape[1]):
        q = field.wanted[k, y]
        h = book.agent[q]
        if h in (k, i) or q == j:
            continue
        seen += 1
        if seen > SECOND_LINKS:
            break
        second = first + field.cost[k, q] - field.cost[h, q] - over(field, book, k, 0)
        second += over(field, book, k, field.use[k, q] - field.use[k, p]) - over(field, book, h, 0)
        for z in range(-1, field.able[j]):
            t = h if z < 0 else field.near[j, z]
            if t in (i, k) or (t == h and z >= 0):
                continue
            gain = second + field.cost[t, j]
            if t == h:
                gain += over(field, book, h, field.use[h, j] - field.use[h, q])
            else:
                gain += over(field, book, h, -field.use[h, q])
                gain += over(field, book, t, field.use[t, j]) - over(field, book, t, 0)
            if gain < best:
                best, plan[0], plan[1], plan[2] = gain, 3, p, i
                plan[3], plan[4], plan[5], plan[6] = q, k, j, t
    return best


@inner
def _descend(field: Field, book: Ledger, plan: IntArray, log: IntArray, logged: int) -> int:
    """Moves that gain until no waiting job has one; they are added to ``log`` as (job, from)."""
    while book.ring[1] > 0:
        j = book.queue[book.ring[0]]
        book.ring[0] = (book.ring[0] + 1) % len(book.queue)
        book.ring[1] -= 1
        book.waiting[j] = 0
        if logged + 3 > LOG:
            continue
        if _shift_or_swap(field, book, j, plan) >= -LEAST_GAIN:
            _chain(field, book, j, plan)
        for x in range(plan[0]):
            p, k = plan[1 + 2 * x], plan[2 + 2 * x]
            i = book.agent[p]
            log[logged, 0], log[logged, 1] = p, i
            logged += 1
            move(field, book, p, k)
            ask_again(book, i)
            ask_again(book, k)
    return logged


@inner
def _worth(field: Field, book: Ledger) -> tuple[int, float, int]:
    """Cost, fines and overload of the ledger."""
    cost, fine, excess = 0, 0.0, 0
    for j in range(len(book.agent)):
        cost += field.cost[book.agent[j], j]
    for i in range(len(book.load)):
        fine += over(field, book, i, 0)
        excess += max(0, book.load[i] - field.capacity[i])
    return cost, fine, excess


@compiled
def chains(
    field: Field, agent: IntArray, seed: int, kicks: int, patience: int
) -> tuple[int, IntArray]:
    """The best feasible cost (NO_COST if none) and ``agent[J]`` after so many kicks.

    Ends early after ``patience`` kicks without a better feasible assignment, once there is one.
    """
    np.random.seed(seed)
    jobs = field.cost.shape[1]
    book = open_ledger(field, agent)
    plan, log = np.zeros(8, np.int64), np.zeros((LOG, 2), np.int64)
    best, best_agent, since = NO_COST, agent.copy(), 0
    while book.ring[1] > 0:
        _descend(field, book, plan, log, 0)
    cost, fine, excess = _worth(field, book)
    for kick in range(kicks):
        before = cost + fine
        if excess == 0 and cost < best:
            best, since = cost, 0
            best_agent[:] = book.agent
        since += 1
        if since > patience and best < NO_COST:
            break
        logged = 0
        for _ in range(2):
            j = np.random.randint(jobs)
            k = field.near[j, int(field.able[j] * np.random.random() ** 2)]
            i = book.agent[j]
            if k != i:
                log[logged, 0], log[logged, 1] = j, i
                logged += 1
                move(field, book, j, k)
                ask_again(book, i)
                ask_again(book, k)
        logged = _descend(field, book, plan, log, logged)
        cost, fine, excess = _worth(field, book)
        if excess == 0 and cost < best:
            continue
        if cost + fine > before + 0.5 * np.random.random() * (1.0 + abs(before)) / jobs:
            for x in range(logged - 1, -1, -1):
                move(field, book, log[x, 0], log[x, 1])
            cost, fine, excess = _worth(field, book)
        if kick % 20 == 0:
            _reprice(field, book, excess, 1.02 if best < NO_COST else 1.4)
            cost, fine, excess = _worth(field, book)
    if excess == 0 and cost < best:
        best = cost
        best_agent[:] = book.agent
    return best, best_agent


@inner
def _reprice(field: Field, book: Ledger, excess: int, factor: float) -> None:
    """Dearer by ``factor`` where overfull; cheaper everywhere while nothing is."""
    for i in range(len(book.load)):
        if book.load[i] > field.capacity[i]:
            book.alpha[i] *= factor
        elif excess == 0:
            book.alpha[i] = max(1.02 * field.price[i], 0.99 * book.alpha[i])
