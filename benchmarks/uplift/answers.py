"""How parties answer: acceptance, refusal and no-shows, the same for every way of matching.

Each party's mind about a pair is a number drawn from a hash of seed, demand, firm and question. So
whoever brings the two together, and when, gets the same answer: what differs between the ways of
matching is whom they bring together, not their luck.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.uplift.world import Bools, Floats, Ints, World

Words = npt.NDArray[np.uint64]

BUYER, SELLER, NO_SHOW, CALL, LISTING = range(5)
"""What is asked of the hash: two answers, whether work is done, and the orders of chance."""
_AT_NO_SURPLUS: Final = 0.6
_PER_SURPLUS: Final = 5.0
_PER_GRADE: Final = 0.4
_MIDDLE_GRADE: Final = 2
_NO_SHOWS: Final = np.array([0.12, 0.09, 0.06, 0.04, 0.02])
"""By the firm's credit grade: how often agreed work is not done."""


def uniform(seed: int, question: int, first: Ints, second: Ints) -> Floats:
    """Numbers in [0, 1) that depend on nothing but the arguments (SplitMix64: Steele 2014)."""
    begin = (seed * 0xD1342543DE82EF95 + question) % 2**64
    state = np.full(np.shape(first), begin, dtype=np.uint64)
    for part in (first, second):
        state = _mixed(state + np.asarray(part).astype(np.uint64))
    return np.asarray((state >> np.uint64(11)) / 2.0**53, dtype=np.float64)


def _mixed(state: Words) -> Words:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def chance(world: World, demand: Ints, firm: Ints) -> tuple[Floats, Floats]:
    """Probability that the buyer, and that the seller, accepts the pair: a logit of what is in it.

    Each looks at its own surplus as a share of the price, and at the other's credit grade.
    """
    firms, demands = world.firms, world.demands
    gain = world.surplus(demand, firm) / np.maximum(demands.limit[demand], 1)
    margin = 1 - firms.cost[firm] / np.maximum(firms.price[firm], 1)
    return (
        _logistic(gain, firms.credit[firm]),
        _logistic(margin, firms.credit[demands.owner[demand]]),
    )


def _logistic(surplus: Floats, grade: Ints) -> Floats:
    inner = _AT_NO_SURPLUS + _PER_SURPLUS * surplus + _PER_GRADE * (grade - _MIDDLE_GRADE)
    return np.asarray(1 / (1 + np.exp(-inner)), dtype=np.float64)


def accepted(world: World, demand: Ints, firm: Ints) -> Bools:
    """Whether both parties accept, by pair."""
    buyer, seller = chance(world, demand, firm)
    yes = uniform(world.seed, BUYER, demand, firm) < buyer
    return yes & (uniform(world.seed, SELLER, demand, firm) < seller)


def shows_up(world: World, demand: Ints, firm: Ints) -> Bools:
    """Whether the firm then does the work, by pair."""
    chances = _NO_SHOWS[world.firms.credit[firm]]
    return np.asarray(uniform(world.seed, NO_SHOW, demand, firm) >= chances)
