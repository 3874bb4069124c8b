"""A thousand tiny markets against trying everything: each rule alone, and all but each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from services.matching.engine import Market, Options, Status, Term, solve, verify
from tests.unit.engine import brute
from tests.unit.engine.markets import random_market

MARKETS = 40
MOST = 60
OPTIONS = Options(deterministic_limit=20.0, time_limit_seconds=60.0)


def no_budget(m: Market) -> Market:
    return m.with_arrays(budget=np.full(m.demands, -1))


def no_bundle(m: Market) -> Market:
    return m.with_arrays(bundle=np.zeros(m.demands, int))


def no_caps(m: Market) -> Market:
    return m.with_arrays(cap_limit=[], cap_start=[0], cap_pairs=[])


def no_least_part(m: Market) -> Market:
    return m.with_arrays(line_least=m.line_quantity)


def no_least_share(m: Market) -> Market:
    return m.with_arrays(line_least_share=np.zeros(m.lines, int))


def no_minimum_order(m: Market) -> Market:
    return m.with_arrays(pair_min_order=np.zeros(m.pairs, int))


def no_minimum_run(m: Market) -> Market:
    return m.with_arrays(min_run=np.zeros(m.offers, int))


def no_one_off(m: Market) -> Market:
    terms = tuple(Term(t.name, t.per_tick, *(_none(p) for p in _once(t))) for t in m.terms)
    return replace(m, terms=terms)


def no_one_off_payments(m: Market) -> Market:
    return m.with_arrays(pair_fixed_cost=np.zeros(m.pairs, int), setup_cost=np.zeros(m.setups, int))


def no_partner_limit(m: Market) -> Market:
    return m.with_arrays(line_max_partners=np.zeros(m.lines, int))


def no_sequence(m: Market) -> Market:
    return m.with_arrays(before_line=[], after_line=[])


def no_heavy_use(m: Market) -> Market:
    return m.with_arrays(pair_use=np.ones(m.pairs, int))


def _once(term: Term) -> tuple[np.ndarray, ...]:
    return term.per_pair, term.per_setup, term.per_demand, term.per_line


def _none(array: np.ndarray) -> np.ndarray:
    return np.zeros_like(array)


RULES = (
    no_budget,
    no_bundle,
    no_caps,
    no_least_part,
    no_least_share,
    no_minimum_order,
    no_minimum_run,
    no_one_off,
    no_one_off_payments,
    no_partner_limit,
    no_sequence,
    no_heavy_use,
)


def drawn(seed: int, off: list[int]) -> Iterator[Market]:
    """Markets with every rule on but these."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < MARKETS:
        market = random_market(rng, 0.9, pins=False)
        for at in off:
            market = RULES[at](market)
        if market.variables and brute.count(market) <= MOST:
            made += 1
            yield market


def agrees(market: Market) -> None:
    """The solver's answer is feasible, the best, and proven."""
    best = brute.optimum(market)
    result = solve(market, OPTIONS)
    found = tuple(result.quantity.tolist())
    assert brute.feasible(market, found)
    assert brute.value(market, found) == result.objective == best
    assert result.status is Status.OPTIMAL
    assert min(result.certified_bound, result.solver_bound) >= best
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    assert verdict.ok, verdict


@pytest.mark.parametrize("rule", range(len(RULES)), ids=[rule.__name__ for rule in RULES])
def test_all_rules_but_one(rule: int) -> None:
    for market in drawn(rule, [rule]):
        agrees(market)


@pytest.mark.parametrize(
    "rule", range(len(RULES)), ids=[rule.__name__.replace("no_", "only_", 1) for rule in RULES]
)
def test_one_rule_alone(rule: int) -> None:
    for market in drawn(100 + rule, [at for at in range(len(RULES)) if at != rule]):
        agrees(market)


def test_no_rule_and_every_rule() -> None:
    for market in drawn(200, list(range(len(RULES)))):
        agrees(market)
    for market in drawn(201, []):
        agrees(market)
