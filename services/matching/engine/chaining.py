"""Compiled: the best way to run a chain of lines one after another, each within its own periods.

A line may start in the period after the last of the line before it. What a chain is worth is found
by going over the periods in which one line ends and the next may start, from the last line to the
first (dynamic programming); what a line is worth within given periods is the caller's to say, in
real numbers or in whole ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.matching.engine.compact import Compact
from services.matching.engine.compiled import bare
from services.matching.engine.limits import IntArray


class Chain(NamedTuple):
    """Room for one chain; cuts are the periods in which any of its lines could run, in order."""

    line: IntArray
    cut: IntArray
    runs: npt.NDArray[np.bool_]  # [lines, cuts] whether the line could run in that period
    value: npt.NDArray[Any]  # [lines, cuts, cuts + 1] of a line from one cut to before another
    best: npt.NDArray[Any]  # [lines + 1, cuts + 1] from this line on, when it may start at this cut
    end: IntArray  # [lines, cuts + 1] the cut before which it then ends, -1 when it is not served


def new_chain(c: Compact, kind: type) -> Chain:
    """Room for one thread, with values of that kind."""
    chained = (c.lines["next"][:-1] >= 0) | (c.lines["head"][:-1] == 0)
    owner = c.lines["demand"][:-1][chained]
    lines = int(np.bincount(owner).max(initial=0)) + 1
    first, last = c.lines["pair0"][:-1][chained], c.lines["pair0"][1:][chained]
    size = np.bincount(owner, weights=c.pairs["x0"][last] - c.pairs["x0"][first])
    cuts = min(int(size.max(initial=0)), len(np.unique(c.xs["period"][:-1]))) + 1
    return Chain(
        np.zeros(lines, dtype=np.int64),
        np.zeros(cuts, dtype=np.int64),
        np.zeros((lines, cuts), dtype=np.bool_),
        np.zeros((lines, cuts, cuts + 1), dtype=kind),
        np.zeros((lines + 1, cuts + 1), dtype=kind),
        np.zeros((lines, cuts + 1), dtype=np.int64),
    )


@bare
def affordable(c: Compact, p: int) -> int:
    """The most ticks of a pair that the demand's budget pays for, with what is paid once."""
    row = c.pairs[p]
    budget = c.demands[c.lines[row.line].demand].budget
    if budget < 0:
        return 2**62
    left = budget - row.fixed - c.groups[row.group].cost
    if left < 0:
        return 0
    return int(left // row.unit) if row.unit > 0 else 2**62


@bare
def gather(c: Compact, h: Chain, head: int) -> tuple[int, int]:
    """The lines from ``head`` on and the periods they could run in; how many of each."""
    lines, cuts, line = 0, 0, head
    while line >= 0:
        h.line[lines] = line
        lines += 1
        for x in range(c.pairs[c.lines[line].pair0].x0, c.pairs[c.lines[line + 1].pair0].x0):
            period = np.int64(c.xs[x].period)
            at = cuts
            while at > 0 and h.cut[at - 1] > period:
                at -= 1
            if at > 0 and h.cut[at - 1] == period:
                continue
            for k in range(cuts, at, -1):
                h.cut[k] = h.cut[k - 1]
            h.cut[at] = period
            cuts += 1
        line = c.lines[line].next
    for k in range(lines):
        h.runs[k, :cuts] = False
        line = h.line[k]
        for x in range(c.pairs[c.lines[line].pair0].x0, c.pairs[c.lines[line + 1].pair0].x0):
            for at in range(cuts):
                if h.cut[at] == c.xs[x].period:
                    h.runs[k, at] = True
    return lines, cuts


@bare
def matters(h: Chain, lines: int, cuts: int, k: int, begin: int, end: int) -> bool:
    """Whether `arrange` asks for the worth of line ``k`` from cut ``begin`` to before ``end``."""
    if not h.runs[k, begin] or not h.runs[k, end - 1]:
        return False
    if k == 0 and h.runs[k, :begin].any():
        return False
    return not (k == lines - 1 and h.runs[k, end:cuts].any())


@bare
def arrange(h: Chain, lines: int, cuts: int, whole: bool, never: Any) -> Any:
    """The best worth of the chain, ``never`` when it can't be served; who ends when into ``end``.

    ``whole``: all lines or none; else the chain may end early, after its first line.
    """
    for a in range(cuts + 1):
        h.best[lines, a] = 0
    for k in range(lines - 1, -1, -1):
        h.best[k, cuts], h.end[k, cuts] = never, -1
        if k > 0 and not whole:
            h.best[k, cuts] = 0
        for a in range(cuts - 1, -1, -1):
            h.best[k, a], h.end[k, a] = h.best[k, a + 1], h.end[k, a + 1]
            if not h.runs[k, a]:
                continue
            for e in range(a + 1, cuts + 1):
                if not matters(h, lines, cuts, k, a, e):
                    continue
                if h.value[k, a, e] == never or h.best[k + 1, e] == never:
                    continue
                worth = h.value[k, a, e] + h.best[k + 1, e]
                if worth > h.best[k, a]:
                    h.best[k, a], h.end[k, a] = worth, e
    return h.best[0, 0]
