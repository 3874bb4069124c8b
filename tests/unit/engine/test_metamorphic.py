"""What must not change, or only in one way, when a market changes: small ones, solved exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.matching.engine import Market, Options, Status, Term, solve
from tests.unit.engine.markets import tiny

EXACT = Options(deterministic_limit=2.0)


def optimum(market: Market) -> int:
    result = solve(market, EXACT)
    assume(result.status is Status.OPTIMAL or result.solver_bound == result.objective)
    return result.objective


@settings(max_examples=40)
@given(tiny(), st.integers(0, 2**31))
def test_more_capacity_never_lowers_the_optimum(market: Market, seed: int) -> None:
    more = np.random.default_rng(seed).integers(0, 3, market.slots)
    wider = market.with_arrays(slot_capacity=market.slot_capacity + more)
    assert optimum(wider) >= optimum(market)


@settings(max_examples=40)
@given(tiny())
def test_a_looser_rule_never_lowers_the_optimum(market: Market) -> None:
    free = market.with_arrays(
        budget=np.full(market.demands, -1), min_run=np.zeros(market.offers, int)
    )
    assert optimum(free) >= optimum(market)


@settings(max_examples=40)
@given(tiny(), st.integers(2, 1000))
def test_scaling_the_weights_scales_the_value(market: Market, times: int) -> None:
    terms = tuple(
        Term(
            t.name,
            *(
                getattr(t, name) * times
                for name in ("per_tick", "per_pair", "per_setup", "per_demand", "per_line")
            ),
        )
        for t in market.terms
    )
    assert optimum(replace(market, terms=terms)) == times * optimum(market)


@settings(max_examples=40)
@given(tiny(), st.integers(0, 2**31))
def test_renaming_and_reordering_change_nothing_in_value(market: Market, seed: int) -> None:
    assert optimum(shuffled(market, np.random.default_rng(seed))) == optimum(market)


def shuffled(m: Market, rng: np.random.Generator) -> Market:
    """The market with all its rows in other places, pins left out."""
    sizes = (m.offers, m.slots, m.demands, m.lines, m.pairs, m.setups, m.variables)
    o, s, d, i, p, g, x = (rng.permutation(size) for size in sizes)
    at_o, at_s, at_d, at_i, at_p, at_g = (np.argsort(order) for order in (o, s, d, i, p, g))
    return Market.build(
        min_run=m.min_run[o],
        slot_offer=at_o[m.slot_offer[s]],
        slot_period=m.slot_period[s] + 5,
        slot_capacity=m.slot_capacity[s],
        bundle=m.bundle[d],
        budget=m.budget[d],
        line_demand=at_d[m.line_demand[i]],
        line_quantity=m.line_quantity[i],
        line_least=m.line_least[i],
        line_max_partners=m.line_max_partners[i],
        line_least_share=m.line_least_share[i],
        before_line=at_i[m.before_line],
        after_line=at_i[m.after_line],
        pair_offer=at_o[m.pair_offer[p]],
        pair_line=at_i[m.pair_line[p]],
        pair_min_order=m.pair_min_order[p],
        pair_unit_cost=m.pair_unit_cost[p],
        pair_fixed_cost=m.pair_fixed_cost[p],
        pair_use=m.pair_use[p],
        pair_setup=at_g[m.pair_setup[p]],
        setup_cost=m.setup_cost[g],
        x_pair=at_p[m.x_pair[x]],
        x_slot=at_s[m.x_slot[x]],
        cap_limit=m.cap_limit,
        cap_start=m.cap_start,
        cap_pairs=at_p[m.cap_pairs],
        terms=[
            Term(
                t.name, t.per_tick[p], t.per_pair[p], t.per_setup[g], t.per_demand[d], t.per_line[i]
            )
            for t in m.terms
        ],
    )
