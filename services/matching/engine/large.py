"""Solving a part in compiled loops: prices, one guided sweep, ruin and recreate.

The walk goes in rounds. In each, the part is cut into sides which are worked on at the same time;
the cut lies elsewhere each time. How many sides and turns there are depends on the part alone, so
that any number of threads gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from services.matching.engine.ascent import Ascent
from services.matching.engine.compact import Compact, by_price, compact
from services.matching.engine.desk import loaded_state
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.prices import Prices
from services.matching.engine.recreate import close_below_run, new_memory, sweep, walk
from services.matching.engine.serving import FloatArray, new_desk, new_state
from services.matching.engine.sides import homes, sides_of, walk_order

# Turns of the walk per unit of deterministic time, on the whole part.
TURNS_PER_UNIT = 60_000
ROUNDS = 12
# A part of this many demands is cut in two, of n squared times as many in n times as many sides.
SMALLEST_CUT = 5000
MOST_SIDES = 16
# Cuts that take turns: two walks over the offers, three places where sides begin.
CUTS = 6
# How often in a thousand looks the walk overlooks a pair, so that it does not always choose alike.
BLINKS = 100
# Turns between two looks at the clock.
SLICE = 2000
# Temperatures, as shares of the mean worth of a served demand.
HOT, COLD = 0.01, 0.001
# They are lower where what is served is nearer to the goal than such a share of it.
NEAR = 0.05
# A demand that misses more than this share of what it could be worth is begun with more often.
MISSED = 0.03
# Sweeps are looked at between so many demands.
STRETCH = 4096


class LargePart:
    """One part in compact rows, with its prices and what is served so far."""

    def __init__(self, market: Market, workers: int) -> None:
        self._market, self._workers = market, workers
        self._sorting = compact(market, keep=True)
        self._rows = self._sorting.rows
        self._state = new_state(self._rows, market.slot_capacity, market.cap_limit)
        self._ascent = Ascent(market, self._sorting, workers)
        self._everywhere = np.zeros(market.offers, dtype=np.int64)
        self._price = np.zeros(market.slots)

    def prices(self, stopped: Callable[[], bool]) -> Prices:
        """Prices with a low bound; they guide all that follows."""
        prices = self._ascent.prices(stopped)
        self._guide(prices)
        return prices

    def _guide(self, prices: Prices) -> None:
        """Let these prices lead what follows; nothing may be served yet."""
        self._price, self._each = prices.slot, self._ascent.best_each(prices)
        self._sorting = by_price(self._sorting, self._price)
        self._rows = self._sorting.rows

    @property
    def value(self) -> int:
        """What is served is worth this much."""
        return int(self._state.worth.sum())

    def quantity(self) -> IntArray:
        """What is served, as ``quantity[X]`` of the market."""
        found = np.zeros(self._market.variables, dtype=np.int64)
        found[self._sorting.x] = self._state.quantity
        return found

    def load(self, quantity: IntArray) -> None:
        """Go on from a feasible ``quantity[X]`` of the market instead of what is served."""
        self._state = loaded_state(self._market, self._sorting, quantity)

    def sweep(self, stopped: Callable[[], bool]) -> bool:
        """Serve all demands once, in the order of `_order`; whether it could end."""
        c, s, desk = self._rows, self._state, new_desk(self._rows)
        order = self._order()
        ended = self._serve(order, stopped)
        runs = np.flatnonzero(self._market.min_run > 0)
        least = self._market.min_run
        # Whoever is closed stays closed, so this ends; it may not be left before it has.
        while True:
            used = s.offer_used[runs]
            below = runs[(used > 0) & (used < least[runs])]
            if not len(below):
                break
            below = below[np.argsort(s.offer_used[below] / least[below], kind="stable")]
            close_below_run(c, s, desk, self._price, self._everywhere, below)
        s.closed[runs] = s.offer_used[runs] == 0
        return self._serve(order, stopped) and ended

    def _serve(self, order: IntArray, stopped: Callable[[], bool]) -> bool:
        desk = new_desk(self._rows)
        for start in range(0, len(order), STRETCH):
            if stopped():
                return False
            some = order[start : start + STRETCH]
            sweep(self._rows, self._state, desk, self._price, self._everywhere, -1, some)
        return True

    def _order(self) -> IntArray:
        """Demands with a pair, by what they could be worth at the prices over the root of size.

        By worth alone, large ones come too early; by worth per tick, too late.
        """
        m = self._market
        able = np.flatnonzero(np.diff(self._rows.lines["pair0"][self._rows.demands["line0"]]))
        size = np.bincount(m.line_demand, weights=m.line_quantity, minlength=m.demands)
        order = np.argsort(-self._each[able] / np.sqrt(np.maximum(size[able], 1)), kind="stable")
        return np.asarray(able[order], dtype=np.int64)

    def improve(
        self,
        units: float,
        goal: int,
        seed: int,
        stopped: Callable[[], bool],
        better: Callable[[int], None],
    ) -> bool:
        """Walk for so many units of deterministic time, or to ``goal``; whether it could end."""
        if self.value >= goal:
            return True
        c, s, m = self._rows, self._state, self._market
        count = int(np.clip(2 * np.sqrt(m.demands / SMALLEST_CUT), 1, MOST_SIDES))
        desks = [new_desk(c, seed * MOST_SIDES + at, BLINKS) for at in range(count)]
        memories = [new_memory(c, seed * MOST_SIDES + at) for at in range(count)]
        orders = [np.empty(m.offers, dtype=np.int64) for _ in range(2)]
        walk_order(c, 0, orders[0])
        walk_order(c, int(orders[0][-1]), orders[1])
        turns = max(1, int(units * TURNS_PER_UNIT) // ROUNDS)
        home = np.empty(m.demands, dtype=np.int64)
        mean = float(s.worth[s.worth > 0].mean()) if (s.worth > 0).any() else 1.0
        mean *= min(1.0, (goal - self.value) / (NEAR * max(1, abs(goal))))

        def cut(at: int) -> IntArray:
            return sides_of(c, orders[at % 2], count, at // 2 / (CUTS // 2))

        with ThreadPoolExecutor(self._workers, thread_name_prefix="walk") as pool:
            cuts = list(pool.map(cut, range(CUTS if count > 1 else 1)))
            for turn in range(ROUNDS):
                side = cuts[turn % len(cuts)]
                homes(c, s, self._price, side, home)
                shared = self._share_caps(side, count)
                seeds = self._seeds()
                heat = mean * HOT * (COLD / HOT) ** (turn / ROUNDS)
                cool = mean * HOT * (COLD / HOT) ** ((turn + 1) / ROUNDS)

                def one(own: int) -> bool:
                    mine = seeds[home[seeds] == own]  # noqa: B023 - ends with its round
                    local = s._replace(cap_left=shared[own])  # noqa: B023
                    own_turns = turns * len(mine) // max(1, len(seeds))  # noqa: B023
                    memories[own].mark[:] = -1
                    for first in range(0, own_turns, SLICE):
                        if stopped():
                            return False
                        walk(
                            c,
                            local,
                            desks[own],
                            memories[own],
                            self._price,
                            side,  # noqa: B023
                            own,
                            home,
                            mine,
                            np.array([first, min(SLICE, own_turns - first), own_turns]),
                            heat,  # noqa: B023
                            cool,  # noqa: B023
                        )
                    return True

                ended = all(list(pool.map(one, range(count))))
                self._gather_caps()
                better(self.value)
                if not ended:
                    return False
                if self.value >= goal:
                    return True
        return True

    def _seeds(self) -> IntArray:
        """Demands that could be served, those that miss most twice more."""
        c = self._rows
        able = np.flatnonzero(np.diff(c.lines["pair0"][c.demands["line0"]]))
        missed = able[self._each[able] - self._reached()[able] > MISSED * self._each[able]]
        return np.concatenate([able, missed, missed])

    def _reached(self) -> FloatArray:
        """Per demand what it is worth less the price of what it takes."""
        c, s = self._rows, self._state
        own = np.flatnonzero(s.quantity)
        pair = np.searchsorted(c.pairs["x0"][:-1], own, side="right") - 1
        paid = self._price[c.xs["slot"][own]] * c.pairs["use"][pair] * s.quantity[own]
        demand = c.lines["demand"][c.pairs["line"][pair]]
        spent = np.bincount(demand, weights=paid, minlength=self._market.demands)
        return np.asarray(s.worth - spent, dtype=np.float64)

    def _share_caps(self, side: IntArray, count: int) -> list[IntArray]:
        """What is left of each cap, shared by the sides as its pairs are."""
        c, left = self._rows, self._state.cap_left
        if count == 1 or not len(left):
            return [left.copy() for _ in range(count)]
        owner = side[c.pairs["offer"][np.repeat(np.arange(len(c.pairs) - 1), _sizes(c))]]
        users = np.zeros((count, len(left)), dtype=np.int64)
        np.add.at(users, (owner, c.cap), 1)
        return [users[own] * left // np.maximum(users.sum(axis=0), 1) for own in range(count)]

    def _gather_caps(self) -> None:
        """Count what is left of each cap anew, from what the pairs carry."""
        c, s = self._rows, self._state
        ticks = np.repeat(s.pair_ticks, _sizes(c))
        used = np.bincount(c.cap, weights=ticks, minlength=len(s.cap_left)).astype(np.int64)
        s.cap_left[:] = self._market.cap_limit - used


def _sizes(c: Compact) -> IntArray:
    return np.diff(c.pairs["cap0"])
