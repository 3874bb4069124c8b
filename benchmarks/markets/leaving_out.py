"""A market with some of its rules left out: where a gap comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from services.matching.engine import IntArray, Market

Arrays = dict[str, IntArray]


def _zeros(count: int) -> IntArray:
    return np.zeros(count, dtype=np.int64)


def _costs(m: Market) -> Market:
    """No cost once per pair or offer, neither in the worth nor in what is paid."""
    terms = tuple(replace(t, per_pair=_zeros(m.pairs), per_setup=_zeros(m.setups)) for t in m.terms)
    nothing = {"pair_fixed_cost": _zeros(m.pairs), "setup_cost": _zeros(m.setups)}
    return replace(m.with_arrays(**nothing), terms=terms)


def _with(arrays: Callable[[Market], Arrays]) -> Callable[[Market], Market]:
    return lambda market: market.with_arrays(**arrays(market))


LEAVE_OUT: dict[str, Callable[[Market], Market]] = {
    "run": _with(lambda m: {"min_run": _zeros(m.offers)}),
    "sequence": _with(lambda _: {"before_line": _zeros(0), "after_line": _zeros(0)}),
    "bundle": _with(lambda m: {"bundle": _zeros(m.demands)}),
    "budget": _with(lambda m: {"budget": _zeros(m.demands) - 1}),
    "cap": _with(
        lambda _: {"cap_limit": _zeros(0), "cap_start": _zeros(1), "cap_pairs": _zeros(0)}
    ),
    "order": _with(lambda m: {"pair_min_order": _zeros(m.pairs)}),
    "whole": _with(lambda m: {"line_least": _zeros(m.lines) + 1}),
    "partners": _with(
        lambda m: {"line_max_partners": _zeros(m.lines), "line_least_share": _zeros(m.lines)}
    ),
    "costs": _costs,
}
"""By name how each rule is left out; ``whole`` is the least part, ``costs`` those paid once."""


def without(market: Market, rules: Sequence[str]) -> Market:
    """``market`` less these rules, with the same eligible pairs."""
    for rule in rules:
        market = LEAVE_OUT[rule](market)
    return market
