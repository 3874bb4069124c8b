"""Compiled: sweeping over demands in order, and improving what is served by ruin and recreate.

A turn frees a demand and some that sit at an offer it could use, serves all of them again with a
few that wait, and keeps what came out by simulated annealing (Schrimpf et al. 2000, *Record
breaking optimization results using the ruin and recreate principle*; Christiaens and Vanden Berghe
2020, *Slack induction by string removals*; pairs are overlooked by chance as there). Prices tell
which offers a demand should look at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.matching.engine.compact import Compact, Rows
from services.matching.engine.compiled import bare, compiled
from services.matching.engine.limits import IntArray
from services.matching.engine.serving import Desk, FloatArray, State, retake, serve, undo
from services.matching.engine.shifting import put_back

MOST_FREED = 12
MOST_WAITING = 4


TOUCHED = np.dtype([("demand", "i8"), ("worth", "i8"), ("weight", "f8"), ("turn", "i8")])


class Memory(NamedTuple):
    """What a turn remembers of the demands that it touches; one per thread.

    A row of ``touched`` holds a demand, what it was worth before the turn, and, apart from these,
    the position that is served at this place (``turn``).
    """

    touched: Rows
    kept: IntArray  # quantities before the turn, one demand after another
    offers: IntArray  # with a minimum run, touched in this turn
    mark: IntArray  # [D] number of the turn that touched a demand last
    random: IntArray  # [1] state of the generator


def new_memory(c: Compact, seed: int) -> Memory:
    """Room for one thread, and its random numbers."""
    most = MOST_FREED + MOST_WAITING + 1
    pair0 = c.lines["pair0"][c.demands["line0"]]
    sizes = np.diff(c.pairs["x0"][pair0])
    largest = int(np.sort(sizes)[-most:].sum()) + 1
    width = int(np.diff(pair0).max(initial=0)) + 1
    return Memory(
        np.zeros(most, dtype=TOUCHED),
        np.zeros(largest, dtype=np.int64),
        np.zeros(2 * most * width + 1, dtype=np.int64),
        np.full(len(c.demands) - 1, -1, dtype=np.int64),
        np.array([seed * 2 + 1], dtype=np.int64),
    )


@compiled
def sweep(
    c: Compact, s: State, w: Desk, price: FloatArray, side: IntArray, own: int, order: IntArray
) -> None:
    """Serve those in ``order`` that are not served, one by one."""
    for demand in order:
        if s.worth[demand] == 0:
            w.moved[0] = 0
            serve(c, s, w, price, side, own, demand)


@compiled
def close_below_run(
    c: Compact, s: State, w: Desk, price: FloatArray, side: IntArray, offers: IntArray
) -> int:
    """Close those of ``offers`` that stay below their minimum run and serve their demands again.

    The number closed; offers that a later one fell below its run again need another call.
    """
    closed = 0
    moved = np.empty(len(s.worth), dtype=np.int64)
    for o in offers:
        if not 0 < s.offer_used[o] < c.offers[o].run:
            continue
        s.closed[o] = 1
        closed += 1
        count = 0
        for at in range(c.offers[o].pair0, c.offers[o + 1].pair0):
            p = c.offer_pair[at]
            if s.pair_ticks[p] > 0:
                demand = c.lines[c.pairs[p].line].demand
                undo(c, s, demand)
                moved[count] = demand
                count += 1
        for at in range(count):
            if s.worth[moved[at]] == 0:
                w.moved[0] = 0
                serve(c, s, w, price, side, -1, moved[at])
    return closed


@bare
def _draw(random: IntArray, below: int) -> int:
    """A number from 0 up to, not including, ``below``, by a linear congruential generator."""
    random[0] = random[0] * np.int64(6364136223846793005) + np.int64(1442695040888963407)
    return int(((random[0] >> 33) & 0x3FFFFFFF) % below)


@compiled
def walk(
    c: Compact,
    s: State,
    w: Desk,
    m: Memory,
    price: FloatArray,
    side: IntArray,
    own: int,
    home: IntArray,
    seeds: IntArray,
    turns: IntArray,
    hot: float,
    cold: float,
) -> int:
    """Some turns of a walk; what was gained, above or below 0.

    ``turns`` are the number of the first, how many, and how many the whole walk has.

    Demands with ``home[D]`` equal to ``own`` take part; ``seeds`` are where turns begin. The
    temperature falls from ``hot`` to ``cold`` over the whole walk.
    """
    gained = 0
    if len(seeds) == 0:
        return 0
    for turn in range(turns[0], turns[0] + turns[1]):
        heat = hot * (cold / hot) ** (turn / max(1, turns[2]))
        seed = seeds[_draw(m.random, len(seeds))]
        gained += _turn(c, s, w, m, price, side, own, home, seed, turn, heat)
    return gained


@bare
def _turn(
    c: Compact,
    s: State,
    w: Desk,
    m: Memory,
    price: FloatArray,
    side: IntArray,
    own: int,
    home: IntArray,
    seed: int,
    turn: int,
    heat: float,
) -> int:
    """One turn around a demand; what was gained, 0 where all is as it was."""
    count = _choose(c, s, m, price, side, own, home, seed, turn)
    before, after, runs, at = 0, 0, 0, 0
    w.moved[0] = 0
    for i in range(count):
        demand = m.touched[i].demand
        m.touched[i].worth = s.worth[demand]
        before += s.worth[demand]
        for x in range(_first_x(c, demand), _first_x(c, demand + 1)):
            m.kept[at] = s.quantity[x]
            at += 1
        runs = _runs(c, s, m, side, own, demand, runs)
        if s.worth[demand] > 0:
            undo(c, s, demand)
    _shuffle(c, m, count)
    for i in range(count):
        after += serve(c, s, w, price, side, own, m.touched[m.touched[i].turn].demand)
    for i in range(count):
        runs = _runs(c, s, m, side, own, m.touched[i].demand, runs)
    fine = True
    for i in range(runs):
        o = m.offers[i]
        if 0 < s.offer_used[o] < c.offers[o].run:
            fine = False
    chance = (_draw(m.random, 1000000) + 1) / 1000001.0
    kept = fine and after - before >= heat * np.log(chance)
    if not kept:
        _restore(c, s, w, m, count, turn)
    for i in range(runs):
        s.closed[m.offers[i]] = 1 if s.offer_used[m.offers[i]] == 0 else 0
    return after - before if kept else 0


@bare
def _restore(c: Compact, s: State, w: Desk, m: Memory, count: int, turn: int) -> None:
    """Everything as it was before the turn."""
    for i in range(count):
        if s.worth[m.touched[i].demand] > 0:
            undo(c, s, m.touched[i].demand)
    put_back(c, s, w, m.mark, turn)
    at = 0
    for i in range(count):
        demand = m.touched[i].demand
        if m.touched[i].worth > 0:
            at = retake(c, s, demand, m.kept, at, m.touched[i].worth)
        else:
            at += _first_x(c, demand + 1) - _first_x(c, demand)


@bare
def _first_x(c: Compact, demand: int) -> int:
    return int(c.pairs[c.lines[c.demands[demand].line0].pair0].x0)


@bare
def _choose(
    c: Compact,
    s: State,
    m: Memory,
    price: FloatArray,
    side: IntArray,
    own: int,
    home: IntArray,
    seed: int,
    turn: int,
) -> int:
    """The demands of a turn into ``m.touched``: the seed, some served near it, some that wait."""
    m.touched[0].demand = seed
    m.mark[seed] = turn
    count = 1
    strings = 1 + _draw(m.random, 2)
    anchor = seed
    for _ in range(strings):
        first, last = (
            c.lines[c.demands[anchor].line0].pair0,
            c.lines[c.demands[anchor + 1].line0].pair0,
        )
        if last == first:
            break
        # The better of two pairs drawn by chance, at the prices of their slots.
        p = first + _draw(m.random, last - first)
        q = first + _draw(m.random, last - first)
        if _reduced(c, price, q) > _reduced(c, price, p):
            p = q
        o = c.pairs[p].offer
        if side[o] != own and own >= 0:
            continue
        if c.offers[o].run > 0 and s.closed[o] == 1 and s.offer_used[o] == 0:
            s.closed[o] = 0
        size = c.offers[o + 1].pair0 - c.offers[o].pair0
        shift = _draw(m.random, size)
        wanted = 1 + _draw(m.random, 5)
        waiting = 0
        for step in range(size):
            if waiting == MOST_WAITING // 2 and (wanted == 0 or count >= MOST_FREED):
                break
            other = c.offer_pair[c.offers[o].pair0 + (shift + step) % size]
            demand = c.lines[c.pairs[other].line].demand
            if m.mark[demand] == turn or home[demand] != own:
                continue
            if s.pair_ticks[other] > 0:
                if wanted == 0 or count >= MOST_FREED:
                    continue
                wanted -= 1
                anchor = demand
            elif s.worth[demand] == 0 and waiting < MOST_WAITING // 2:
                if _reduced(c, price, other) <= 0 and _draw(m.random, 4) > 0:
                    continue
                waiting += 1
            else:
                continue
            m.mark[demand] = turn
            m.touched[count].demand = demand
            count += 1
            if count == len(m.touched):
                return count
    return count


@bare
def _reduced(c: Compact, price: FloatArray, p: int) -> float:
    """Worth of a tick of the pair in its cheapest slot."""
    low = np.inf
    for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
        low = min(low, price[c.xs[x].slot])
    return float(c.pairs[p].tick - c.pairs[p].use * low)


@bare
def _runs(
    c: Compact, s: State, m: Memory, side: IntArray, own: int, demand: int, count: int
) -> int:
    """Note the offers with a minimum run that the demand uses or could; their number so far."""
    for p in range(
        c.lines[c.demands[demand].line0].pair0, c.lines[c.demands[demand + 1].line0].pair0
    ):
        o = c.pairs[p].offer
        if c.offers[o].run == 0 or (own >= 0 and side[o] != own):
            continue
        # Offers of this turn: those that it uses, and those that it opened and has not used.
        if s.pair_ticks[p] > 0 or (s.closed[o] == 0 and s.offer_used[o] == 0):
            m.offers[count] = o
            count += 1
    return count


@bare
def _shuffle(c: Compact, m: Memory, count: int) -> None:
    """An order to serve in, into ``turn``: by worth (whole, per tick, between) or by chance.

    The seed often comes first.

    The turns are positions in ``m.touched``.
    """
    way = _draw(m.random, 4)
    for i in range(count):
        demand = m.touched[i].demand
        luck = 0.6 + _draw(m.random, 1000) / 1250.0
        size, worth = 0.0, 0.0
        for line in range(c.demands[demand].line0, c.demands[demand + 1].line0):
            first = c.lines[line].pair0
            size += c.lines[line].most
            if c.lines[line + 1].pair0 > first:
                worth += c.pairs[first].tick * c.lines[line].most
        if way == 0:
            m.touched[i].weight = worth * luck
        elif way == 1:
            m.touched[i].weight = worth / np.sqrt(max(size, 1.0)) * luck
        elif way == 2:
            m.touched[i].weight = worth / max(size, 1.0) * luck
        else:
            m.touched[i].weight = luck
    if _draw(m.random, 2) == 0:
        m.touched[0].weight = np.inf
    for i in range(count):
        at = i
        while at > 0 and m.touched[m.touched[at - 1].turn].weight < m.touched[i].weight:
            m.touched[at].turn = m.touched[at - 1].turn
            at -= 1
        m.touched[at].turn = i
