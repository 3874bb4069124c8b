"""Eligible pairs that the round did not weigh, kept out of what is said and tried.

In a dense market lines keep a choice of their pairs (`domain.shortlist`). A change must not seem to
help because a pair is now looked at that the round could have had without it.
"""

from __future__ import annotations

import numpy as np

from services.matching.domain.eligibility import Candidates, verdicts
from services.matching.domain.pairs import Pairs, eligible_of
from services.matching.domain.problem import Problem
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import IntArray


class Unweighed:
    """The pairs of one problem that were left out, found when somebody asks for them."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._of_lines: dict[int, IntArray] = {}
        self._lines = len(problem.tables.lines.messages)

    def without(self, fresh: Pairs, lines: IntArray) -> Pairs:
        """Of the pairs of changed ``lines`` those that were weighed or were not eligible before."""
        left = self._problem.weighed.left_of_line[lines] > 0
        found = [self._of_line(line) for line in lines[left].tolist()]
        return self._outside(fresh, np.concatenate(found)) if found else fresh

    def without_offer(self, fresh: Pairs, offer: int, asking: Tables, lines: IntArray) -> Pairs:
        """The same of the pairs of a changed offer with ``lines``, by the tables before it."""
        if not self._problem.weighed.left_of_offer[offer]:
            return fresh
        before = Candidates(asking, np.full(len(lines), offer, dtype=np.int64), lines)
        eligible = lines[np.all(verdicts(before), axis=0)]
        return self._outside(fresh, self._left(np.full(len(eligible), offer), eligible))

    def _of_line(self, line: int) -> IntArray:
        if line not in self._of_lines:
            every = eligible_of(self._problem.tables, np.array([line]))
            self._of_lines[line] = self._left(every.offer, every.line)
        return self._of_lines[line]

    def _left(self, offer: IntArray, line: IntArray) -> IntArray:
        """Those of some eligible pairs that were left out, as keys."""
        pairs = self._problem.pairs
        # Pairs stand by line, so that those of a line are one stretch.
        of = np.unique(line)
        low, high = np.searchsorted(pairs.line, of), np.searchsorted(pairs.line, of + 1)
        rows = np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)] or [of])
        weighed = pairs.offer[rows] * self._lines + pairs.line[rows]
        keys = offer * self._lines + line
        left: IntArray = keys[~np.isin(keys, weighed)]
        return left

    def _outside(self, fresh: Pairs, keys: IntArray) -> Pairs:
        return fresh.take(~np.isin(fresh.offer * self._lines + fresh.line, keys))
