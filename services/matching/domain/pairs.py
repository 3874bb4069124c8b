"""From the tables to the eligible pairs, group by group of the taxonomy, with the funnels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from services.matching.domain.eligibility import RULES, Candidates, verdicts
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import BoolArray, IntArray

MOST_CANDIDATES = 500_000
"""Candidates looked at together; keeps the rules' tables within some tens of megabytes."""


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


def eligible(tables: Tables) -> tuple[Pairs, Funnels, Funnels]:
    """The eligible pairs of the book, the funnels of its lines, and those of its offers."""
    by_line = Funnels.empty(len(tables.lines.messages))
    by_offer = Funnels.empty(len(tables.offers.messages))
    parts = []
    for c in candidates(tables):
        says = verdicts(c)
        parts.append(Pairs.of(c, np.all(says, axis=0)))
        others = c.offerer != c.demander
        by_line.count(c.line[others], says[:, others])
        by_offer.count(c.offer[others], says[:, others])
    return Pairs.joined(parts).sorted(), by_line, by_offer


def eligible_of(tables: Tables, lines: IntArray) -> Pairs:
    """The eligible pairs of some lines only."""
    found = [Pairs.of(c, np.all(verdicts(c), axis=0)) for c in candidates(tables, lines)]
    return Pairs.joined(found).sorted()
