"""From the tables to the eligible pairs, group by group of the taxonomy, with the funnels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from services.matching.domain.eligibility import RULES, Candidates, verdicts
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import BoolArray, IntArray

MOST_CANDIDATES = 500_000
"""Candidates looked at together; keeps the rules' tables within some tens of megabytes."""

MOST_DENSE = 1_000_000
"""Candidates up to which all are looked at, which also counts every funnel in one pass."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Eligible (offer, line) pairs, ordered by line, then offer. Money in minor units.

    `first` and `last` are the period columns in which the pair may be served.
    """

    offer: IntArray
    line: IntArray
    distance_km: IntArray
    unit_transport: IntArray
    shipment: IntArray
    first: IntArray
    last: IntArray

    def __len__(self) -> int:
        return len(self.offer)

    def take(self, rows: IntArray | BoolArray) -> Pairs:
        """Some of the pairs."""
        return Pairs(*(getattr(self, each.name)[rows] for each in fields(Pairs)))

    def sorted(self) -> Pairs:
        """The pairs by line, then offer."""
        return self.take(np.lexsort((self.offer, self.line)))

    @staticmethod
    def of(c: Candidates, holds: BoolArray) -> Pairs:
        """The candidates that hold."""
        every = Pairs(c.offer, c.line, c.distance_km, c.unit_transport, c.shipment, c.first, c.last)
        return every.take(holds)

    @staticmethod
    def joined(parts: list[Pairs]) -> Pairs:
        """All pairs of several parts."""
        empty = np.zeros(0, dtype=np.int64)
        return Pairs(
            *(
                np.concatenate([empty, *(getattr(part, each.name) for part in parts)])
                for each in fields(Pairs)
            )
        )


@dataclass(frozen=True, eq=False)
class Funnels:
    """Counts of counterparts per row (of offers, or of lines), one's own left out.

    ``first[row, rule]`` fall at this rule first; ``alone[row, rule]`` fall at it and no other.
    """

    considered: IntArray
    first: IntArray
    alone: IntArray
    eligible: IntArray

    @staticmethod
    def empty(rows: int) -> Funnels:
        """No counterparts for anyone."""
        return Funnels(
            np.zeros(rows, dtype=np.int64),
            np.zeros((rows, len(RULES)), dtype=np.int64),
            np.zeros((rows, len(RULES)), dtype=np.int64),
            np.zeros(rows, dtype=np.int64),
        )

    def count(self, row: IntArray, says: BoolArray) -> None:
        """Count candidates by what the rules say about them."""
        falls = ~says
        fallen = falls.sum(axis=0)
        np.add.at(self.considered, row, 1)
        np.add.at(self.eligible, row[fallen == 0], 1)
        which = falls.argmax(axis=0)
        np.add.at(self.first, (row[fallen > 0], which[fallen > 0]), 1)
        np.add.at(self.alone, (row[fallen == 1], which[fallen == 1]), 1)


def candidates(tables: Tables, lines: IntArray | None = None) -> Iterator[Candidates]:
    """Offers of each line's capability or below, a capability at a time, for all or some lines."""
    rows = np.arange(len(tables.lines.messages)) if lines is None else lines
    codes = tables.lines.code[rows]
    for code in np.unique(codes).tolist():
        offers = tables.offers_of(tables.words.codes.words[code])
        group = rows[codes == code]
        step = max(1, MOST_CANDIDATES // max(1, len(offers)))
        for start in range(0, len(group) if len(offers) else 0, step):
            some = group[start : start + step]
            yield Candidates(tables, np.tile(offers, len(some)), np.repeat(some, len(offers)))


class _Counter:
    """Counts the funnels of lines and offers, one code of a line at a time, each once.

    A funnel counts every offer of a capability: all of them together are offers times lines. In a
    large book only those that are asked for are counted.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._counted: set[int] = set()
        self._counted_above: set[int] = set()
        self.by_line = Funnels.empty(len(tables.lines.messages))
        self.by_offer = Funnels.empty(len(tables.offers.messages))

    def add(self, c: Candidates, says: BoolArray) -> None:
        """Count candidates of a code that is counted whole."""
        others = c.offerer != c.demander
        self.by_line.count(c.line[others], says[:, others])
        self.by_offer.count(c.offer[others], says[:, others])

    def want_line(self, line: int) -> None:
        """Count what a line's funnel needs."""
        self._want({int(self._tables.lines.code[line])})

    def want_offer(self, offer: int) -> None:
        """Count what an offer's funnel needs: the lines of its code or above."""
        code = int(self._tables.offers.code[offer])
        if code not in self._counted_above:
            words = self._tables.words.codes
            steps = words.words[code].split(".")
            above = {words.find(".".join(steps[:end])) for end in range(1, len(steps) + 1)}
            self._want(above - {-1})
            self._counted_above.add(code)

    def _want(self, codes: set[int]) -> None:
        for code in sorted(codes - self._counted):
            for c in candidates(self._tables, np.flatnonzero(self._tables.lines.code == code)):
                self.add(c, verdicts(c))
            self._counted.add(code)


class LazyFunnels:
    """Funnels of a large book: what a row needs is counted when it is first read."""

    def __init__(self, counts: Funnels, want: Callable[[int], None]) -> None:
        self.considered = _Column(counts.considered, want)
        self.first = _Column(counts.first, want)
        self.alone = _Column(counts.alone, want)
        self.eligible = _Column(counts.eligible, want)


class _Column:
    """A column of lazy funnels: reads like the array that it counts into."""

    def __init__(self, values: IntArray, want: Callable[[int], None]) -> None:
        self._values, self._want = values, want

    def __getitem__(self, at: int | tuple[int, int]) -> Any:
        self._want(at[0] if isinstance(at, tuple) else at)
        return self._values[at]


AnyFunnels = Funnels | LazyFunnels


@dataclass(frozen=True, eq=False)
class Found:
    """The eligible pairs of a book and its funnels, which are complete once ``parts`` are read.

    Each part holds all eligible pairs of some lines, every line in one part; read them once.
    """

    parts: Iterator[Pairs]
    by_line: AnyFunnels
    by_offer: AnyFunnels

    def pairs(self) -> Pairs:
        """All of them."""
        return Pairs.joined(list(self.parts)).sorted()


def eligible(tables: Tables) -> Found:
    """The eligible pairs of the book, the funnels of its lines, and those of its offers.

    Where offers times lines are too many, the grid says which pairs are worth looking at, and
    funnels count when they are read. The pairs are the same.
    """
    if _dense(tables) > MOST_DENSE:
        return eligible_near(tables)
    counter = _Counter(tables)

    def parts() -> Iterator[Pairs]:
        for c in candidates(tables):
            says = verdicts(c)
            counter.add(c, says)
            yield Pairs.of(c, np.all(says, axis=0))

    return Found(parts(), counter.by_line, counter.by_offer)


def eligible_near(tables: Tables) -> Found:
    """The same by the grid, for books of any size."""
    # The grid's compiled loops take half a second to load, and only large books need them.
    from services.matching.domain.near import near

    parts = (Pairs.of(c, holding(c)) for c in near(tables, MOST_CANDIDATES))
    return Found(parts, *funnels_when_read(tables))


def eligible_by_demands(tables: Tables, most: int) -> Iterator[Pairs]:
    """All eligible pairs, those of some whole demands at a time, so that never all are held.

    The offers of these demands' branches are at most ``most``, or those of one demand.
    """
    from services.matching.domain.near import near

    words, lines = tables.words.codes.words, tables.lines
    codes, of = np.unique(lines.code, return_inverse=True)
    sizes = np.array([len(tables.offers_of(words[code])) for code in codes.tolist()])
    reach = np.bincount(lines.demand, sizes[of], minlength=len(tables.demands.messages))
    block = (np.cumsum(reach) - reach) // max(1, most)
    for each in np.unique(block).tolist():
        own = np.flatnonzero(block[lines.demand] == each)
        found = [Pairs.of(c, holding(c)) for c in near(tables, MOST_CANDIDATES, own)]
        yield Pairs.joined(found).sorted()


def funnels_when_read(tables: Tables) -> tuple[LazyFunnels, LazyFunnels]:
    """The funnels of lines and of offers, each counted when it is first read."""
    counter = _Counter(tables)
    return (
        LazyFunnels(counter.by_line, counter.want_line),
        LazyFunnels(counter.by_offer, counter.want_offer),
    )


def holding(c: Candidates) -> BoolArray:
    """Whether all rules hold; a rule looks only at those that the rules before it let through.

    `verdicts` asks every rule about every candidate, which only funnels need.
    """
    holds = np.ones(len(c.offer), dtype=np.bool_)
    for rule in RULES:
        left = np.flatnonzero(holds)
        if not len(left):
            break
        some = c if len(left) == len(holds) else Candidates(c.tables, c.offer[left], c.line[left])
        holds[left] = rule(some)
    return holds


def _dense(tables: Tables) -> int:
    """How many candidates there are: offers of each line's capability or below."""
    codes, counts = np.unique(tables.lines.code, return_counts=True)
    words = tables.words.codes.words
    sizes = (len(tables.offers_of(words[code])) for code in codes.tolist())
    return sum(size * count for size, count in zip(sizes, counts.tolist(), strict=True))


def eligible_of(tables: Tables, lines: IntArray) -> Pairs:
    """The eligible pairs of some lines only."""
    found = [Pairs.of(c, np.all(verdicts(c), axis=0)) for c in candidates(tables, lines)]
    return Pairs.joined(found).sorted()
