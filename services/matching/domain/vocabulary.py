"""Positions for things that repeat, so that rules compare each distinct pair only once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Word = TypeVar("Word", bound=Hashable)


class Vocabulary(Generic[Word]):
    """Distinct values in the order in which they came. The first given stands at 0."""

    def __init__(self, *first: Word) -> None:
        self.words: list[Word] = []
        self._at: dict[Word, int] = {}
        for word in first:
            self.at(word)

    def at(self, word: Word) -> int:
        """Return the position of a value, adding it when new."""
        found = self._at.get(word)
        if found is None:
            found = self._at[word] = len(self.words)
            self.words.append(word)
        return found

    def find(self, word: Word) -> int:
        """Return the position of a value, or -1."""
        return self._at.get(word, -1)

    def __len__(self) -> int:
        return len(self.words)


def tabulated(left: IntArray, right: IntArray, holds: Callable[[int, int], bool]) -> BoolArray:
    """``holds(left[i], right[i])`` for every i, called once per distinct pair."""
    if not len(left):
        return np.zeros(0, dtype=np.bool_)
    width = int(right.max()) + 1
    keys, inverse = np.unique(left * width + right, return_inverse=True)
    answers = (holds(*divmod(key, width)) for key in keys.tolist())
    table = np.fromiter(answers, dtype=np.bool_, count=len(keys))
    answer: BoolArray = table[inverse]
    return answer
