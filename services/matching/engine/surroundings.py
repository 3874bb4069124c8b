"""Which demands a change concerns: who could make room, and who waits for what became free.

At the prices of the last whole solve a demand's regret is what it could be worth at best less what
it is worth now; who pays the price of what it takes and is left with little is the first to go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching.engine.limits import IntArray
from services.matching.engine.position import Position

FloatArray = npt.NDArray[np.float64]

# Of a demand that is at home in many places, only the best places are looked at.
_PLACES = 64
# Candidates are compared by reading all their pairs, so there are not too many.
_CANDIDATES = 400


@dataclass(frozen=True, eq=False)
class Standings:
    """Per demand, at the present prices: what it lacks, what it earns, its number of variables."""

    regret: FloatArray
    earned: FloatArray
    weight: IntArray


def standings(position: Position, demands: IntArray) -> Standings:
    """How some demands stand, in the order given."""
    order = np.argsort(demands)
    place = np.argsort(order)
    part = position.part(demands[order])
    m = part.market
    tick = position.worth[part.pairs][m.x_pair]
    gain = tick - position.price[part.slots][m.x_slot] * m.pair_use[m.x_pair]
    line = m.pair_line[m.x_pair]
    best = np.zeros(m.lines)
    np.maximum.at(best, line, gain)
    demand = m.line_demand[line]
    earned = np.zeros(len(demands))
    np.add.at(earned, demand, gain * position.quantity[part.variables])
    could = np.zeros(len(demands))
    np.add.at(could, m.line_demand, best * m.line_quantity)
    weight = np.bincount(demand, minlength=len(demands))
    return Standings((could - earned)[place], earned[place], weight[place])


def waiting_for(position: Position, slots: IntArray, most: int) -> IntArray:
    """The demands that regret most of those that could use some slots, at most so many."""
    candidates = position.demands_of(position.x_of_slot.of(slots))
    candidates = _open(position, candidates)
    if not len(candidates):
        return candidates
    found = standings(position, candidates)
    order = np.argsort(-found.regret, kind="stable")[:most]
    chosen: IntArray = np.sort(candidates[order[found.regret[order] > 0]])
    return chosen


def around(position: Position, centre: IntArray, size: int) -> IntArray:
    """Some demands and those that compete with them, up to ``size`` variables.

    Taken in turn: who could make room (who earns least of its place first), and who regrets most.
    """
    xs = position.x.of(position.pairs.of(position.lines.of(centre)))
    view = position.view
    xs = xs[position.open_offer[view.pair_offer[view.x_pair[xs]]]]
    gain = position.worth[view.x_pair[xs]] - position.price[view.x_slot[xs]]
    slots = np.unique(view.x_slot[xs[np.argsort(-gain, kind="stable")[:_PLACES]]])
    others = position.x_of_slot.of(slots)
    users = position.demands_of(others[position.quantity[others] > 0])
    rest = position.demands_of(others)
    users = _open(position, np.setdiff1d(users, centre))
    rest = _open(position, np.setdiff1d(rest, np.union1d(users, centre)))
    candidates = np.concatenate([users, rest])
    if not len(candidates):
        return centre
    found = standings(position, candidates)
    room = np.argsort(found.earned[: len(users)], kind="stable").tolist()
    hopes = np.argsort(-found.regret, kind="stable").tolist()
    left = size - len(xs)
    chosen: set[int] = set()
    for pick in _in_turn(room, [h for h in hopes if found.regret[h] > 0]):
        if pick not in chosen and found.weight[pick] <= left:
            chosen.add(pick)
            left -= int(found.weight[pick])
    everyone: IntArray = np.union1d(centre, candidates[sorted(chosen)])
    return everyone


def _open(position: Position, demands: IntArray) -> IntArray:
    still: IntArray = demands[position.open_demand[demands]]
    return still[:_CANDIDATES]


def _in_turn(one: list[int], other: list[int]) -> list[int]:
    both = [each for pair in zip(one, other, strict=False) for each in pair]
    shorter = min(len(one), len(other))
    return [*both, *one[shorter:], *other[shorter:]]
