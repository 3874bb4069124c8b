"""Fewer blocking pairs for a part of the value, from an assignment that is as good as can be.

A round's best assignment need not be one that no pair would leave. Neighbourhoods are searched one
by one (`stable_rows.py` says how pairs are counted): a demand with blocking pairs is freed with
those who hold its places, and what comes out is kept when the pairs avoided are worth their price.
The price per pair rises from turn to turn up to all that may be given up, so that the cheapest are
avoided first. Up to ``WHOLE`` variables one model then looks for the fewest blocking pairs of all
within what may be given up, and among those for the greatest value.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from services.matching.engine.blocking import lines_want, slots_take
from services.matching.engine.board import Board
from services.matching.engine.cpsat import Limits, Search
from services.matching.engine.cut import Part
from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.objective import value, value_by_term
from services.matching.engine.position import Position
from services.matching.engine.result import Certificate, Options, Result, Stability, Status
from services.matching.engine.stable_rows import Zone, blocking_rows

# Variables up to which the whole market is one model, and of a neighbourhood.
WHOLE, SIZE = 1500, 400
# Places in slots that one model may look at.
PLACES = 20_000
# Deterministic time of one neighbourhood, and what building its model counts for.
WORK_EACH, WORK_TO_BUILD = 0.1, 0.005
# What a neighbourhood usually takes, and for how many turns of those there must be work.
WORK_USUAL, MANY = 0.01, 4
# How far the first price of a pair is from an even one, and how it rises.
CHEAP, RISE = 4, 4
# The share of a solve's limits that goes here where a policy asks for it.
SHARE = 0.25
# The price of a pair times their number must stay within the sums that are exact.
MOST = 2**59


def before_stability(options: Options) -> Options:
    """The limits of all that comes before."""
    if not options.stability_permille:
        return options
    return replace(
        options,
        time_limit_seconds=options.time_limit_seconds * (1 - SHARE),
        deterministic_limit=options.deterministic_limit * (1 - SHARE),
    )


def stabilised(market: Market, result: Result, options: Options, board: Board) -> Result:
    """Avoid blocking pairs for at most ``options.stability_permille`` of the value.

    The bound stays what it is: it holds for every assignment.
    """
    if not options.stability_permille:
        return result
    with board.watching(), board.step("stability"):
        walk = _Walk(market, result.quantity, result.certificate, options, board)
        before = walk.blocking
        if before:
            walk.run()
    quantity = walk.position.quantity.copy()
    quantity.setflags(write=False)
    by_term = value_by_term(market, quantity)
    objective, upper = sum(by_term.values()), result.upper_bound
    status = result.status
    if status is not Status.CANCELLED:
        status = Status.OPTIMAL if upper == objective else Status.FEASIBLE
    return replace(
        result,
        quantity=quantity,
        objective=objective,
        objective_by_term=by_term,
        gap=(upper - objective) / max(1, abs(upper)),
        status=status,
        reproducible=result.reproducible and not walk.cut_short,
        seconds=board.seconds(),
        timing=dict(board.timing),
        stability=Stability(before, walk.blocking, result.objective - objective),
    )


class _Walk:
    """Neighbourhoods one after another, or one of everything."""

    def __init__(
        self,
        market: Market,
        quantity: IntArray,
        certificate: Certificate,
        options: Options,
        board: Board,
    ) -> None:
        self._market, self._of, self._board = market, indices(market), board
        self._options = options
        self.position = Position(market, quantity, certificate)
        worth = self.position.value
        self._floor = worth - int(abs(worth) * options.stability_permille / 1000)
        # More than any assignment could gain, so that no value outweighs a pair.
        self._highest = certificate.bound - self._floor + 1
        everything = np.arange(market.variables)
        self._takes = slots_take(market, self._of, quantity, np.arange(market.slots), everything)
        self._wants = lines_want(
            market, self._of, quantity, np.arange(market.lines), np.arange(market.pairs), everything
        )
        self._weight = np.bincount(self._of.x_demand, minlength=market.demands)
        self._end = time.monotonic() + board.seconds_left(options.time_limit_seconds)
        self._work = options.deterministic_limit * SHARE
        self.cut_short = False

    @property
    def blocking(self) -> int:
        """How many pairs block."""
        return len(self._blocking())

    def _blocking(self) -> IntArray:
        pairs: IntArray = np.unique(self._market.x_pair[self._takes])
        return pairs[self._wants[pairs]]

    def run(self) -> None:
        """Avoid what can be avoided within the limits."""
        m = self._market
        everyone, highest = np.arange(m.demands), min(self._highest, MOST // max(1, m.pairs))
        kept = self._work / 2 if m.variables <= WHOLE else 0.0
        if m.variables > min(SIZE, WHOLE):
            self._work -= kept
            self._ladder()
            self._work += kept
        if m.variables <= WHOLE and self._goes_on():
            self._step(everyone, highest, self._work)

    def _ladder(self) -> None:
        """Turn by turn at rising prices, up to all that may be given up."""
        allowance, blocking = self.position.value - self._floor, self._blocking()
        # Where the work is not enough for many turns, the first ones may not be too frugal.
        turn = len(np.unique(self._of.pair_demand[blocking])) * (WORK_TO_BUILD + WORK_USUAL)
        even = allowance / max(1, len(blocking))
        price = max(1, int(even / CHEAP if turn * MANY <= self._work else even * CHEAP))
        while self._goes_on():
            self._turn(price)
            if price > allowance:
                return
            price *= RISE

    def _goes_on(self) -> bool:
        if self._board.stopping or time.monotonic() >= self._end:
            self.cut_short = True
        return not self.cut_short and self._work > 0

    def _turn(self, price: int) -> None:
        """Look at each demand with blocking pairs once, at those with most of them first."""
        m = self._market
        count = np.bincount(self._of.pair_demand[self._blocking()], minlength=m.demands)
        for demand in np.argsort(-count, kind="stable")[: np.count_nonzero(count)].tolist():
            if not self._goes_on():
                return
            chosen = self._around(demand)
            if chosen is not None:
                self._work -= WORK_TO_BUILD
                self._step(chosen, price, WORK_EACH)

    def _around(self, demand: int) -> IntArray | None:
        """A demand and who holds what it would rather have; None if it has what it wants."""
        m, of, position = self._market, self._of, self.position
        xs = position.x.of(position.pairs.of(position.lines.of(np.array([demand]))))
        xs = xs[self._takes[xs] & self._wants[m.x_pair[xs]]]
        if not len(xs):
            return None
        # Those who earn least in the places where the demand would be worth most.
        others = position.x_of_slot.of(np.unique(m.x_slot[xs]))
        others = others[position.quantity[others] > 0]
        others = others[np.argsort(of.per_tick[m.x_pair[others]], kind="stable")]
        chosen, room = {demand}, SIZE - int(self._weight[demand])
        for other in of.x_demand[others].tolist():
            if other not in chosen and self._weight[other] <= room:
                chosen.add(other)
                room -= int(self._weight[other])
        return position.with_run_partners(np.array(sorted(chosen)))

    def _places(self, demands: IntArray) -> int:
        """How many variables there are in the slots that some demands could use."""
        position, m = self.position, self._market
        xs = position.x.of(position.pairs.of(position.lines.of(demands)))
        return len(position.x_of_slot.of(np.unique(m.x_slot[xs])))

    def _step(self, chosen: IntArray, price: int, work: float) -> None:
        """Serve some demands anew, with a pair that blocks as dear as ``price``."""
        position = self.position
        if self._places(chosen) > PLACES:
            return
        part = position.part(chosen)
        now = position.quantity[part.variables].copy()
        local = position.what_is_left(part, now)
        worth = value(local, now)
        zone = self._zone(part)
        search = Search(
            local,
            now,
            lambda _: None,
            lambda _: None,
            lambda layout: blocking_rows(
                zone, layout, worth - (position.value - self._floor), price
            ),
        )
        seconds = max(0.01, self._end - time.monotonic())
        with self._board.running(search):
            found = search.run(Limits(self._options.seed, work, seconds, 0.0))
        self._work -= found.work
        self.cut_short |= found.cut_short
        if found.quantity is not None and not np.array_equal(found.quantity, now):
            self._keep(part, found.quantity, now, price)

    def _keep(self, part: Part, found: IntArray, now: IntArray, price: int) -> None:
        """Take what was found, unless it is no better when counted."""
        before = self.position.value - price * self._count(part)
        self._account(part, found)
        after = self.position.value - price * self._count(part)
        if after <= before or self.position.value < self._floor:
            self._account(part, now)

    def _account(self, part: Part, quantity: IntArray) -> None:
        m, of, position = self._market, self._of, self.position
        position.account(part, quantity)
        lines = part.lines
        pairs = position.pairs.of(lines)
        self._wants[pairs] = lines_want(
            m, of, position.quantity, lines, pairs, position.x.of(pairs)
        )
        xs = position.x_of_slot.of(part.slots)
        self._takes[xs] = slots_take(m, of, position.quantity, part.slots, xs)

    def _count(self, part: Part) -> int:
        """Blocking pairs among those that the part's demands or slots have to do with."""
        m, position = self._market, self.position
        around = m.x_pair[position.x_of_slot.of(part.slots)]
        pairs = np.union1d(part.pairs, around)
        pairs = pairs[self._wants[pairs]]
        xs = position.x.of(pairs)
        return len(np.unique(m.x_pair[xs[self._takes[xs]]]))

    def _zone(self, part: Part) -> Zone:
        m, position = self._market, self.position
        xs = position.x_of_slot.of(part.slots)
        place = np.minimum(np.searchsorted(part.variables, xs), len(part.variables) - 1)
        own = np.where(part.variables[place] == xs, place, -1)
        watched = self._wants.copy()
        stay = np.unique(m.x_pair[xs[own < 0]])
        beyond = position.x.of(stay)
        beyond = beyond[self._takes[beyond] & ~np.isin(m.x_slot[beyond], part.slots)]
        watched[m.x_pair[beyond]] = False
        watched[part.pairs] = True
        return Zone(m, self._of, position.quantity, xs, own, watched)
