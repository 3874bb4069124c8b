"""Parts of a market as units of work: what a part needs to be solved anywhere, and what that gives.

A unit carries all that its answer depends on, so whoever solves it gives the same bytes: this
process, another one, or a matching worker on another machine with the same libraries.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.matching.engine.components import Part
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.prices import Prices

# Told of a part that is solved elsewhere: its index, the best value so far, and a bound.
Step = Callable[[int, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Unit:
    """One part as a market of its own, and the limits of its search.

    ``seconds`` is the wall limit, a safety net; ``deterministic_limit`` is the part's own share of
    the whole solve's.
    """

    market: Market
    seed: int
    deterministic_limit: float
    gap_permille: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Solved:
    """What solving one part gives.

    ``prices`` and ``demand_price`` (only where demands go whole to one offer) are those that prove
    a bound; ``bound`` is the best one known, CP-SAT's word included. ``quantity[X]`` in ticks.
    ``complete`` is false where the wall clock or a stop ended something.
    """

    prices: Prices
    demand_price: np.ndarray[tuple[int], np.dtype[np.float64]] | None
    bound: int
    quantity: IntArray
    complete: bool

    def fits(self, market: Market) -> bool:
        """Whether the arrays have the part's shape and hold what such arrays may hold."""
        prices, quantity = self.prices, self.quantity
        shapes = [
            (prices.slot, market.slots),
            (prices.cap, market.caps),
            (prices.budget, market.demands),
        ]
        if self.demand_price is not None:
            shapes.append((self.demand_price, market.demands))
        sound = all(len(a) == n and np.isfinite(a).all() and (a >= 0).all() for a, n in shapes)
        if prices.pair is not None:
            sound &= len(prices.pair) == market.pairs and bool(np.isfinite(prices.pair).all())
        return sound and len(quantity) == market.variables and bool((quantity >= 0).all())


class Elsewhere(Protocol):
    """Where parts can be sent to be solved; all calls come from the solve's own thread.

    ``hands`` is how many solve at the same time, we among them; parts of fewer than
    ``least_variables`` are not worth the way.
    """

    hands: int
    least_variables: int

    def send(self, index: int, unit: Unit) -> None:
        """Let part ``index`` be solved by whoever takes it, ourselves perhaps."""

    def follow(self, step: Step) -> None:
        """Have ``step`` called, from any thread, with the progress of what is solved elsewhere."""

    def next(self, stopped: Callable[[], bool]) -> tuple[int, Solved | None]:
        """Wait for one of the parts sent: its answer, or None where it is ours to solve now.

        Each part comes once. After a stop whatever is left is ours.
        """

    def kept(self, index: int) -> None:
        """We have solved part ``index`` ourselves."""


def worth_sending(parts: Sequence[Part], least_variables: int) -> list[int]:
    """Parts large enough to be sent, the largest first; none where only one is."""
    sizes = [part.market.variables for part in parts]
    large = [index for index, size in enumerate(sizes) if size >= least_variables]
    if len(large) < 2:
        return []
    return sorted(large, key=lambda index: (-sizes[index], index))


def wall_shares(sizes: Sequence[int], hands: int) -> list[float]:
    """Per part the share of the wall time that it may take, where ``hands`` solve at once.

    Parts go to whoever has least to do, largest first (Graham 1969), and take time by size: so
    all of them end within the whole.
    """
    loads = [0] * hands
    for size in sorted(sizes, reverse=True):
        heapq.heapreplace(loads, loads[0] + size)
    longest = max(loads) or 1
    return [size / longest for size in sizes]
