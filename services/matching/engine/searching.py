"""Searching one part, from its first assignment to the limits: neighbourhoods, then a proof."""

from __future__ import annotations

import time
from dataclasses import replace

from services.matching.engine.board import Board
from services.matching.engine.components import Part
from services.matching.engine.cpsat import Found, Limits, Search
from services.matching.engine.limits import IntArray
from services.matching.engine.neighbourhood import SMALLEST, Neighbourhoods
from services.matching.engine.objective import value
from services.matching.engine.regret import regrets
from services.matching.engine.result import InfeasiblePins
from services.matching.engine.starting import Start, better_of, goal_of
from services.matching.engine.whole import WholeSearch

# Above this many variables CP-SAT gains nothing from the whole: neighbourhoods get all the work.
LARGEST_WHOLE = 8000
# Above this many, neighbourhoods reach too few of the demands: the walk gets all.
LARGEST_MODELS = 40_000


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


def _improve(
    index: int, part: Part, start: Start, limits: Limits, board: Board
) -> tuple[IntArray | None, Limits, bool]:
    """A better assignment, the limits that remain, and if time ran out.

    A walk gets half of the limits, or all where the part is too large for anything else. Of the
    rest, half goes to neighbourhoods, or all where the part is too large to be solved whole.
    """
    quantity, size = start.quantity, part.market.variables
    if quantity is None or size < SMALLEST:
        return quantity, limits, False
    cut_short = False
    if start.large is not None:
        share = 1.0 if size > LARGEST_MODELS else 0.5
        own, limits = _shared(limits, share)
        until = board.seconds() + own.seconds
        ended = start.large.improve(
            own.deterministic,
            goal_of(start.bound, limits.gap),
            limits.seed,
            board.until(until),
            lambda worth: board.better(index, worth),
        )
        if start.large.value > start.value:
            quantity = start.large.quantity()
        cut_short = not ended
        if size > LARGEST_MODELS or board.stopping:
            return quantity, limits, cut_short
    own, limits = _shared(limits, 1.0 if size > LARGEST_WHOLE else 0.5)
    began = board.seconds()

    def run(search: Search, of: Limits) -> Found:
        with board.running(search):
            found = search.run(of)
        board.better(index, walk.value)
        return found

    regret = regrets(part.market, start.prices, quantity)
    walk = Neighbourhoods(part.market, quantity, limits.seed, regret)
    walk.run(own, run, goal_of(start.bound, limits.gap))
    board.better(index, walk.value)
    spare = max(own.seconds - (board.seconds() - began), 0.01)
    limits = replace(limits, seconds=limits.seconds + spare)
    return walk.quantity, limits, cut_short or walk.cut_short


def _shared(limits: Limits, share: float) -> tuple[Limits, Limits]:
    """A share of the limits, and what is left of them."""
    parts = [
        replace(limits, deterministic=limits.deterministic * s, seconds=limits.seconds * s)
        for s in (share, 1.0 - share)
    ]
    return parts[0], parts[1]


def better(part: Part, start: Start, answer: Found) -> IntArray:
    """The better of the first assignment and the search's; the first on a tie."""
    if answer.quantity is None:
        assert start.quantity is not None
        return start.quantity
    if start.quantity is not None and value(part.market, answer.quantity) <= start.value:
        return start.quantity
    return answer.quantity
