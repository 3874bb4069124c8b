"""Compiled: connected components by union and find with path halving (Tarjan 1975)."""

from __future__ import annotations

import numpy as np

from services.matching.engine.compiled import compiled, inner
from services.matching.engine.limits import IntArray


@inner
def _root(parent: IntArray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return int(node)


@compiled
def connected(count: int, left: IntArray, right: IntArray) -> IntArray:
    """Lowest node of each node's component, for edges ``left[i]`` to ``right[i]``."""
    parent = np.arange(count)
    for edge in range(len(left)):
        one, other = _root(parent, left[edge]), _root(parent, right[edge])
        # The lower one stays: so every root is the lowest of its component.
        if one < other:
            parent[other] = one
        else:
            parent[one] = other
    for node in range(count):
        parent[node] = _root(parent, node)
    return parent
