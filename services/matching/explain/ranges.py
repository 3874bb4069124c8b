"""Positions by key, so that those of a few keys cost no look at all the others."""

from __future__ import annotations

import numpy as np

from services.matching.domain.vocabulary import IntArray


class Ranges:
    """For each key in 0..size the positions, or the given values, at which it stands."""

    def __init__(self, keys: IntArray, size: int, values: IntArray | None = None) -> None:
        order = np.argsort(keys, kind="stable")
        self._values = order if values is None else values[order]
        self._start = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=size))])

    def of(self, keys: IntArray) -> IntArray:
        """Those of some keys, key by key."""
        return self.with_counts(keys)[0]

    def with_counts(self, keys: IntArray) -> tuple[IntArray, IntArray]:
        """Those of some keys, and how many each key has."""
        start = self._start[keys]
        counts = self._start[keys + 1] - start
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        at = np.arange(total) - np.repeat(ends - counts, counts) + np.repeat(start, counts)
        return self._values[at], counts
