"""Prices for compiled loops, found like a market finds them: up where more is asked than there is.

A subgradient ascent on the Lagrangian bound in scaled form: each price moves by the excess of what
is asked at it, as a share of its capacity, averaged over past rounds (deflection: Camerini, Fratta
and Maffioli 1975), with steps that shrink by a fixed factor. What it finds is within some tenths of
a percent of what the simplex method proves on the same relaxation; any prices prove a valid bound.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from services.matching.engine.compact import Sorting
from services.matching.engine.concave import Tariff, fits_of, new_slate
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.oracle import Asked, ask, ask_each
from services.matching.engine.prices import Prices
from services.matching.engine.running import earn, new_load, reachable, runs_of
from services.matching.engine.serving import FloatArray

# Rounds of a large part, of a small one, and of any between: so many looks at a variable in all.
ROUNDS, MOST_ROUNDS, LOOKS = 48, 200, 4_000_000
FIRST_STEP, LAST_STEP = 0.3, 0.003
# While a round lowers the bound by so much, steps stay as long as they are: prices are far off.
FAR = 0.005
# Weight of the newest round among those that set the direction.
NEWEST = 0.4
# Demands are asked in so many shares, whoever asks them, so that sums do not depend on threads; in
# one below so many variables, where handing them out takes longer than asking.
SHARES, SMALLEST_SHARED = 8, 10_000


class Ascent:
    """The bound of one part as a function of prices, and the walk to low ones."""

    def __init__(self, market: Market, sorting: Sorting, workers: int) -> None:
        self._market, self._rows, self._workers = market, sorting.rows, workers
        self._room = market.slot_capacity.astype(np.float64)
        self._limit = market.cap_limit.astype(np.float64)
        self._money = np.maximum(market.budget, 0).astype(np.float64)
        self._has_budget = market.budget >= 0
        shares = 1 if market.variables < SMALLEST_SHARED else SHARES
        self._cuts = _even(sorting, market.demands, shares)
        fits = fits_of(self._rows, market.slot_capacity)
        self._slates = [new_slate(self._rows, fits) for _ in range(shares)]
        self._pair, self._runs = sorting.pair, runs_of(market, sorting.rows)
        self._load, self._took = new_load(self._runs), np.zeros(market.pairs, dtype=np.int64)
        own = self._runs.pair
        self._wide = np.maximum(1.0, (self._rows.pairs["most"] * self._rows.pairs["use"])[own])

    def prices(self, stopped: Callable[[], bool]) -> Prices:
        """The prices with the lowest bound that was met, or until ``stopped``."""
        m = self._market
        tariff = Tariff(np.zeros(m.slots), np.zeros(m.caps), np.zeros(m.demands), self._closed())
        worth_slot, worth_cap = self._typical()
        own, worth_pair = self._runs.pair, self._worth_pair()
        best, lowest, finished = tariff, np.inf, True
        rounds = int(np.clip(LOOKS // max(1, m.variables), ROUNDS, MOST_ROUNDS))
        turn = 0
        ahead: Asked | None = None
        with ThreadPoolExecutor(self._workers, thread_name_prefix="price") as pool:
            for _ in range(2 * rounds):
                bound, asked = self._ask(pool, tariff)
                if not bound < (1 - FAR) * lowest:
                    turn += 1
                if bound < lowest:
                    best, lowest = tariff, bound
                if turn == rounds:
                    break
                if stopped():
                    finished = False
                    break
                excess = Asked(
                    _share(asked.slot - self._room, self._room),
                    _share(asked.cap - self._limit, self._limit),
                    np.where(self._has_budget, _share(asked.budget - self._money, self._money), 0),
                    _share(asked.pair, self._wide),
                )
                ahead = excess if ahead is None else _blend(ahead, excess)
                step = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (turn / rounds)
                pair = tariff.pair.copy()
                pair[own] += step * worth_pair * ahead.pair
                tariff = Tariff(
                    _moved(tariff.slot, step * worth_slot, ahead.slot),
                    _moved(tariff.cap, step * worth_cap, ahead.cap),
                    _moved(tariff.budget, step, ahead.budget),
                    pair,
                )
        pair = np.empty(m.pairs)
        pair[self._pair] = best.pair
        return Prices(best.slot, best.cap, best.budget, finished, pair)

    def best_each(self, prices: Prices) -> FloatArray:
        """Per demand the best reduced value that it could reach at these prices."""
        m = self._market
        each = np.zeros(m.demands)
        own = np.zeros(m.pairs) if prices.pair is None else prices.pair[self._pair]
        tariff = Tariff(prices.slot, prices.cap, prices.budget, own)
        ask_each(self._rows, tariff, self._nothing(), self._slates[0], each)
        return each

    def _ask(self, pool: ThreadPoolExecutor, tariff: Tariff) -> tuple[float, Asked]:
        """The bound at these prices, in real numbers, and what is asked; pairs those of runs."""
        m, together = self._market, self._nothing()

        def one(share: int) -> tuple[float, Asked]:
            # Budgets and pairs are of one demand each, so that shares never meet there.
            own = together._replace(slot=np.zeros(m.slots), cap=np.zeros(m.caps))
            low, high = self._cuts[share], self._cuts[share + 1]
            return ask(self._rows, tariff, own, self._slates[share], low, high), own

        shares = range(len(self._slates))
        parts = list(pool.map(one, shares) if len(shares) > 1 else map(one, shares))
        for _, asked in parts:
            together.slot[:] += asked.slot
            together.cap[:] += asked.cap
        bound = sum(value for value, _ in parts) + float(tariff.slot @ self._room)
        bound += float(tariff.cap @ self._limit)
        r, each = self._runs, np.zeros(len(self._runs.need))
        if len(r.pair):
            earn(r, tariff.pair, self._took, self._load, each)
        left = together.pair[r.pair] - self._took[r.pair]
        return bound + float(each.sum()), together._replace(pair=left)

    def _nothing(self) -> Asked:
        m = self._market
        return Asked(np.zeros(m.slots), np.zeros(m.caps), np.zeros(m.demands), np.zeros(m.pairs))

    def _worth_pair(self) -> FloatArray:
        """Per pair of an offer with a minimum run the worth of a slot tick there."""
        pairs = self._rows.pairs[self._runs.pair]
        return np.asarray(np.maximum(pairs["tick"] / pairs["use"], 0.0), dtype=np.float64)

    def _closed(self) -> FloatArray:
        """Nothing at first, but what forbids pairs of offers that can't reach their run."""
        r, price = self._runs, np.zeros(self._market.pairs)
        if len(r.pair):
            lost = np.repeat(~reachable(r, self._took, self._load), np.diff(r.link0))
            price[r.pair[lost]] = self._worth_pair()[lost]
        return price

    def _typical(self) -> tuple[FloatArray, FloatArray]:
        """Per slot and cap the mean worth of a tick that could go there: the unit of its steps."""
        c, m = self._rows, self._market
        tick = np.maximum(c.pairs["tick"][:-1] / c.pairs["use"][:-1], 0.0)
        slot = c.xs["slot"][:-1]
        by_slot = np.bincount(slot, np.repeat(tick, np.diff(c.pairs["x0"])), m.slots)
        by_cap = np.bincount(c.cap, np.repeat(tick, np.diff(c.pairs["cap0"])), m.caps)
        return (
            by_slot / np.maximum(np.bincount(slot, minlength=m.slots), 1),
            by_cap / np.maximum(np.bincount(c.cap, minlength=m.caps), 1),
        )


def _even(sorting: Sorting, demands: int, shares: int) -> IntArray:
    """Where shares of about equally many variables begin, as demands."""
    c = sorting.rows
    size = c.pairs["x0"][c.lines["pair0"][c.demands["line0"]]]
    cuts = np.searchsorted(size, np.linspace(0, size[-1], shares + 1)).astype(np.int64)
    cuts[0], cuts[-1] = 0, demands
    return cuts


def _share(excess: FloatArray, whole: FloatArray) -> FloatArray:
    return np.asarray(np.clip(excess / np.maximum(whole, 1.0), -1.0, 1.0), dtype=np.float64)


def _blend(old: Asked, new: Asked) -> Asked:
    return Asked(*((1 - NEWEST) * a + NEWEST * b for a, b in zip(old, new, strict=True)))


def _moved(price: FloatArray, step: FloatArray | float, excess: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(0.0, price + step * excess), dtype=np.float64)
