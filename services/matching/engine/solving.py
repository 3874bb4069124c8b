"""Solving a market: cut, price, sweep, search, and put the parts together again."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from services.matching.engine.board import Board
from services.matching.engine.certificate import certify
from services.matching.engine.components import Part, split
from services.matching.engine.cpsat import Found, Limits, Search
from services.matching.engine.large import LargePart
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.neighbourhood import SMALLEST, Neighbourhoods
from services.matching.engine.objective import value, value_by_term
from services.matching.engine.regret import regrets
from services.matching.engine.result import (
    Certificate,
    InfeasiblePins,
    Options,
    Phase,
    Progress,
    Result,
    Status,
)
from services.matching.engine.starting import Start, better_of, goal_of, start_of
from services.matching.engine.whole import WholeSearch
from services.matching.engine.whole.proving import certify_whole

# A component is never given less of the limits than this share, nor than a quarter of an even one.
LEAST_SHARE = 0.05
# Above this many variables CP-SAT gains nothing from the whole: neighbourhoods get all the work.
LARGEST_WHOLE = 8000


def solve(
    market: Market,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """The best assignment found within the limits, its value by term, and its proof.

    The result is feasible whenever it ends, and never worse than the greedy sweep. ``progress`` is
    called from several threads, one at a time; ``cancelled`` is asked every 50 ms.

    Raises:
        InfeasiblePins: no assignment keeps the pinned quantities.
    """
    options = options or Options()
    started = time.monotonic()
    parts = split(market)
    board = Board(len(parts), started, progress, cancelled)
    board.timing["cut"] = board.seconds()
    board.report(Phase.CUT)
    with board.watching():
        starts = [start_of(part, options, board) for part in parts]
        with board.step("certify"):
            certificate = _certificate(market, parts, starts)
        board.begin(certificate.bound, [(s.value, s.bound) for s in starts])
        board.report(Phase.GREEDY)
        board.report(Phase.SEARCH)
        with board.step("search"):
            found = _search_all(parts, starts, options, board)
    quantity = np.zeros(market.variables, dtype=np.int64)
    bound = 0
    for part, start, answer in zip(parts, starts, found, strict=True):
        quantity[part.variables] = _better(part, start, answer)
        bound += start.bound if answer.bound is None else min(start.bound, answer.bound)
    return _result(market, board, certificate, quantity, bound, starts, found)


def solve_value(market: Market, options: Options | None = None) -> int:
    """The best value found for ``market``: for confirming a what-if on one component."""
    return solve(market, options).objective


def _certificate(market: Market, parts: list[Part], starts: list[Start]) -> Certificate:
    """The parts' prices on the whole market, and the bound that they prove there."""
    slot, cap = np.zeros(market.slots), np.zeros(market.caps)
    budget = np.zeros(market.demands)
    shared_slots, shared_caps = np.zeros(market.slots), np.zeros(market.caps)
    for part, start in zip(parts, starts, strict=True):
        slot[part.slots] += start.prices.slot
        cap[part.caps] += start.prices.cap
        budget[part.demands] = start.prices.budget
        shared_slots[part.slots] += 1
        shared_caps[part.caps] += 1
    # What several parts use can't run out (else it would have joined them): it has no price.
    slot[shared_slots > 1] = 0.0
    cap[shared_caps > 1] = 0.0
    wholes = [start.whole for start in starts if start.whole is not None]
    if parts and len(wholes) == len(parts):
        demand = np.zeros(market.demands)
        for part, whole in zip(parts, wholes, strict=True):
            demand[part.demands] = whole.demand_prices()
        return certify_whole(market, slot, demand)
    return certify(market, slot, cap, budget)


def _search_all(
    parts: list[Part], starts: list[Start], options: Options, board: Board
) -> list[Found]:
    """Search every part, small ones first; the answers do not depend on the number of threads."""
    weights = np.array([part.market.variables for part in parts], dtype=np.float64)
    order = np.argsort(weights, kind="stable").tolist()
    total = float(weights.sum()) or 1.0
    found: list[Found | None] = [None] * len(parts)
    ahead = total
    least = min(LEAST_SHARE, 0.25 / max(1, len(parts)))
    if all(start.large is None for start in starts):
        least = LEAST_SHARE

    def one(index: int) -> None:
        nonlocal ahead
        start, weight = starts[index], float(weights[index])
        left = board.seconds_left(options.time_limit_seconds)
        fair = left * min(1.0, options.workers * weight / max(ahead, weight))
        ahead -= weight
        share = max(least, weight / total)
        limits = Limits(
            options.seed,
            options.deterministic_limit * share,
            max(fair, min(left, 1.0, least * options.time_limit_seconds / LEAST_SHARE)),
            options.gap_permille / 1000,
        )
        found[index] = _search(index, parts[index], start, limits, board)
        board.finish()

    with ThreadPoolExecutor(options.workers, thread_name_prefix="search") as pool:
        for _ in pool.map(one, order):
            pass
    return [answer for answer in found if answer is not None]


def _search(index: int, part: Part, start: Start, limits: Limits, board: Board) -> Found:
    """Search one part unless its first assignment already meets its bound."""
    if start.quantity is not None and start.value >= goal_of(start.bound, limits.gap):
        return Found(start.quantity, start.bound, False, False)
    if start.quantity is not None and board.stopping:
        return Found(None, None, False, True)
    if start.whole is not None and start.quantity is not None:
        return _search_whole(index, start.whole, start, limits, board)
    if start.large is not None:
        return _search_large(index, start.large, start, limits, board)
    hint, limits, cut_short = _improve(index, part, start, limits, board)
    if hint is not None and board.stopping:
        return Found(hint, None, False, True)
    if hint is not None and part.market.variables > LARGEST_WHOLE:
        return Found(hint, None, False, cut_short)
    search = Search(
        part.market,
        hint,
        lambda worth: board.better(index, worth),
        lambda bound: board.tighter(index, bound),
    )
    with board.running(search):
        answer = search.run(limits)
    if answer.infeasible or (answer.quantity is None and hint is None):
        why = "no assignment keeps" if answer.infeasible else "none found in time that keeps"
        raise InfeasiblePins(f"{why} the pins of the component of demand {int(part.demands[0])}")
    quantity = better_of(part, hint, answer.quantity)
    if answer.bound is not None:
        board.tighter(index, answer.bound)
    return replace(answer, quantity=quantity, cut_short=answer.cut_short or cut_short)


def _search_whole(
    index: int, whole: WholeSearch, start: Start, limits: Limits, board: Board
) -> Found:
    """Improve and prove a part of whole demands until the limits or the gap."""
    ended = whole.improve(
        limits.deterministic,
        goal_of(start.bound, limits.gap),
        limits.seed,
        time.monotonic() + limits.seconds,
        lambda: board.stopping,
        lambda worth: board.better(index, worth),
        lambda bound: board.tighter(index, bound),
    )
    return Found(whole.quantity(), whole.upper, False, not ended)


def _search_large(
    index: int, large: LargePart, start: Start, limits: Limits, board: Board
) -> Found:
    """Improve a large part until the limits or the gap."""
    ended = large.improve(
        limits.deterministic,
        goal_of(start.bound, limits.gap),
        limits.seed,
        board.until(board.seconds() + limits.seconds),
        lambda worth: board.better(index, worth),
    )
    return Found(large.quantity(), None, False, not ended)


def _improve(
    index: int, part: Part, start: Start, limits: Limits, board: Board
) -> tuple[IntArray | None, Limits, bool]:
    """A better assignment from neighbourhoods, the limits that remain, and if time ran out.

    Half of the deterministic limit goes here, the other half to the proof; all of it where the
    part is too large for one.
    """
    if start.quantity is None or part.market.variables < SMALLEST:
        return start.quantity, limits, False
    half = replace(limits, deterministic=limits.deterministic / 2, seconds=limits.seconds / 2)
    if part.market.variables > LARGEST_WHOLE:
        half = limits
    began = board.seconds()

    def run(search: Search, own: Limits) -> Found:
        with board.running(search):
            found = search.run(own)
        board.better(index, walk.value)
        return found

    regret = regrets(part.market, start.prices, start.quantity)
    walk = Neighbourhoods(part.market, start.quantity, limits.seed, regret)
    walk.run(half, run, goal_of(start.bound, limits.gap))
    board.better(index, walk.value)
    rest = max(limits.seconds - (board.seconds() - began), 0.01)
    return walk.quantity, replace(half, seconds=rest), walk.cut_short


def _better(part: Part, start: Start, answer: Found) -> IntArray:
    """The better of the first assignment and the search's; the first on a tie."""
    if answer.quantity is None:
        assert start.quantity is not None
        return start.quantity
    if start.quantity is not None and value(part.market, answer.quantity) <= start.value:
        return start.quantity
    return answer.quantity


def _result(
    market: Market,
    board: Board,
    certificate: Certificate,
    quantity: IntArray,
    solver_bound: int,
    starts: list[Start],
    found: list[Found],
) -> Result:
    by_term = value_by_term(market, quantity)
    objective = sum(by_term.values())
    upper = min(certificate.bound, solver_bound)
    status = Status.OPTIMAL if upper == objective else Status.FEASIBLE
    if board.stopping and status is not Status.OPTIMAL:
        status = Status.CANCELLED
    complete = not any(f.cut_short for f in found) and all(s.prices.finished for s in starts)
    quantity.setflags(write=False)
    board.report(Phase.DONE)
    return Result(
        quantity=quantity,
        objective=objective,
        objective_by_term=by_term,
        upper_bound=upper,
        solver_bound=solver_bound,
        certificate=certificate,
        gap=(upper - objective) / max(1, abs(upper)),
        status=status,
        reproducible=complete and not board.stopping,
        components=len(found),
        seconds=board.seconds(),
        timing=dict(board.timing),
    )
