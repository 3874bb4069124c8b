"""A market's rows in tables that grow, with the rows of each kind found by what they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from services.matching.engine.columns import COLUMNS, OF_TERM
from services.matching.engine.limits import IntArray, InvalidMarket
from services.matching.engine.market import Market, Term

N = TypeVar("N", bound=np.generic)

ROWS = {**COLUMNS, "entry": ("entry_cap", "entry_pair")}
"""The columns of each kind of row; an entry is a pair under a cap."""


class Column(Generic[N]):
    """One array that grows at its end; appending copies it only when its room is used up."""

    def __init__(self, values: npt.NDArray[N]) -> None:
        self._room = values
        self._size = len(values)

    @property
    def array(self) -> npt.NDArray[N]:
        """The values, sharing memory; valid until the next `extend`."""
        return self._room[: self._size]

    def extend(self, values: npt.NDArray[N]) -> None:
        """Add values at the end."""
        size = self._size + len(values)
        if size > len(self._room) or not self._room.flags.writeable:
            larger = np.zeros(size + size // 8 + 64, dtype=self._room.dtype)
            larger[: self._size] = self.array
            self._room = larger
        self._room[self._size : size] = values
        self._size = size


class Growing:
    """Rows that are only ever added; a column is read as an array of the present length."""

    def __init__(self, market: Market) -> None:
        entries = {
            "entry_cap": np.repeat(np.arange(market.caps), np.diff(market.cap_start)),
            "entry_pair": market.cap_pairs,
        }
        self._terms = [term.name for term in market.terms]
        self._kind: dict[str, str] = {}
        self._column: dict[str, Column[np.int64]] = {}
        self.size: dict[str, int] = {}
        for kind, names in ROWS.items():
            for name in names:
                self._add(kind, name, entries.get(name, getattr(market, name, None)))
        for term in market.terms:
            for part, kind in OF_TERM.items():
                self._add(kind, f"{term.name}.{part}", getattr(term, part))

    def _add(self, kind: str, name: str, values: IntArray | None) -> None:
        assert values is not None
        self._kind[name] = kind
        self._column[name] = Column(values)
        self.size[kind] = len(values)

    def __getitem__(self, name: str) -> IntArray:
        return self._column[name].array

    def append(self, rows: Mapping[str, npt.ArrayLike]) -> dict[str, IntArray]:
        """Add rows, given by column; return the numbers of the new rows by kind.

        A column of a term that is left out counts as zero, and ``pair_use`` as one.

        Raises:
            InvalidMarket: a column is unknown or missing, or lengths of one kind differ.
        """
        if unknown := sorted(set(rows) - set(self._kind)):
            raise InvalidMarket(f"there are no columns {', '.join(unknown)}")
        counts: dict[str, int] = {}
        for name, values in rows.items():
            length = len(np.asarray(values))
            if counts.setdefault(self._kind[name], length) != length:
                raise InvalidMarket(f"{name} has {length} rows, others of its kind do not")
        for name, kind in self._kind.items():
            if counts.get(kind) and name not in rows and "." not in name and name != "pair_use":
                raise InvalidMarket(f"{name} is missing")
        for name, kind in self._kind.items():
            if count := counts.get(kind, 0):
                fill = np.full(count, int(name == "pair_use"), dtype=np.int64)
                self._column[name].extend(np.asarray(rows.get(name, fill), dtype=np.int64))
        added = {}
        for kind, before in self.size.items():
            self.size[kind] = before + counts.get(kind, 0)
            added[kind] = np.arange(before, self.size[kind])
        return added

    def view(self) -> Market:
        """All rows as a market, unchecked and sharing memory; the caps' entries are left out."""
        columns = {name: self[name] for names in COLUMNS.values() for name in names}
        nothing = np.zeros(0, dtype=np.int64)
        return Market(
            **columns,
            cap_start=nothing,
            cap_pairs=nothing,
            terms=tuple(
                Term(name, **{part: self[f"{name}.{part}"] for part in OF_TERM})
                for name in self._terms
            ),
        )


class Children:
    """The rows that belong to each row of another kind."""

    def __init__(self, parent: IntArray, parents: int) -> None:
        """``parent[i]`` is the row, of ``parents``, to which row ``i`` belongs."""
        self._order = np.argsort(parent, kind="stable")
        self._start = np.concatenate([[0], np.cumsum(np.bincount(parent, minlength=parents))])
        self._later: dict[int, list[int]] = {}

    def of(self, parents: IntArray) -> IntArray:
        """The rows of all these parents, in rising order."""
        known = parents[parents < len(self._start) - 1]
        start = self._start[known]
        count = self._start[known + 1] - start
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        found = self._order[np.repeat(start, count) + offset]
        if self._later:
            later = [row for parent in parents.tolist() for row in self._later.get(parent, ())]
            found = np.concatenate([found, np.array(later, dtype=np.int64)])
        return np.sort(found)

    def add(self, parent: IntArray, child: IntArray) -> None:
        """Note new rows."""
        for one, row in zip(parent.tolist(), child.tolist(), strict=True):
            self._later.setdefault(one, []).append(row)
