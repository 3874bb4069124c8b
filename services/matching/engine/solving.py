"""Solving a market: cut, price, sweep, search, and put the parts together again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from services.matching.engine.board import Board
from services.matching.engine.components import Part, split
from services.matching.engine.cpsat import Found, Limits
from services.matching.engine.cut import whole_part
from services.matching.engine.market import Market
from services.matching.engine.objective import value, value_by_term
from services.matching.engine.parts_proof import certify_parts, together
from services.matching.engine.result import (
    Certificate,
    Options,
    Phase,
    Progress,
    Result,
    Status,
)
from services.matching.engine.searching import better, search
from services.matching.engine.stability import before_stability, stabilised
from services.matching.engine.starting import Start, start_of
from services.matching.engine.units import Elsewhere, Solved, Unit, wall_shares, worth_sending
from services.matching.engine.whole.proving import certify_whole

# A component is never given less of the limits than this share, nor than a quarter of an even one.
LEAST_SHARE = 0.05
# Where one has more variables than this, hundreds of small ones must not take the limits from it.
LARGEST_EVEN = 20_000


def solve(
    market: Market,
    options: Options | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    elsewhere: Elsewhere | None = None,
) -> Result:
    """The best assignment found within the limits, its value by term, and its proof.

    The result is feasible whenever it ends, and never worse than the greedy sweep. ``progress`` is
    called from several threads, one at a time; ``cancelled`` is asked every 50 ms. Large parts are
    sent ``elsewhere``, if there is such a place; that never changes the answer.

    Raises:
        InfeasiblePins: no assignment keeps the pinned quantities.
    """
    given = options or Options()
    options = before_stability(given)
    started = time.monotonic()
    parts = split(market)
    board = Board(len(parts), started, progress, cancelled)
    board.timing["cut"] = board.seconds()
    board.report(Phase.CUT)
    with board.watching():
        limits = _deterministic_limits(parts, options)
        away = [] if elsewhere is None else _send(parts, limits, options, board, elsewhere)
        here = sorted(set(range(len(parts))) - set(away))
        starts = {index: start_of(parts[index], options, board) for index in here}
        solved = {index: _begun(starts[index]) for index in here}
        certificate: Certificate | None = None
        if not away:
            certificate = _certified(market, parts, starts, solved, board)
        board.begin(
            None if certificate is None else certificate.bound,
            [(s.value, s.bound) if (s := starts.get(i)) else (0, None) for i in range(len(parts))],
        )
        board.report(Phase.GREEDY)
        board.report(Phase.SEARCH)
        with board.step("search"):
            hands = elsewhere.hands if elsewhere is not None and away else 1
            found = _search_all(parts, starts, limits, options, board, hands)
            solved |= {i: _ended(parts[i], starts[i], solved[i], found[i]) for i in here}
            if elsewhere is not None and away:
                solved |= _gather(parts, away, limits, options, board, elsewhere)
    if certificate is None:
        certificate = _certified(market, parts, starts, solved, board)
    result = _result(market, board, certificate, parts, [solved[i] for i in range(len(parts))])
    return stabilised(market, result, given, board)


def solve_unit(
    unit: Unit,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Solved:
    """Solve one part of a market that somebody else has cut.

    Raises:
        InfeasiblePins: no assignment keeps the pinned quantities.
    """
    board = Board(1, time.monotonic(), progress, cancelled)
    options = Options(unit.seed, unit.seconds, unit.deterministic_limit, 1, unit.gap_permille)
    with board.watching():
        solved = _solve_part(
            0, whole_part(unit.market), options, options.deterministic_limit, board
        )
        board.finish()
        board.report(Phase.DONE)
    return solved


def solve_value(market: Market, options: Options | None = None) -> int:
    """The best value found for ``market``: for confirming a what-if on one component."""
    return solve(market, options).objective


def _send(
    parts: list[Part],
    limits: list[float],
    options: Options,
    board: Board,
    elsewhere: Elsewhere,
) -> list[int]:
    """Send the parts that are worth it, the largest first; which they are."""
    away = worth_sending(parts, elsewhere.least_variables)
    shares = wall_shares([parts[index].market.variables for index in away], elsewhere.hands)
    with board.step("send"):
        for index, share in zip(away, shares, strict=True):
            market = parts[index].market
            seconds = board.seconds_left(options.time_limit_seconds) * share
            elsewhere.send(
                index, Unit(market, options.seed, limits[index], options.gap_permille, seconds)
            )
    return away


def _gather(
    parts: list[Part],
    away: Sequence[int],
    limits: list[float],
    options: Options,
    board: Board,
    elsewhere: Elsewhere,
) -> dict[int, Solved]:
    """The answers of the parts that were sent; what nobody else solves is solved here."""
    elsewhere.follow(board.look)
    solved: dict[int, Solved] = {}
    ahead = sum(parts[index].market.variables for index in away)
    while len(solved) < len(away):
        index, answer = elsewhere.next(lambda: board.stopping)
        part = parts[index]
        if answer is None or not answer.fits(part.market):
            share = part.market.variables / max(1, ahead)
            seconds = board.seconds_left(options.time_limit_seconds)
            own = replace(
                options,
                time_limit_seconds=board.seconds() + seconds * min(1, share * elsewhere.hands),
            )
            answer = _solve_part(index, part, own, limits[index], board)
            elsewhere.kept(index)
        ahead -= part.market.variables
        solved[index] = answer
        board.look(index, value(part.market, answer.quantity), answer.bound)
        board.finish()
    return solved


def _solve_part(
    index: int, part: Part, options: Options, deterministic: float, board: Board
) -> Solved:
    """Start and search one part alone."""
    start = start_of(part, options, board)
    begun = _begun(start)
    board.look(index, start.value, start.bound)
    seconds = board.seconds_left(options.time_limit_seconds)
    limits = Limits(options.seed, deterministic, seconds, options.gap_permille / 1000)
    return _ended(part, start, begun, search(index, part, start, limits, board))


def _begun(start: Start) -> Solved:
    """What is known of a part before its search; the search may move the prices on."""
    demand = None if start.whole is None else start.whole.demand_prices()
    quantity = np.zeros(0, dtype=np.int64) if start.quantity is None else start.quantity
    return Solved(start.prices, demand, start.bound, quantity, start.prices.finished)


def _ended(part: Part, start: Start, begun: Solved, found: Found) -> Solved:
    """The same after the search."""
    bound = start.bound if found.bound is None else min(start.bound, found.bound)
    complete = begun.complete and not found.cut_short
    return replace(begun, bound=bound, quantity=better(part, start, found), complete=complete)


def _certified(
    market: Market,
    parts: list[Part],
    starts: Mapping[int, Start],
    solved: Mapping[int, Solved],
    board: Board,
) -> Certificate:
    """The parts' prices on the whole market, and the bound that they prove there."""
    each = [solved[index] for index in range(len(parts))]
    prices = [one.prices for one in each]
    with board.step("certify"):
        wholes = [one.demand_price for one in each if one.demand_price is not None]
        if parts and len(wholes) == len(parts):
            demand = np.zeros(market.demands)
            for part, whole in zip(parts, wholes, strict=True):
                demand[part.demands] = whole
            return certify_whole(market, together(market, parts, prices).slot, demand)
        proved = {i: start.proved for i, start in starts.items() if start.proved is not None}
        return certify_parts(market, parts, prices, proved)


def _deterministic_limits(parts: list[Part], options: Options) -> list[float]:
    """Per part its share of the limit of work, by size; the same wherever it is solved."""
    total = float(sum(part.market.variables for part in parts)) or 1.0
    least = _least_share(parts)
    shares = [max(least, part.market.variables / total) for part in parts]
    return [options.deterministic_limit * share for share in shares]


def _least_share(parts: list[Part]) -> float:
    if any(part.market.variables > LARGEST_EVEN for part in parts):
        return min(LEAST_SHARE, 0.25 / max(1, len(parts)))
    return LEAST_SHARE


def _search_all(
    parts: list[Part],
    starts: Mapping[int, Start],
    deterministic: list[float],
    options: Options,
    board: Board,
    hands: int,
) -> dict[int, Found]:
    """Search all parts begun, small ones first; answers do not depend on the number of threads."""
    weight = {index: float(parts[index].market.variables) for index in starts}
    order = sorted(starts, key=lambda index: (weight[index], index))
    least = _least_share(parts)
    # Of what was sent, our share is still to come.
    whole = sum(part.market.variables for part in parts) / hands
    ahead = max(sum(weight.values()), whole, 1.0)
    found: dict[int, Found] = {}

    def one(index: int) -> None:
        nonlocal ahead
        if board.seconds() >= options.time_limit_seconds and starts[index].quantity is not None:
            # Only to build a model takes longer than nothing, a hundred parts over.
            found[index] = Found(None, None, False, True)
            board.finish()
            return
        left = board.seconds_left(options.time_limit_seconds)
        fair = left * min(1.0, options.workers * weight[index] / max(ahead, weight[index]))
        ahead -= weight[index]
        limits = Limits(
            options.seed,
            deterministic[index],
            max(fair, min(left, 1.0, least * options.time_limit_seconds / LEAST_SHARE)),
            options.gap_permille / 1000,
        )
        found[index] = search(index, parts[index], starts[index], limits, board)
        board.finish()

    with ThreadPoolExecutor(options.workers, thread_name_prefix="search") as pool:
        for _ in pool.map(one, order):
            pass
    return found


def _result(
    market: Market,
    board: Board,
    certificate: Certificate,
    parts: list[Part],
    solved: list[Solved],
) -> Result:
    quantity = np.zeros(market.variables, dtype=np.int64)
    for part, answer in zip(parts, solved, strict=True):
        quantity[part.variables] = answer.quantity
    by_term = value_by_term(market, quantity)
    objective = sum(by_term.values())
    solver_bound = sum(answer.bound for answer in solved)
    upper = min(certificate.bound, solver_bound)
    status = Status.OPTIMAL if upper == objective else Status.FEASIBLE
    if board.stopping and status is not Status.OPTIMAL:
        status = Status.CANCELLED
    complete = all(answer.complete for answer in solved)
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
        components=len(parts),
        seconds=board.seconds(),
        timing=dict(board.timing),
    )
