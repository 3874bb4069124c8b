"""The value of an assignment, in total and by named term."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Use:
    """What an assignment uses: ticks per pair, and which set-ups, demands and lines are served."""

    pair_ticks: IntArray  # [P]
    setups: Mask  # [G]
    demands: Mask  # [D]
    lines: Mask  # [L]


def use_of(market: Market, quantity: IntArray) -> Use:
    """Read pairs, set-ups, lines and demands off ``quantity[X]``."""
    ticks = np.zeros(market.pairs, dtype=np.int64)
    np.add.at(ticks, market.x_pair, quantity)
    used = np.flatnonzero(ticks)
    setups = np.zeros(market.setups, dtype=bool)
    setups[market.pair_setup[used]] = True
    lines = np.zeros(market.lines, dtype=bool)
    lines[market.pair_line[used]] = True
    demands = np.zeros(market.demands, dtype=bool)
    demands[market.line_demand[lines]] = True
    return Use(ticks, setups, demands, lines)


def value_by_term(market: Market, quantity: IntArray) -> dict[str, int]:
    """The objective's summands by name, exact."""
    use = use_of(market, quantity)
    used = use.pair_ticks > 0
    return {
        term.name: int(
            (term.per_tick * use.pair_ticks).sum()
            + term.per_pair[used].sum()
            + term.per_setup[use.setups].sum()
            + term.per_demand[use.demands].sum()
            + term.per_line[use.lines].sum()
        )
        for term in market.terms
    }


def value(market: Market, quantity: IntArray) -> int:
    """The objective of ``quantity[X]``, exact."""
    return sum(value_by_term(market, quantity).values())
