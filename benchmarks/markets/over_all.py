"""The bound of a dense market over all its eligible pairs, those left out included.

A certificate's prices are prices of slots, caps and budgets: they bound the whole market as well as
the part of it that was weighed. The bound falls apart by demand, so all pairs are found anew and
priced demand by demand, a block at a time, and never held together (as columns are priced in column
generation: Dantzig and Wolfe 1960). Prices per pair, which make minimum runs and sequences
count, are left out, which can only raise the bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.matching.domain.arrays import cap_keys, market_of
from services.matching.domain.pairs import eligible_by_demands
from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Certificate, Market
from services.matching.engine.certificate import scaled_bound
from services.matching.engine.proof import scaled_proof

BLOCK = 1_000_000
"""Offers times lines that are looked at together."""

Count = Callable[[Market, Certificate], int]
"""The scaled bound of a market at a certificate's prices, with caps as in this market."""


def counted(market: Market, prices: Certificate) -> int:
    """By the solver's loops."""
    return scaled_bound(
        market, prices.scale, prices.slot_price, prices.cap_price, prices.budget_price
    )


def proven(market: Market, prices: Certificate) -> int:
    """By the checker's own code."""
    return scaled_proof(
        market,
        prices.scale,
        prices.slot_price.tolist(),
        prices.cap_price.tolist(),
        prices.budget_price.tolist(),
    )


def bound_over_all(problem: Problem, prices: Certificate, count: Count = counted) -> int:
    """What no assignment of any eligible pairs is worth more than."""
    tables = problem.tables
    total = _rationed(problem.market, prices)
    keys = cap_keys(tables, problem.pairs)
    for some in eligible_by_demands(tables, BLOCK):
        block = market_of(tables, some)
        own = _with_caps(prices, keys, cap_keys(tables, some))
        total += count(block, own) - _rationed(block, own)
    return total // prices.scale


def _rationed(market: Market, prices: Certificate) -> int:
    """Prices times what they ration, in Python's integers."""
    total = 0
    for price, amount in (
        (prices.slot_price, market.slot_capacity),
        (prices.cap_price, market.cap_limit),
    ):
        used = np.flatnonzero(price)
        parts = zip(price[used].tolist(), amount[used].tolist(), strict=True)
        total += sum(each * most for each, most in parts)
    return total


def _with_caps(prices: Certificate, keys: IntArray, wanted: IntArray) -> Certificate:
    """The same prices, those of caps in the order of other keys."""
    cap = np.zeros(len(wanted), dtype=np.int64)
    if len(keys) and len(wanted):
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        cap = np.where(keys[at] == wanted, prices.cap_price[at], 0)
    return Certificate(prices.scale, prices.slot_price, cap, prices.budget_price, prices.bound)
