"""A bounded number of pairs per line, where all eligible ones together would be too many to weigh.

Where firms are alike and near each other, eligible pairs grow with the square of the market. Up to
a number of pairs nothing is left out. Beyond it, each line keeps

- its best pairs by what a tick is worth there, most of its share;
- some of the others drawn at random, so that not all crowd at the same cheap offers;
- those that can carry most, and as many of the best as could carry twice what it wants;
- what an earlier proposal gave it;

and each offer that fewer than a few lines kept is kept by the lines that would lose least by it. So
everybody can be reached, and each line has somewhere to go when its first choices are taken (as
with the candidate lists of local search; Johnson and McGeoch 1997). Equal pairs are told apart by a
number drawn from their rows, not by their order: else all would keep the same few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from services.matching.domain.objective import Scope, terms
from services.matching.domain.pairs import Pairs
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import BoolArray, IntArray

LEAST_PER_LINE = 16
"""A line keeps at least so many, however many lines there are."""
DRAWN = 0.25
"""Share of a line's pairs that are drawn from those that are not its best."""
LARGEST = 2
"""Pairs that a line keeps because they can carry most."""
ROOM = 2
"""A line keeps pairs until they could carry so many times what it wants."""
PER_OFFER = 4
"""Lines that keep each offer, if so many could use it."""


@dataclass(frozen=True, eq=False)
class Shortlisted:
    """The pairs that are weighed, by line, then offer, and how many eligible ones are not."""

    pairs: Pairs
    left_of_line: IntArray  # [L]
    left_of_offer: IntArray  # [O]
    per_line: int
    """About how many a line keeps where not all are weighed, else 0."""

    @property
    def left_out(self) -> int:
        """Eligible pairs that are not weighed."""
        return int(self.left_of_line.sum())


def shortlisted(tables: Tables, parts: Iterable[Pairs], most: int) -> Shortlisted:
    """All pairs of ``parts`` if they are at most ``most`` (0: any number), else a choice of them.

    Each part holds all eligible pairs of its lines. Parts are taken one by one, and of each only
    what is kept stays in memory.
    """
    chooser = _Chooser(tables, most)
    for part in parts:
        chooser.add(part)
    return chooser.end()


class _Chooser:
    """What is kept so far."""

    def __init__(self, tables: Tables, most: int) -> None:
        self._tables = tables
        self._lines, self._offers = len(tables.lines.messages), len(tables.offers.messages)
        # What lines keep in any case is no reason to choose: a large market is not a dense one.
        self._most = max(most, LEAST_PER_LINE * self._lines) if most else 0
        self._of_line = np.zeros(self._lines, dtype=np.int64)
        self._of_offer = np.zeros(self._offers, dtype=np.int64)
        self._parts: list[Pairs] = []
        self._choosing = False
        self._per_line = max(LEAST_PER_LINE, most // max(1, self._lines))
        self._spare, self._loss = Pairs.joined([]), np.zeros(0, dtype=np.int64)
        free = tables.offers.free
        self._running = np.zeros((self._offers, free.shape[1] + 1), dtype=np.int64)
        np.cumsum(free, axis=1, out=self._running[:, 1:])

    def add(self, part: Pairs) -> None:
        self._of_line += np.bincount(part.line, minlength=self._lines)
        self._of_offer += np.bincount(part.offer, minlength=self._offers)
        self._parts.append(part if not self._choosing else self._chosen(part))
        if not self._choosing and 0 < self._most < self._of_line.sum():
            self._choosing = True
            self._parts = [self._chosen(each) for each in self._parts]

    def end(self) -> Shortlisted:
        pairs = Pairs.joined(self._parts)
        if self._choosing:
            pairs = Pairs.joined([pairs, self._for_offers(pairs)])
        return Shortlisted(
            pairs.sorted(),
            self._of_line - np.bincount(pairs.line, minlength=self._lines),
            self._of_offer - np.bincount(pairs.offer, minlength=self._offers),
            self._per_line if self._choosing else 0,
        )

    def _chosen(self, part: Pairs) -> Pairs:
        """What the lines of a part keep; of the rest, what offers may want is remembered."""
        if not len(part):
            return part
        room = self._room(part)
        worth = self._worth(part, room)
        draw = _draw(part.offer * self._lines + part.line)
        drawn = int(self._per_line * DRAWN)
        by_worth = np.lexsort((draw, -worth, part.line))
        rank = _ranks(part.line, by_worth)
        kept = rank < self._per_line - drawn
        kept |= _ranks(part.line, np.lexsort((draw, -room, part.line))) < LARGEST
        kept |= self._before(part, room, by_worth) < ROOM * self._tables.lines.quantity[part.line]
        kept |= self._repeated(part)
        others = np.flatnonzero(~kept & (worth > 0))
        of_others = part.line[others]
        drawn_rank = _ranks(of_others, np.lexsort((draw[others], of_others)))
        kept[others[drawn_rank < drawn]] = True
        best = np.full(self._lines, np.iinfo(np.int64).min)
        np.maximum.at(best, part.line, worth)
        rest = np.flatnonzero(~kept)
        self._remember(part.take(rest), (best[part.line] - worth)[rest])
        return part.take(kept)

    def _remember(self, pairs: Pairs, loss: IntArray) -> None:
        """Keep the few of each offer whose lines would lose least by it, of these and before."""
        pairs = Pairs.joined([self._spare, pairs])
        loss = np.concatenate([self._loss, loss])
        draw = _draw(pairs.offer * self._lines + pairs.line)
        some = _ranks(pairs.offer, np.lexsort((draw, loss, pairs.offer))) < PER_OFFER
        self._spare, self._loss = pairs.take(some), loss[some]

    def _for_offers(self, pairs: Pairs) -> Pairs:
        """What is added for offers that too few lines keep."""
        missing = PER_OFFER - np.bincount(pairs.offer, minlength=self._offers)
        spare = self._spare
        draw = _draw(spare.offer * self._lines + spare.line)
        rank = _ranks(spare.offer, np.lexsort((draw, self._loss, spare.offer)))
        return spare.take(rank < missing[spare.offer])

    def _room(self, part: Pairs) -> IntArray:
        """The most ticks that each pair could carry, at least 1."""
        end = np.maximum(part.last + 1, part.first)
        free = self._running[part.offer, end] - self._running[part.offer, part.first]
        most = np.minimum(free, self._tables.lines.quantity[part.line])
        return np.asarray(np.maximum(1, most), dtype=np.int64)

    def _worth(self, part: Pairs, room: IntArray) -> IntArray:
        """What a tick is worth when the pair carries as much as it can, by the policy's terms."""
        lines = np.unique(part.line)
        demands = np.unique(self._tables.lines.demand[lines])
        worth, once = np.zeros(len(part), dtype=np.int64), np.zeros(len(part), dtype=np.int64)
        # Every pair as a set-up group of its own: what it would pay if it were alone.
        for term in terms(Scope(self._tables, part, demands, lines, setup_offer=part.offer)):
            worth += term.per_tick if len(term.per_tick) else 0
            once += term.per_pair if len(term.per_pair) else 0
            once += term.per_setup if len(term.per_setup) else 0
        return worth + once // room

    def _before(self, part: Pairs, room: IntArray, order: IntArray) -> IntArray:
        """Ticks that better pairs of the same line could carry."""
        running = np.cumsum(room[order]) - room[order]
        line = part.line[order]
        first = np.flatnonzero(np.diff(line, prepend=-1))
        running -= np.repeat(running[first], np.diff(np.append(first, len(line))))
        ahead = np.empty(len(order), dtype=np.int64)
        ahead[order] = running
        return ahead

    def _repeated(self, part: Pairs) -> BoolArray:
        """Pairs that carried something in a proposal that the round may replace."""
        keys = [offer * self._lines + line for offer, line in self._tables.repeat]
        return np.isin(part.offer * self._lines + part.line, np.array(keys, dtype=np.int64))


def _ranks(group: IntArray, order: IntArray) -> IntArray:
    """Each row's place within its group, ``order`` having groups one after the other."""
    grouped = group[order]
    first = np.flatnonzero(np.diff(grouped, prepend=-1))
    sizes = np.diff(np.append(first, len(grouped)))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(first, sizes)
    return rank


def _draw(key: IntArray) -> IntArray:
    """A number for each key that looks random and is always the same (Steele et al. 2014)."""
    mixed = key.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)
