"""Searching one part, from its first assignment to the limits: neighbourhoods, then a proof."""

from __future__ import annotations

import time
from dataclasses import replace

from services.matching.engine.board import Board
from services.matching.engine.components import Part
from services.matching.engine.cpsat import Found, Limits, Search
from services.matching.engine.large import LargePart
from services.matching.engine.limits import IntArray
from services.matching.engine.neighbourhood import SMALLEST, Neighbourhoods
from services.matching.engine.objective import value
from services.matching.engine.regret import regrets
from services.matching.engine.result import InfeasiblePins
from services.matching.engine.starting import Start, better_of, goal_of
from services.matching.engine.whole import WholeSearch

# Above this many variables CP-SAT gains nothing from the whole: neighbourhoods get all the work.
LARGEST_WHOLE = 8000


def search(index: int, part: Part, start: Start, limits: Limits, board: Board) -> Found:
    """Search one part unless its first assignment already meets its bound.

    Raises:
        InfeasiblePins: no assignment keeps the pins.
    """
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


def better(part: Part, start: Start, answer: Found) -> IntArray:
    """The better of the first assignment and the search's; the first on a tie."""
    if answer.quantity is None:
        assert start.quantity is not None
        return start.quantity
    if start.quantity is not None and value(part.market, answer.quantity) <= start.value:
        return start.quantity
    return answer.quantity
