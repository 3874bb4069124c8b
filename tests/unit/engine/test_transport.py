"""The path for transport problems: whole where nothing binds, near its bound where much does."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from services.matching.engine import Market, Options, Status, solve, verify
from services.matching.engine.certificate import certify
from services.matching.engine.flow import Transport, is_transport, sloped, transport_prices
from services.matching.engine.greedy import greedy
from services.matching.engine.objective import value
from services.matching.engine.repair import repaired
from tests.unit.engine import brute
from tests.unit.engine.markets import small, tiny_transport, transport

MODULE = "services.matching.engine.searching"
QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@QUICK
@given(tiny_transport(ruled=False))
def test_without_rules_the_flow_is_the_optimum_and_its_prices_prove_it(market: Market) -> None:
    assert is_transport(market)
    network = Transport(market)
    answer = transport_prices(network, market)
    assert answer is not None
    prices, quantity = answer
    best = brute.optimum(market)
    assert brute.feasible(market, tuple(quantity.tolist()))
    assert value(market, quantity) == best
    assert certify(market, prices.slot, prices.cap, prices.budget).bound == best


@QUICK
@given(tiny_transport(ruled=False))
def test_without_rules_nothing_is_searched(market: Market) -> None:
    with patch(f"{MODULE}.Search", side_effect=AssertionError("searched")):
        result = solve(market)
    assert result.status is Status.OPTIMAL
    assert result.certified_bound == result.objective == brute.optimum(market)
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok


@QUICK
@given(tiny_transport(ruled=True))
def test_with_rules_neighbourhoods_alone_reach_what_brute_force_finds(market: Market) -> None:
    best = brute.optimum(market)
    with patch(f"{MODULE}.LARGEST_WHOLE", -1), patch(f"{MODULE}.SMALLEST", 0):
        result = solve(market, Options(deterministic_limit=20.0))
    assert brute.feasible(market, tuple(result.quantity.tolist()))
    assert result.objective == best
    assert result.certified_bound >= best
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok


@QUICK
@given(tiny_transport(ruled=True))
def test_every_flow_is_repaired_to_a_feasible_assignment(market: Market) -> None:
    network = Transport(market)
    answer = transport_prices(network, market)
    assert answer is not None
    flows = [answer[1], *sloped(network, market, answer[1], np.inf)]
    best = brute.optimum(market)
    assert best is not None
    for flow in flows:
        kept = repaired(market, flow, answer[0].slot)
        assert brute.feasible(market, tuple(kept.tolist()))
        assert value(market, kept) <= best


@pytest.fixture(scope="module")
def charged() -> Market:
    market = transport(np.random.default_rng(3), 12, 60, 2, ruled=True, most=30)
    assert is_transport(market)
    return market


def test_same_bytes_on_any_number_of_workers_and_never_below_the_sweep(charged: Market) -> None:
    options = Options(seed=5, deterministic_limit=0.3, time_limit_seconds=300)
    with patch(f"{MODULE}.LARGEST_WHOLE", 0), patch(f"{MODULE}.SMALLEST", 0):
        one = solve(charged, options)
        two = solve(charged, replace(options, workers=3))
    assert one.reproducible
    assert one.quantity.tobytes() == two.quantity.tobytes()
    assert one.certificate.slot_price.tobytes() == two.certificate.slot_price.tobytes()
    swept = greedy(charged, np.zeros(charged.slots))
    assert swept is not None
    assert one.objective >= value(charged, swept)
    assert one.gap < 0.05


def test_a_corrupted_certificate_of_a_flow_fails(charged: Market) -> None:
    result = solve(charged, Options(deterministic_limit=0.1, gap_permille=200))
    good = result.certificate
    priced = int(np.flatnonzero(good.slot_price)[0])
    dearer = good.slot_price.copy()
    dearer[priced] += 2**20
    for wrong in (
        replace(good, slot_price=dearer),
        replace(good, slot_price=good.slot_price * 0),
        replace(good, bound=result.objective - 1),
    ):
        assert verify(charged, result.quantity, wrong).broken == "bound"
    assert verify(charged, result.quantity, good).ok


def test_a_gap_that_is_close_enough_ends_the_search(charged: Market) -> None:
    with patch(f"{MODULE}.Search", side_effect=AssertionError("searched")):
        result = solve(charged, Options(gap_permille=200))
    assert 0 <= result.gap <= 0.2


def test_loops_go_on_from_a_flow_that_is_not_near_enough(charged: Market) -> None:
    flow = transport_prices(Transport(charged), charged)
    assert flow is not None
    bound = certify(charged, flow[0].slot, flow[0].cap, flow[0].budget).bound
    result = solve(charged, Options(seed=5, deterministic_limit=0.2, time_limit_seconds=300))
    assert result.certificate.bound <= bound
    assert verify(charged, result.quantity, result.certificate, objective=result.objective).ok
    assert result.objective > value(charged, repaired(charged, flow[1], flow[0].slot))


def test_what_joins_demands_otherwise_is_no_transport() -> None:
    one = {"line_demand": [0, 1, 2], "bundle": [0] * 3, "budget": [-1] * 3}
    one["pair_setup"] = [0, 1, 2, 3]
    one["setup_cost"] = [0] * 4
    assert is_transport(small(**one))
    assert not is_transport(small())
    assert not is_transport(small(**one | {"min_run": [0, 5]}))
    assert not is_transport(small(**one | {"budget": [-1, 9, -1]}))
    capped = {"cap_limit": [7], "cap_start": [0, 1], "cap_pairs": [1]}
    assert not is_transport(small(**one | capped))
    assert not is_transport(small(**one | {"pin_x": [0], "pin_quantity": [1]}))


def test_a_large_transport_market_is_a_flow_still() -> None:
    market = transport(np.random.default_rng(1), 100, 350, 1, ruled=False, most=50)
    assert market.variables > 20_000
    result = solve(market, Options(seed=1, time_limit_seconds=15))
    assert result.status is Status.OPTIMAL
    assert result.certificate.bound == result.objective
