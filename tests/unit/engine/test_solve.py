"""The solver against trying everything, against itself in another order, and at its limits."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.engine import (
    InfeasiblePins,
    Market,
    Options,
    Progress,
    Status,
    Term,
    component_of,
    solve,
    solve_value,
    split,
    verify,
)
from services.matching.engine.cpsat import Found, Limits, Search
from services.matching.engine.greedy import greedy
from services.matching.engine.neighbourhood import Neighbourhoods
from services.matching.engine.objective import value
from tests.unit.engine import brute
from tests.unit.engine.markets import middling, small, tiny

QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
EXACT = Options(deterministic_limit=20.0, time_limit_seconds=60.0)


@QUICK
@given(tiny())
def test_equals_brute_force_with_a_valid_proof(market: Market) -> None:
    best = brute.optimum(market)
    result = solve(market, EXACT)
    assert brute.feasible(market, tuple(result.quantity.tolist()))
    assert result.objective == best == brute.value(market, tuple(result.quantity.tolist()))
    assert result.status is Status.OPTIMAL
    assert result.reproducible
    assert result.certified_bound >= best
    assert result.solver_bound >= best
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    assert verdict.ok, verdict


@QUICK
@given(tiny(pins=True))
def test_pins_are_kept_or_refused_as_brute_force_says(market: Market) -> None:
    best = brute.optimum(market)
    if best is None:
        with pytest.raises(InfeasiblePins):
            solve(market, EXACT)
    else:
        result = solve(market, EXACT)
        assert result.objective == best
        assert verify(market, result.quantity, result.certificate).ok


@QUICK
@given(tiny(), st.integers(0, 2**16), st.booleans())
def test_greedy_is_always_feasible(market: Market, seed: int, priced: bool) -> None:
    price = np.random.default_rng(seed).random(market.slots) * 10 * priced
    quantity = greedy(market, price)
    assert quantity is not None
    assert brute.feasible(market, tuple(quantity.tolist()))


@settings(max_examples=80, derandomize=True)
@given(tiny(most=800), st.integers(0, 2**16))
def test_a_walk_over_neighbourhoods_stays_feasible_and_only_climbs(
    market: Market, seed: int
) -> None:
    first = greedy(market, np.zeros(market.slots))
    assert first is not None
    walk = Neighbourhoods(market, first, seed)
    values = [walk.value]

    def search(one: Search, limits: Limits) -> Found:
        assert brute.feasible(market, tuple(walk.quantity.tolist()))
        values.append(walk.value)
        return one.run(limits)

    best = brute.optimum(market)
    assert best is not None
    walk.run(Limits(seed, 0.05, 10.0, 0.0), search, best)
    assert brute.feasible(market, tuple(walk.quantity.tolist()))
    assert walk.value == value(market, walk.quantity) <= best
    assert values == sorted(values)


def test_neighbourhoods_lift_a_large_part_above_its_sweep() -> None:
    market = max((part.market for part in split(middling(12))), key=lambda m: m.variables)
    first = greedy(market, np.zeros(market.slots))
    assert first is not None
    walk = Neighbourhoods(market, first, 1)
    walk.run(Limits(1, 0.5, 60.0, 0.0), lambda one, limits: one.run(limits), 2**60)
    assert walk.value > value(market, first)


@settings(max_examples=60, derandomize=True)
@given(tiny(), st.integers(0, 100))
def test_more_capacity_never_lowers_the_optimum(market: Market, pick: int) -> None:
    more = market.slot_capacity.copy()
    if not len(more):
        return
    more[pick % len(more)] += 1
    assert solve_value(market.with_arrays(slot_capacity=more)) >= solve_value(market)


@settings(max_examples=60, derandomize=True)
@given(tiny(), st.integers(2, 9))
def test_scaling_the_terms_scales_the_value(market: Market, factor: int) -> None:
    terms = tuple(
        Term.of(
            t.name,
            per_tick=t.per_tick * factor,
            per_pair=t.per_pair * factor,
            per_setup=t.per_setup * factor,
            per_demand=t.per_demand * factor,
            per_line=t.per_line * factor,
        )
        for t in market.terms
    )
    assert solve_value(replace(market, terms=terms)) == factor * solve_value(market)


@settings(max_examples=60, derandomize=True)
@given(tiny(), st.randoms(use_true_random=False))
def test_reordering_keeps_the_value(market: Market, random: object) -> None:
    assert solve_value(reversed_order(market)) == solve_value(market)


def reversed_order(m: Market) -> Market:
    """The same market with every entity numbered from the other end."""

    def flip(array: np.ndarray, size: int) -> np.ndarray:
        return (size - 1 - array)[::-1]

    caps = [m.cap_pairs[a:b] for a, b in zip(m.cap_start[:-1], m.cap_start[1:], strict=True)][::-1]
    return Market.build(
        min_run=m.min_run[::-1],
        slot_offer=flip(m.slot_offer, m.offers),
        slot_period=m.slot_period[::-1],
        slot_capacity=m.slot_capacity[::-1],
        bundle=m.bundle[::-1],
        budget=m.budget[::-1],
        line_demand=flip(m.line_demand, m.demands),
        line_quantity=m.line_quantity[::-1],
        line_least=m.line_least[::-1],
        line_max_partners=m.line_max_partners[::-1],
        line_least_share=m.line_least_share[::-1],
        before_line=flip(m.before_line, m.lines),
        after_line=flip(m.after_line, m.lines),
        pair_offer=flip(m.pair_offer, m.offers),
        pair_line=flip(m.pair_line, m.lines),
        pair_min_order=m.pair_min_order[::-1],
        pair_unit_cost=m.pair_unit_cost[::-1],
        pair_fixed_cost=m.pair_fixed_cost[::-1],
        pair_setup=flip(m.pair_setup, m.setups),
        pair_use=m.pair_use[::-1],
        setup_cost=m.setup_cost[::-1],
        x_pair=flip(m.x_pair, m.pairs),
        x_slot=flip(m.x_slot, m.slots),
        cap_limit=m.cap_limit[::-1],
        cap_start=np.cumsum([0] + [len(cap) for cap in caps]),
        cap_pairs=[m.pairs - 1 - int(p) for cap in caps for p in cap],
        terms=[
            Term.of(
                t.name,
                per_tick=t.per_tick[::-1],
                per_pair=t.per_pair[::-1],
                per_setup=t.per_setup[::-1],
                per_demand=t.per_demand[::-1],
                per_line=t.per_line[::-1],
            )
            for t in m.terms
        ],
    )


def test_same_bytes_whatever_the_number_of_workers() -> None:
    market = middling(3, offers=25, demands=35)
    options = Options(seed=7, deterministic_limit=0.3, time_limit_seconds=300.0)
    one = solve(market, options)
    assert len(split(market)) > 1
    for workers in (1, 2, 4):
        again = solve(market, replace(options, workers=workers))
        assert again.reproducible
        assert again.quantity.tobytes() == one.quantity.tobytes()
        assert again.upper_bound == one.upper_bound
        assert again.certificate.slot_price.tobytes() == one.certificate.slot_price.tobytes()


def test_never_worse_than_greedy_when_there_is_no_time() -> None:
    market = middling(5)
    result = solve(market, Options(deterministic_limit=1e-6, time_limit_seconds=5))
    first = greedy(market, np.zeros(market.slots))
    assert first is not None
    assert result.objective >= value(market, first)
    assert result.upper_bound >= result.objective
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok


def test_cancel_hands_in_a_feasible_assignment() -> None:
    market = middling(11, offers=60, demands=120, periods=8)
    stop = threading.Event()

    def on_progress(step: Progress) -> None:
        if step.phase == "SEARCH":
            stop.set()

    options = Options(deterministic_limit=1000, time_limit_seconds=120)
    result = solve(market, options, on_progress, stop.is_set)
    assert result.status is Status.CANCELLED
    assert not result.reproducible
    assert result.seconds < 60
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok


def test_wall_limit_is_owned_up_to() -> None:
    market = middling(11, offers=60, demands=120, periods=8)
    result = solve(market, Options(deterministic_limit=1000, time_limit_seconds=1.5))
    assert not result.reproducible
    assert result.seconds < 30
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok


def test_progress_only_improves_and_ends_with_the_result() -> None:
    seen: list[Progress] = []
    result = solve(middling(2), Options(deterministic_limit=0.5, workers=2), seen.append)
    assert [seen[0].phase, seen[-1].phase] == ["CUT", "DONE"]
    values = [step.value for step in seen]
    assert values == sorted(values)
    bounds = [step.bound for step in seen if step.bound is not None]
    assert bounds == sorted(bounds, reverse=True)
    assert values[-1] == result.objective
    assert seen[-1].components_done == seen[-1].components == result.components


def test_objective_by_term_sums_to_the_objective() -> None:
    market = small(
        terms=[
            Term.of("surplus", per_tick=[5, 6, 7, 8]),
            Term.of("fill", per_line=[1, 1, 1], per_demand=[10, 100]),
            Term.of("change", per_pair=[-2, 0, 0, -3]),
        ]
    )
    result = solve(market)
    assert result.objective_by_term == {"surplus": 24 + 28 + 32, "fill": 113, "change": -3}
    assert result.objective == sum(result.objective_by_term.values())
    assert result.status is Status.OPTIMAL


def test_an_empty_market_has_an_empty_answer() -> None:
    none: list[int] = []
    market = Market.build(
        min_run=[0], slot_offer=[0], slot_period=[1], slot_capacity=[4], bundle=[1, 0],
        budget=[-1, 7], line_demand=[0], line_quantity=[2], line_least=[2], line_max_partners=[0],
        line_least_share=[0], pair_offer=none, pair_line=none, pair_min_order=none,
        pair_unit_cost=none, pair_fixed_cost=none, pair_setup=none, setup_cost=none, x_pair=none,
        x_slot=none, terms=[Term.of("fill", per_demand=[5, 5])],
    )  # fmt: skip
    result = solve(market)
    assert (result.objective, result.upper_bound, result.status) == (0, 0, Status.OPTIMAL)
    assert verify(market, result.quantity, result.certificate).ok


def test_component_of_holds_all_that_the_demand_touches_and_its_value() -> None:
    market = middling(4)
    whole = solve(market, Options(deterministic_limit=20, time_limit_seconds=120))
    part = component_of(market, 0)
    assert 0 in part.demands
    own = part.market
    assert np.array_equal(market.pair_offer[part.pairs], part.offers[own.pair_offer])
    assert np.array_equal(market.x_slot[part.variables], part.slots[own.x_slot])
    inside = value(own, whole.quantity[part.variables])
    outside = sum(
        value(p.market, whole.quantity[p.variables]) for p in split(market) if 0 not in p.demands
    )
    assert inside + outside == whole.objective
    with pytest.raises(IndexError):
        component_of(market, market.demands)


def test_offers_with_room_for_all_do_not_join_their_demands() -> None:
    assert len(split(small(slot_capacity=[8, 8, 8, 8]))) == 2
    assert len(split(small(slot_capacity=[8, 8, 7, 8]))) == 1
    assert len(split(small(slot_capacity=[8, 8, 8, 8], min_run=[0, 1]))) == 1
    tied = {"cap_limit": [7], "cap_start": [0, 2], "cap_pairs": [1, 3]}
    assert len(split(small(slot_capacity=[8, 8, 8, 8], **tied))) == 1
    assert len(split(small(slot_capacity=[8, 8, 8, 8], **tied | {"cap_limit": [8]}))) == 2


def test_options_refuse_nonsense() -> None:
    for wrong in ({"seed": -1}, {"workers": 0}, {"time_limit_seconds": 0}, {"gap_permille": 1000}):
        with pytest.raises(ValueError, match=r".+"):
            Options(**wrong)


def test_results_are_read_only() -> None:
    result = solve(small())
    with pytest.raises(ValueError, match="read-only"):
        result.quantity[0] = 1
