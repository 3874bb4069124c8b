"""Cutting a large part into sides that are worked on at the same time, each with its own offers.

Offers are ordered by a breadth-first walk over those who share a demand, so that neighbours stay
together; a side begins as a stretch of that order. Then demands and offers move in turns to where
most of their pairs are, as far as sides stay about equal (label propagation within sizes:
Meyerhenke, Sanders and Schulz 2014, *Partitioning complex networks via size-constrained
clustering*). Which demand belongs where follows from the offers.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.compact import Compact
from services.matching.engine.compiled import compiled
from services.matching.engine.limits import IntArray
from services.matching.engine.serving import FloatArray, State

NOWHERE = -2
# A side holds at most so many times the mean of pairs; how often offers look for a better one.
LARGEST_SIDE, PASSES = 1.1, 6


@compiled
def walk_order(c: Compact, root: int, order: IntArray) -> None:
    """Offers breadth first from ``root`` into ``order[O]``, what is out of its reach last."""
    offers = len(order)
    seen = np.zeros(offers, dtype=np.bool_)
    known = np.zeros(len(c.demands), dtype=np.bool_)
    head, tail, fresh = 0, 0, root
    while tail < offers:
        if head == tail:
            while seen[fresh]:
                fresh = (fresh + 1) % offers
            order[tail] = fresh
            seen[fresh] = True
            tail += 1
        o = order[head]
        head += 1
        for at in range(c.offers[o].pair0, c.offers[o + 1].pair0):
            demand = c.lines[c.pairs[c.offer_pair[at]].line].demand
            if known[demand]:
                continue
            known[demand] = True
            first = c.lines[c.demands[demand].line0].pair0
            for p in range(first, c.lines[c.demands[demand + 1].line0].pair0):
                other = c.pairs[p].offer
                if not seen[other]:
                    seen[other] = True
                    order[tail] = other
                    tail += 1


def sides_of(c: Compact, order: IntArray, count: int, shift: float) -> IntArray:
    """``side[O]``: ``count`` sides with about as many pairs each, cut where few pairs are.

    They grow from stretches of the order; ``shift`` (a share of a side) moves where these begin,
    the first and the last then join.
    """
    pairs = np.diff(c.offers["pair0"])
    place = np.cumsum(pairs[order]) / max(1, int(pairs.sum())) * count + shift
    side = np.empty(len(order), dtype=np.int64)
    side[order] = np.minimum(place.astype(np.int64), count - 1 if shift == 0 else count) % count
    if count > 1:
        held = np.bincount(side, weights=pairs, minlength=count).astype(np.int64)
        most = int(LARGEST_SIDE * pairs.sum() / count)
        _settle(c, side, np.zeros(len(c.demands) - 1, dtype=np.int64), held, most)
    return side


@compiled
def _settle(c: Compact, side: IntArray, home: IntArray, held: IntArray, most: int) -> None:
    """Demands, then offers, move where most of their pairs are; no side beyond ``most`` pairs."""
    votes = np.zeros(len(held), dtype=np.int64)
    for _ in range(PASSES):
        for demand in range(len(home)):
            votes[:] = 0
            first = c.lines[c.demands[demand].line0].pair0
            for p in range(first, c.lines[c.demands[demand + 1].line0].pair0):
                votes[side[c.pairs[p].offer]] += 1
            home[demand] = np.argmax(votes)
        moved = 0
        for o in range(len(side)):
            votes[:] = 0
            size = c.offers[o + 1].pair0 - c.offers[o].pair0
            for at in range(c.offers[o].pair0, c.offers[o + 1].pair0):
                votes[home[c.lines[c.pairs[c.offer_pair[at]].line].demand]] += 1
            best = side[o]
            for other in range(len(held)):
                if votes[other] > votes[best] and held[other] + size <= most:
                    best = other
            if best != side[o]:
                held[side[o]] -= size
                held[best] += size
                side[o] = best
                moved += 1
        if moved == 0:
            break


@compiled
def homes(c: Compact, s: State, price: FloatArray, side: IntArray, home: IntArray) -> None:
    """The side of each demand into ``home[D]``, `NOWHERE` for those served from two.

    A demand that is not served goes where its best pair is, at the slots' prices.
    """
    for demand in range(len(home)):
        at, best = NOWHERE, -np.inf
        used = False
        first = c.lines[c.demands[demand].line0].pair0
        for p in range(first, c.lines[c.demands[demand + 1].line0].pair0):
            own = side[c.pairs[p].offer]
            if s.pair_ticks[p] > 0:
                if used and at != own:
                    at = NOWHERE
                    break
                used, at = True, own
            elif not used:
                low = np.inf
                for x in range(c.pairs[p].x0, c.pairs[p + 1].x0):
                    low = min(low, price[c.xs[x].slot])
                if c.pairs[p].tick - c.pairs[p].use * low > best:
                    best, at = c.pairs[p].tick - c.pairs[p].use * low, own
        home[demand] = at
