"""A flow picture (Sankey): three columns of nodes, and bands between them as wide as their worth.

Bands keep the order of the nodes at their other end, so that few of them cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from spareline.matching.v1.round_analysis_pb2 import Flow

Key = TypeVar("Key")

WIDTH = 760.0
OTHERS = "*"
"""The node of all that is too small for one of its own."""

_MOST_NODES = 12
_NODE_WIDTH = 10.0
_BODY = 250.0
_ROW = 19.0
_GAP = 7.0


@dataclass(frozen=True, slots=True)
class Node:
    """A region or a branch; ``y`` and ``height`` are those of its bar, ``worth`` minor units."""

    key: str
    worth: int
    x: float
    y: float
    height: float

    @property
    def middle(self) -> float:
        """Where its label stands."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Band:
    """What goes from one node to one of the next column; ``path`` is that of an SVG."""

    source: str
    target: str
    worth: int
    path: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it: nodes by column (regions, branches, regions), the bands from the first column to
    the second and from that to the third, and the height it needs."""

    columns: tuple[tuple[Node, ...], ...]
    bands: tuple[tuple[Band, ...], ...]
    height: float


def lay_out(flows: Sequence[Flow]) -> Picture | None:
    """Lay a round's flows out; None when nothing flows."""
    ways = [((each.offer_region, each.branch, each.demand_region), each.price) for each in flows]
    total = sum(price for _, price in ways)
    if total <= 0:
        return None
    folded = [_fold(_sums((way[at], price) for way, price in ways)) for at in range(3)]
    columns = tuple(
        _column(_sums((folded[at][way[at]], price) for way, price in ways), at, total)
        for at in range(3)
    )
    bands = []
    for at in range(2):
        pairs = _sums(
            ((folded[at][way[at]], folded[at + 1][way[at + 1]]), price) for way, price in ways
        )
        bands.append(tuple(_bands(columns[at], columns[at + 1], pairs, total)))
    height = max(node.y + max(node.height, _ROW) for column in columns for node in column)
    return Picture(columns, tuple(bands), height)


def _sums(rows: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    for key, worth in rows:
        found[key] = found.get(key, 0) + worth
    return found


def _fold(sums: Mapping[str, int]) -> dict[str, str]:
    """Which node each key belongs to: the largest have their own, the rest share one."""
    ordered = sorted(sums, key=lambda key: (-sums[key], key))
    if len(ordered) <= _MOST_NODES:
        return {key: key for key in ordered}
    return {key: key if at < _MOST_NODES - 1 else OTHERS for at, key in enumerate(ordered)}


def _column(sums: Mapping[str, int], at: int, total: int) -> tuple[Node, ...]:
    """The nodes from the largest to the smallest, the shared one last, a label's height apart."""
    x = (WIDTH - _NODE_WIDTH) * at / 2
    y, nodes = 0.0, []
    for key in sorted(sums, key=lambda key: (key == OTHERS, -sums[key], key)):
        height = max(1.5, _BODY * sums[key] / total)
        row = max(height, _ROW)
        nodes.append(Node(key, sums[key], x, y + (row - height) / 2, height))
        y += row + _GAP
    return tuple(nodes)


def _bands(
    left: Sequence[Node], right: Sequence[Node], pairs: Mapping[tuple[str, str], int], total: int
) -> list[Band]:
    leaves = {node.key: node.y for node in left}
    enters = {node.key: node.y for node in right}
    order = {node.key: at for at, node in enumerate(right)}
    begin, end = left[0].x + _NODE_WIDTH, right[0].x
    bands = []
    for node in left:
        targets = sorted((t for s, t in pairs if s == node.key), key=order.__getitem__)
        for target in targets:
            worth = pairs[node.key, target]
            width = _BODY * worth / total
            path = _path(begin, leaves[node.key], end, enters[target], width)
            leaves[node.key] += width
            enters[target] += width
            bands.append(Band(node.key, target, worth, path))
    return bands


def _path(x0: float, y0: float, x1: float, y1: float, width: float) -> str:
    """The outline of a band of one width all along its way."""
    middle = (x0 + x1) / 2
    return (
        f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        f"V{y1 + width:.1f}C{middle:.1f} {y1 + width:.1f} {middle:.1f} {y0 + width:.1f} "
        f"{x0:.1f} {y0 + width:.1f}Z"
    )
