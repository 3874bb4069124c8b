"""From tables and pairs to the engine's arrays. Every row of a table keeps its position."""

from __future__ import annotations

import numpy as np

from services.matching.domain.objective import Scope, terms
from services.matching.domain.pairs import Pairs
from services.matching.domain.tables import Tables
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import Market


def market_of(tables: Tables, pairs: Pairs) -> Market:
    """The assignment problem of these pairs.

    Raises:
        InvalidMarket: the numbers are too large to be summed exactly.
    """
    offers, lines, demands = tables.offers, tables.lines, tables.demands
    slot_offer, slot_column = np.nonzero(offers.free)
    x_pair, x_slot = _variables(tables, pairs)
    demand = lines.demand[pairs.line]
    groups, pair_setup = np.unique(
        pairs.offer * max(1, len(demands.messages)) + demand, return_inverse=True
    )
    setup_offer = groups // max(1, len(demands.messages))
    scope = Scope(
        tables,
        pairs,
        np.arange(len(demands.messages)),
        np.arange(len(lines.messages)),
        setup_offer,
    )
    before, after = _precedences(tables)
    cap_limit, cap_start, cap_pairs = _caps(tables, pairs)
    return Market.build(
        min_run=offers.minimum_run,
        slot_offer=slot_offer,
        slot_period=slot_column + tables.now_period,
        slot_capacity=offers.free[slot_offer, slot_column],
        bundle=demands.bundle,
        budget=demands.budget,
        line_demand=lines.demand,
        line_quantity=lines.quantity,
        line_least=lines.least,
        line_max_partners=lines.max_partners,
        line_least_share=lines.least_share,
        before_line=before,
        after_line=after,
        pair_offer=pairs.offer,
        pair_line=pairs.line,
        pair_min_order=offers.minimum_order[pairs.offer],
        pair_unit_cost=offers.unit_price[pairs.offer] + pairs.unit_transport,
        pair_fixed_cost=pairs.shipment,
        pair_setup=pair_setup,
        setup_cost=offers.setup_price[setup_offer],
        x_pair=x_pair,
        x_slot=x_slot,
        cap_limit=cap_limit,
        cap_start=cap_start,
        cap_pairs=cap_pairs,
        terms=terms(scope),
    )


def _variables(tables: Tables, pairs: Pairs) -> tuple[IntArray, IntArray]:
    """Each pair in each period of its window in which the offer has something free."""
    some = tables.offers.free > 0
    before = np.zeros((some.shape[0], some.shape[1] + 1), dtype=np.int64)
    np.cumsum(some, axis=1, out=before[:, 1:])
    start = np.concatenate([[0], np.cumsum(before[:, -1])]).astype(np.int64)
    low = np.minimum(pairs.first, tables.columns)
    high = np.maximum(pairs.last + 1, low)
    first = start[pairs.offer] + before[pairs.offer, low]
    count = before[pairs.offer, high] - before[pairs.offer, low]
    x_pair = np.repeat(np.arange(len(pairs)), count)
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return x_pair, np.repeat(first, count) + offset


def _precedences(tables: Tables) -> tuple[IntArray, IntArray]:
    """Sequences whose both lines take part."""
    rules = []
    for demand in tables.demands.messages:
        for rule in demand.precedences:
            before = tables.lines.index.get((demand.name, rule.before))
            after = tables.lines.index.get((demand.name, rule.after))
            if before is not None and after is not None and before != after:
                rules.append((before, after))
    found = np.array(sorted(set(rules)), dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def cap_keys(tables: Tables, pairs: Pairs) -> IntArray:
    """What tells the caps of `market_of` apart, in their order: demander and code of the offer."""
    if not tables.policy.concentration_permille:
        return np.zeros(0, dtype=np.int64)
    return np.unique(_cap_of(tables, pairs))


def _cap_of(tables: Tables, pairs: Pairs) -> IntArray:
    demander = tables.demands.organization[tables.lines.demand[pairs.line]]
    return demander * len(tables.words.codes) + tables.offers.code[pairs.offer]


def _caps(tables: Tables, pairs: Pairs) -> tuple[IntArray, IntArray, IntArray]:
    """No organization gets more than the policy's share of what is free of a capability.

    A cap is per (capability of the offer, demanding organization).
    """
    share = tables.policy.concentration_permille
    none = np.zeros(0, dtype=np.int64)
    if not share or not len(pairs):
        return none, np.zeros(1, dtype=np.int64), none
    codes = len(tables.words.codes)
    offered = np.zeros(codes, dtype=np.int64)
    np.add.at(offered, tables.offers.code, tables.offers.free.sum(axis=1))
    key = _cap_of(tables, pairs)
    order = np.argsort(key, kind="stable")
    keys, counts = np.unique(key, return_counts=True)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return offered[keys % codes] * share // 1000, start, order
