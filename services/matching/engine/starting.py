"""How a part begins: its prices, the bound they prove, and a first assignment."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from services.matching.engine.board import Board
from services.matching.engine.certificate import DEFAULT_SCALE, certify
from services.matching.engine.components import Part
from services.matching.engine.flow import Transport, is_transport, sloped, transport_prices
from services.matching.engine.greedy import greedy
from services.matching.engine.large import LargePart
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.objective import value
from services.matching.engine.parts_proof import prove_part
from services.matching.engine.prices import Prices, relaxation_prices
from services.matching.engine.repair import repaired
from services.matching.engine.result import Options
from services.matching.engine.whole import WholeSearch

# From this many variables on compiled loops price, sweep and search: their bound knows minimum runs
# and sequences, and what they do in a second takes models minutes.
SMALLEST_LOOPS = 100
# Better slopes are given up after so many flows that gained nothing.
MOST_IDLE_FLOWS = 3


@dataclass(frozen=True, eq=False)
class Start:
    """What is known of a part before the search: prices, proven bound, first assignment."""

    prices: Prices
    bound: int
    quantity: IntArray | None
    value: int
    large: LargePart | None = None
    whole: WholeSearch | None = None
    proved: int | None = None  # what prices that can't move prove, over `DEFAULT_SCALE`


def start_of(part: Part, options: Options, board: Board) -> Start:
    """Prices, bound and a first assignment of one part."""
    market = part.market
    left = board.seconds_left(options.time_limit_seconds)
    whole = WholeSearch.of(market, options.workers)
    if whole is not None:
        return _start_whole(whole, options, board)
    flow = _start_flow(part, options, board) if is_transport(market) else None
    if flow is not None:
        goal = goal_of(flow.bound, options.gap_permille / 1000)
        if flow.value >= goal or not _has_loops(market):
            return flow
        return _better_start(flow, _start_large(part, options, board))
    if _has_loops(market):
        return _start_large(part, options, board)
    prices = relaxation_prices(market, left / 2)
    bound = certify(market, prices.slot, prices.cap, prices.budget).bound
    best = greedy(market, prices.slot)
    return Start(prices, bound, best, 0 if best is None else value(market, best))


def _has_loops(market: Market) -> bool:
    return market.variables >= SMALLEST_LOOPS and not market.pin_quantity.any()


def _start_whole(whole: WholeSearch, options: Options, board: Board) -> Start:
    """The same where every demand goes whole to one offer."""
    end = time.monotonic() + board.seconds_left(options.time_limit_seconds) / 4
    whole.begin(options.seed, lambda: board.stopping or time.monotonic() > end)
    none = np.zeros(0), np.zeros(len(whole.demand_prices()))
    prices = Prices(whole.slot_prices(), *none, whole.finished)
    return Start(prices, whole.certified, whole.quantity(), whole.value, whole=whole)


def _start_flow(part: Part, options: Options, board: Board) -> Start | None:
    """The same where the relaxation is a flow; None where that could not be solved."""
    market, left = part.market, board.seconds_left(options.time_limit_seconds)
    network = Transport(market)
    flow = transport_prices(network, market)
    if flow is None:
        return None
    bound = certify(market, flow[0].slot, flow[0].cap, flow[0].budget).bound
    goal = goal_of(bound, options.gap_permille / 1000)
    best = _from_flow(network, part, flow, goal, time.monotonic() + left / 4)
    return Start(flow[0], bound, best, value(market, _sure(best)))


def _better_start(flow: Start, large: Start) -> Start:
    """The better prices and the better assignment of two starts, with loops to go on."""
    prices = large if large.bound < flow.bound else flow
    best = flow if flow.value > large.value else large
    assert large.large is not None
    if best is flow:
        large.large.load(_sure(flow.quantity))
    return replace(prices, quantity=best.quantity, value=best.value, large=large.large)


def _start_large(part: Part, options: Options, board: Board) -> Start:
    """The same in compiled loops; two fifths of the time at most go to prices."""
    end = time.monotonic() + board.seconds_left(options.time_limit_seconds) * 0.4
    with board.step("price"):
        large = LargePart(part.market, options.workers)
        prices = large.prices(lambda: board.stopping or time.monotonic() > end)
    with board.step("certify"):
        proved = prove_part(part.market, prices)
    with board.step("sweep"):
        ended = large.sweep(board.until(options.time_limit_seconds))
    prices = replace(prices, finished=prices.finished and ended)
    bound = proved // DEFAULT_SCALE
    return Start(prices, bound, large.quantity(), large.value, large, proved=proved)


def _from_flow(
    network: Transport, part: Part, flow: tuple[Prices, IntArray], goal: int, end: float
) -> IntArray | None:
    """The best of the relaxation's flow, flows with better slopes, repaired, and the sweep."""
    market, (prices, quantity) = part.market, flow
    best: IntArray | None = repaired(market, quantity, prices.slot)
    if value(market, _sure(best)) >= goal:
        return best
    idle = 0
    for following in sloped(network, market, quantity, end):
        answer = better_of(part, best, repaired(market, following, prices.slot))
        idle = idle + 1 if answer is best else 0
        best = answer
        if value(market, _sure(best)) >= goal:
            return best
        if idle == MOST_IDLE_FLOWS:
            break
    # Where loops go on from here, their sweep is the quicker one.
    return best if _has_loops(market) else better_of(part, best, greedy(market, prices.slot))


def _sure(quantity: IntArray | None) -> IntArray:
    assert quantity is not None
    return quantity


def goal_of(bound: int, gap: float) -> int:
    """The value from which on an assignment is close enough to its bound."""
    return bound - int(gap * max(1, abs(bound)))


def better_of(part: Part, hint: IntArray | None, answer: IntArray | None) -> IntArray | None:
    """The better of two assignments, the first on a tie."""
    if hint is None or answer is None:
        return hint if answer is None else answer
    return answer if value(part.market, answer) > value(part.market, hint) else hint
