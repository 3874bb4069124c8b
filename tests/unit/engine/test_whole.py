"""Demands that go whole to one offer: against trying everything, and proofs that can be checked."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.gap_instance import Instance, parse, read
from services.matching.engine import Market, Options, Result, Status, Term, solve, verify
from services.matching.engine import whole_proof as checker
from services.matching.engine.whole import WholeSearch, jobs_of
from services.matching.engine.whole import proving as solver
from services.matching.engine.whole.jobs import is_whole, one_by_one
from tests.unit.engine import brute
from tests.unit.engine.markets import small

SHARED = Path(os.environ.get("SPARELINE_SHARED_DATA", Path(__file__).parents[4] / "shared/data"))


@st.composite
def tiny_whole(draw: st.DrawFn, *, factor: int = 1) -> Market:
    """Two or three offers, up to five demands of up to three ticks, some pairs unable."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    served = draw(st.booleans())
    while True:
        market = _whole(rng, served, factor)
        if brute.count(market) <= 2000:
            return market


def _whole(rng: np.random.Generator, served: bool, factor: int) -> Market:
    """One such market; with ``served`` it is worth most to serve all."""
    offers, demands = int(rng.integers(2, 4)), int(rng.integers(2, 6))
    pairs = [(o, d) for o in range(offers) for d in range(demands) if served or rng.random() < 0.8]
    pairs = pairs or [(0, 0)]
    count, want = len(pairs), rng.integers(1, 3, demands)
    one: dict[str, Any] = {
        "min_run": rng.integers(0, 2, offers),
        "slot_offer": range(offers),
        "slot_period": [0] * offers,
        "slot_capacity": rng.integers(2, 10, offers) * factor,
        "bundle": [0] * demands,
        "budget": np.where(rng.random(demands) < 0.2, 12, -1),
        "line_demand": range(demands),
        "line_quantity": want,
        "line_least": want,
        "line_max_partners": [1] * demands,
        "line_least_share": rng.integers(0, 3, demands) * (rng.random() < 0.3),
        "pair_offer": [o for o, _ in pairs],
        "pair_line": [d for _, d in pairs],
        "pair_min_order": rng.integers(0, 3, count) * (rng.random() < 0.3),
        "pair_unit_cost": rng.integers(0, 8, count),
        "pair_fixed_cost": rng.integers(0, 4, count),
        "pair_setup": range(count),
        "setup_cost": rng.integers(0, 4, count),
        "pair_use": rng.integers(1, 5, count) * factor,
        "x_pair": range(count),
        "x_slot": [o for o, _ in pairs],
    }
    cost = rng.integers(-9, 4, count)
    bonus = 200 if served else rng.integers(0, 15, demands)
    terms = [
        Term.of("cost", per_tick=cost, per_pair=rng.integers(-3, 3, count)),
        Term.of("once", per_setup=-rng.integers(0, 5, count)),
        Term.of("served", per_demand=np.broadcast_to(bonus, demands), per_line=[1] * demands),
    ]
    return Market.build(**one, terms=terms)


def finished(market: Market) -> WholeSearch | None:
    """A search that went on to its proof."""
    jobs = jobs_of(market)
    if jobs is None:
        return None
    search = WholeSearch(market, jobs)
    search.begin(1, lambda: False)
    if search.agent is not None:
        search.improve(50.0, 2**60, 1, float("inf"), lambda: False, lambda _: None, lambda _: None)
    return search


@settings(max_examples=60, derandomize=True)
@given(tiny_whole())
def test_equals_brute_force_with_bounds_above_it(market: Market) -> None:
    best = brute.optimum(market)
    search = finished(market)
    if search is None:
        # No pair is able to do its demand whole.
        assert not is_whole(market)
        return
    quantity = search.quantity()
    assert best is not None
    assert quantity is not None
    assert brute.feasible(market, tuple(quantity.tolist()))
    assert brute.value(market, tuple(quantity.tolist())) == search.value == best
    assert search.certified >= best
    assert search.upper == best


@settings(max_examples=200, derandomize=True)
@given(st.one_of(tiny_whole(), tiny_whole(factor=10**7)), st.integers(0, 2**32 - 1))
def test_any_demand_prices_prove_a_bound_and_both_counts_agree(market: Market, seed: int) -> None:
    if checker.not_whole(market):
        assert not is_whole(market)
        return
    price = np.random.default_rng(seed).integers(0, 60, market.demands)
    bound = solver.packed_bound(market, 3, price)
    assert bound == checker.packed_bound(market, 3, price.tolist())
    best = brute.optimum(market)
    assert best is not None
    assert bound >= best


def drawn(seed: int, agents: int, jobs: int) -> Instance:
    """A tight random instance whose cheap places are also the ones that take much."""
    rng = np.random.default_rng(seed)
    use = rng.integers(1, 101, (agents, jobs))
    cost = 111 - use + rng.integers(-10, 11, (agents, jobs))
    capacity = (use.sum(axis=1) * 0.8 / agents).astype(np.int64)
    return Instance(f"d{agents}{jobs}", cost, use, capacity, None, None)


@pytest.fixture(scope="module")
def market() -> Market:
    return drawn(3, 6, 60).market()


@pytest.fixture(scope="module")
def result(market: Market) -> Result:
    return solve(market, Options(deterministic_limit=0.7, time_limit_seconds=600.0))


def test_the_answer_serves_all_close_to_its_certified_bound(market: Market, result: Result) -> None:
    one = drawn(3, 6, 60)
    agent = result.quantity.reshape(one.cost.shape).argmax(axis=0)
    cost = one.cost_of(agent)
    assert result.quantity.sum() == 60
    assert cost is not None
    assert one.bonus * 60 - result.objective == cost
    least = one.bonus * 60 - result.certified_bound
    assert least <= cost <= 1.01 * least
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    assert verdict.ok, verdict


def test_knapsack_prices_prove_more_than_prices_of_capacity(market: Market, result: Result) -> None:
    plain = replace(result.certificate, demand_price=None)
    assert verify(market, result.quantity, plain).bound > result.certified_bound


def test_tampered_demand_prices_fail(market: Market, result: Result) -> None:
    good = result.certificate
    assert good.demand_price is not None
    less = good.demand_price.copy()
    less[0] = -1
    tampered = {
        "prices lowered": replace(good, demand_price=good.demand_price // 2),
        "price negative": replace(good, demand_price=less),
        "price missing": replace(good, demand_price=good.demand_price[1:]),
        "bound lowered": replace(good, bound=good.bound - 1),
        "prices dropped": replace(good, demand_price=None),
    }
    for name, certificate in tampered.items():
        verdict = verify(market, result.quantity, certificate)
        assert not verdict.ok, name
        assert verdict.broken in ("certificate", "bound"), name


def test_demand_prices_prove_nothing_where_demands_may_be_split() -> None:
    market = small()
    answer = solve(market)
    assert answer.certificate.demand_price is None
    wrong = replace(answer.certificate, demand_price=np.zeros(market.demands, dtype=np.int64))
    verdict = verify(market, answer.quantity, wrong)
    assert (verdict.ok, verdict.broken) == (False, "certificate")


def test_same_bytes_whatever_the_number_of_workers(market: Market, result: Result) -> None:
    other = solve(market, Options(deterministic_limit=0.7, time_limit_seconds=600.0, workers=2))
    assert result.reproducible
    assert other.reproducible
    assert other.quantity.tobytes() == result.quantity.tobytes()
    assert other.upper_bound == result.upper_bound


def test_what_can_not_all_be_done_is_done_as_far_as_it_is_worth() -> None:
    one = drawn(5, 4, 40)
    short = replace(one, capacity=one.capacity // 4).market()
    answer = solve(short, Options(deterministic_limit=0.7, time_limit_seconds=600.0))
    assert 0 < answer.quantity.sum() < 40
    assert answer.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert answer.gap < 0.05
    verdict = verify(short, answer.quantity, answer.certificate, objective=answer.objective)
    assert verdict.ok, verdict


def test_a_file_with_too_few_numbers_is_refused() -> None:
    assert parse("x", "1 2  3 4  1 1  2", None, None).cost.tolist() == [[3, 4]]
    with pytest.raises(ValueError, match="6 numbers do not fit"):
        parse("x", "1 2  3 4  1 1", None, None)


@pytest.mark.skipif(not (SHARED / "gap").is_dir(), reason="no shared benchmark data here")
def test_a_public_instance_is_solved_to_its_best_known_cost() -> None:
    one = next(iter(read(SHARED / "gap", "c05100")))
    answer = solve(one.market(), Options(deterministic_limit=10.0, time_limit_seconds=600.0))
    assert one.bonus * one.cost.shape[1] - answer.objective == one.known_cost


def test_more_equal_offers_than_are_looked_at_keep_no_demand_waiting() -> None:
    """Ten offers are looked at, and hold fewer than the 60 demands; 30 offers hold them all.

    A copied market is like that. The way out, not to be done, was not among the ten: no start was
    found, and the round failed.
    """
    offers, demands, want = 30, 60, [72] * 30 + [54] * 30
    pairs = [(o, d) for o in range(offers) for d in range(demands)]
    count = len(pairs)
    market = Market.build(
        min_run=[0] * offers,
        slot_offer=range(offers),
        slot_period=[0] * offers,
        slot_capacity=[300] * offers,
        bundle=[0] * demands,
        budget=[-1] * demands,
        line_demand=range(demands),
        line_quantity=want,
        line_least=want,
        line_max_partners=[1] * demands,
        line_least_share=[0] * demands,
        pair_offer=[o for o, _ in pairs],
        pair_line=[d for _, d in pairs],
        pair_min_order=[0] * count,
        pair_unit_cost=[1] * count,
        pair_fixed_cost=[0] * count,
        pair_setup=range(count),
        setup_cost=[0] * count,
        x_pair=range(count),
        x_slot=[o for o, _ in pairs],
        terms=[Term.of("surplus", per_tick=[14_000] * count)],
    )
    search = WholeSearch.of(market, 1)
    assert search is not None
    search.begin(1, lambda: False)
    assert search.value == search.certified == sum(want) * 14_000
    idle = jobs_of(market, idle=True)
    assert idle is not None
    assert idle.feasible(one_by_one(idle, idle.cost.astype(float)))
