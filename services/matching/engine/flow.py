"""The transport problem inside a market: one flow from slots to lines, with its prices.

Where every demand has one line and nothing but slots is shared, the linear relaxation is a flow at
least cost, whose vertices are whole numbers. One-off costs are spread over ticks by a slope per
pair. `sloped` sets the slopes again and again to what each pair's flow would really pay per tick
(dynamic slope scaling: Kim and Pardalos 1999, *A solution approach to the fixed charge network flow
problem*), and hands every flow on, so that the best one after repair can be kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from ortools.graph.python import min_cost_flow

from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.prices import FloatArray, Prices, spread_worth
from services.matching.engine.reduced import least_use, setup_most

FLOWS = 8
# The flow counts worth in whole parts of a unit; its own arithmetic needs room above them.
FINEST = 10  # as a power of two
LARGEST_WORTH = 2**40
# Shortest paths settle in a few dozen sweeps; unfinished ones still give valid prices.
MOST_SWEEPS = 2000


def is_transport(market: Market) -> bool:
    """Whether only slots join the demands, each with a single line, and no pair takes extra."""
    m = market
    alone = bool((np.bincount(m.line_demand, minlength=m.demands) <= 1).all())
    free = not (len(m.before_line) or m.caps or len(m.pin_x))
    alike = bool((m.min_run <= 1).all() and (m.budget < 0).all() and (m.pair_use == 1).all())
    return bool(alone and free and m.pairs and alike)


class Transport:
    """The flow network of one market and what its last flow says."""

    def __init__(self, market: Market) -> None:
        self._market, self._of = market, indices(market)
        m, of = market, self._of
        self._usable = (of.pair_most >= least_use(m, of))[m.x_pair]
        self._line_worth = (of.per_line + of.per_demand[m.line_demand]).astype(float)
        steepest = float(np.abs(spread_worth(m, of)).max(initial=1.0))
        steepest += float(np.abs(self._line_worth).max(initial=0.0))
        room = LARGEST_WORTH / steepest / (m.slots + m.lines + 2)
        # A power of two, so that whole worths stay exact.
        self._scale = 2.0 ** min(FINEST, max(0, math.floor(math.log2(room))))
        self._tail, self._head, self._capacity = self._arcs()

    def _arcs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Variables, then slots from the source, then each line's first and further ticks."""
        m, of = self._market, self._of
        lines, slots = np.arange(m.lines), np.arange(m.slots)
        source, sink = m.slots + m.lines, m.slots + m.lines + 1
        # A gain for serving a line is earned by its least part, a cost spread over all of it.
        first = np.where(self._line_worth > 0, m.line_least, m.line_quantity)
        self._first = np.maximum(first, 1)
        begin, end, beside = np.full(m.slots, source), np.full(2 * m.lines, sink), np.array([sink])
        total = m.line_quantity.sum(keepdims=True)
        tail = [m.x_slot, begin, m.slots + lines, m.slots + lines, beside - 1]
        head = [m.slots + of.x_line, slots, end, beside]
        room = [of.x_upper * self._usable, m.slot_capacity, first, m.line_quantity - first, total]
        return np.concatenate(tail), np.concatenate(head), np.concatenate(room)

    def solve(self, tick: FloatArray) -> IntArray | None:
        """The best ``quantity[X]`` when a tick of each pair is worth ``tick[P]``."""
        m = self._market
        worth = np.zeros(len(self._tail))
        worth[: m.variables] = tick[m.x_pair]
        at = m.variables + m.slots
        worth[at : at + m.lines] = self._line_worth / self._first
        self._cost = -np.rint(worth * self._scale).astype(np.int64)
        network = min_cost_flow.SimpleMinCostFlow()
        arcs = network.add_arcs_with_capacity_and_unit_cost(
            self._tail, self._head, self._capacity, self._cost
        )
        total = int(m.line_quantity.sum())
        network.set_node_supply(m.slots + m.lines, total)
        network.set_node_supply(m.slots + m.lines + 1, -total)
        if network.solve() != network.OPTIMAL:
            return None
        self._flow = np.asarray(network.flows(arcs), dtype=np.int64)
        return self._flow[: m.variables].copy()

    def slot_prices(self) -> FloatArray:
        """What one more tick of each slot would be worth: shortest paths in what the flow left."""
        m = self._market
        ahead, back = self._flow < self._capacity, self._flow > 0
        tail = np.concatenate([self._tail[ahead], self._head[back]])
        head = np.concatenate([self._head[ahead], self._tail[back]])
        cost = np.concatenate([self._cost[ahead], -self._cost[back]])
        order = np.argsort(head, kind="stable")
        tail, head, cost = tail[order], head[order], cost[order]
        starts = np.flatnonzero(np.diff(head, prepend=-1))
        target = head[starts]
        distance = np.zeros(m.slots + m.lines + 2, dtype=np.int64)
        for _ in range(MOST_SWEEPS):
            nearest = np.minimum.reduceat(distance[tail] + cost, starts)
            if (nearest >= distance[target]).all():
                break
            distance[target] = np.minimum(distance[target], nearest)
        price = distance[: m.slots] - distance[m.slots + m.lines]
        return np.asarray(np.maximum(price, 0) / self._scale, dtype=np.float64)


def transport_prices(network: Transport, market: Market) -> tuple[Prices, IntArray] | None:
    """Prices of the relaxation with evenly spread costs, and its flow."""
    quantity = network.solve(spread_worth(market, indices(market)))
    if quantity is None:
        return None
    prices = Prices(network.slot_prices(), np.zeros(market.caps), np.zeros(market.demands), True)
    return prices, quantity


def sloped(
    network: Transport, market: Market, quantity: IntArray, end: float
) -> Iterator[IntArray]:
    """More flows from ``quantity[X]`` on, each with the slopes of the one before.

    Ends after a fixed number of flows, when a flow comes back, or at ``end`` (monotonic seconds).
    """
    m, of = market, indices(market)
    once = one_off(m, of)
    slope = once / np.maximum(of.pair_most, 1)
    for _ in range(FLOWS):
        ticks = np.zeros(m.pairs, dtype=np.int64)
        np.add.at(ticks, m.x_pair, quantity)
        used = ticks > 0
        slope[used] = once[used] / ticks[used]
        following = network.solve(of.per_tick - slope)
        if following is None or np.array_equal(following, quantity):
            return
        yield following
        if time.monotonic() >= end:
            return
        quantity = following


def one_off(m: Market, of: Indices) -> FloatArray:
    """Per pair what its use costs once, with its share of the set-up."""
    part = of.pair_most / np.maximum(setup_most(m, of), 1)[m.pair_setup]
    once = -np.minimum(of.per_pair, 0) - np.minimum(of.per_setup, 0)[m.pair_setup] * part
    return np.asarray(once, dtype=np.float64)
