"""Compiled: who does what at the moment, and moving one job."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.compiled import inner
from services.matching.engine.limits import IntArray
from services.matching.engine.whole.knapsack import ByteArray, FloatArray


class Field(NamedTuple):
    """What does not change: the instance, its prices, and the order in which to look around."""

    cost: IntArray  # [A, J]
    use: IntArray  # [A, J]
    capacity: IntArray  # [A]
    price: FloatArray  # [A] per unit of capacity
    near: IntArray  # [J, K] the job's agents by reduced cost
    able: IntArray  # [J] how many of them to look at
    wanted: IntArray  # [A, J] the agent's jobs by reduced cost


class Ledger(NamedTuple):
    """An assignment, its loads and lists, and the price of overload."""

    agent: IntArray  # [J]
    load: IntArray  # [A]
    jobs: IntArray  # [A, J]
    held: IntArray  # [A] how many jobs in its list
    place: IntArray  # [J] place of the job in its agent's list
    alpha: FloatArray  # [A] price of a unit above capacity
    queue: IntArray  # [J] ring of jobs to look at again
    waiting: ByteArray  # [J] whether a job is in the ring
    ring: IntArray  # [2] first place of the ring, and how many wait


@inner
def over(field: Field, book: Ledger, i: int, change: int) -> float:
    """What agent ``i`` would be fined with ``change`` more load."""
    excess = book.load[i] + change - field.capacity[i]
    return book.alpha[i] * excess if excess > 0 else 0.0


@inner
def move(field: Field, book: Ledger, j: int, k: int) -> None:
    """Give job ``j`` to agent ``k``."""
    i = book.agent[j]
    book.load[i] -= field.use[i, j]
    book.load[k] += field.use[k, j]
    book.held[i] -= 1
    last = book.jobs[i, book.held[i]]
    book.jobs[i, book.place[j]] = last
    book.place[last] = book.place[j]
    book.jobs[k, book.held[k]] = j
    book.place[j] = book.held[k]
    book.held[k] += 1
    book.agent[j] = k


@inner
def ask_again(book: Ledger, i: int) -> None:
    """Put the agent's jobs into the ring."""
    for y in range(book.held[i]):
        j = book.jobs[i, y]
        if not book.waiting[j]:
            book.waiting[j] = 1
            book.queue[(book.ring[0] + book.ring[1]) % len(book.queue)] = j
            book.ring[1] += 1


@inner
def open_ledger(field: Field, agent: IntArray) -> Ledger:
    """The ledger of ``agent[J]`` with every job waiting to be looked at."""
    agents, jobs = field.cost.shape
    book = Ledger(
        agent.copy(),
        np.zeros(agents, np.int64),
        np.empty((agents, jobs), np.int64),
        np.zeros(agents, np.int64),
        np.empty(jobs, np.int64),
        2.0 * field.price + 0.5,
        np.empty(jobs, np.int64),
        np.zeros(jobs, np.uint8),
        np.zeros(2, np.int64),
    )
    for j in range(jobs):
        i = agent[j]
        book.load[i] += field.use[i, j]
        book.jobs[i, book.held[i]] = j
        book.place[j] = book.held[i]
        book.held[i] += 1
    for i in range(agents):
        ask_again(book, i)
    return book
