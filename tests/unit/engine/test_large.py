"""The compiled path of large parts: feasible by every rule, proven, the same on any threads."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.markets.book import draw
from benchmarks.markets.problem import eligible, market_of
from services.matching.engine import (
    Market,
    Options,
    Term,
    certificate,
    solve,
    value,
    verify,
)
from services.matching.engine.certificate import certify, prove
from services.matching.engine.compact import compact
from services.matching.engine.components import _connected
from services.matching.engine.large import LargePart
from services.matching.engine.limits import IntArray
from services.matching.engine.prices import relaxation_prices
from services.matching.engine.recreate import sweep
from services.matching.engine.serving import new_desk, new_state
from services.matching.engine.sides import LARGEST_SIDE, sides_of, walk_order
from services.matching.engine.unions import connected
from tests.unit.engine import brute
from tests.unit.engine.markets import tiny


@cache
def drawn(size: int) -> Market:
    """A market with every rule, of so many demands and offers."""
    book = draw(size, size, 7)
    return market_of(book, eligible(book))


def never() -> bool:
    return False


def walked(market: Market, workers: int, units: float = 0.02) -> LargePart:
    part = LargePart(market, workers)
    part.prices(never)
    part.sweep(never)
    part.improve(units, 2**60, 3, never, lambda _: None)
    return part


@settings(max_examples=60)
@given(tiny())
def test_what_is_served_keeps_every_rule_and_stays_below_the_optimum(market: Market) -> None:
    part = LargePart(market, 1)
    prices = part.prices(never)
    proof = certify(market, prices.slot, prices.cap, prices.budget, prices.pair)
    best = brute.optimum(market)
    assert best is not None  # nobody served is feasible
    assert proof.bound >= best
    part.sweep(never)
    swept = part.value
    for found in (part.quantity(), walked(market, 1).quantity()):
        verdict = verify(market, found, proof)
        assert verdict.ok, verdict.message
        assert value(market, found) <= best
    assert value(market, part.quantity()) == swept


@settings(max_examples=150)
@given(tiny(), st.integers(0, 2**31))
def test_the_compiled_bound_is_the_one_of_the_arrays(market: Market, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = 2**16
    slot = rng.integers(0, 25 * scale, market.slots) * rng.integers(0, 2, market.slots)
    cap, budget = rng.integers(0, 9 * scale, market.caps), rng.integers(0, scale, market.demands)
    by_arrays = prove(market, scale, slot, cap, budget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificate, "LARGEST_ARRAYS", -1)
        assert prove(market, scale, slot, cap, budget) == by_arrays


@settings(max_examples=50)
@given(st.integers(0, 2**31))
def test_union_and_find_gives_the_labels_of_label_hooking(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, 40, (2, rng.integers(0, 40)))
    assert connected(40, *edges).tolist() == _connected(40, *edges).tolist()


def test_prices_come_near_the_simplex_method() -> None:
    market = drawn(700)
    part = LargePart(market, 1)
    prices = part.prices(never)
    found = certify(market, prices.slot, prices.cap, prices.budget, prices.pair).bound
    free = certify(market, *(np.zeros(n) for n in (market.slots, market.caps, market.demands)))
    best = relaxation_prices(market, 60.0)
    exact = certify(market, best.slot, best.cap, best.budget).bound
    # The relaxation knows neither sequences nor, beyond fractions, minimum runs.
    assert found < 0.97 * exact < free.bound


def test_one_and_two_threads_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.matching.engine.large.SMALLEST_CUT", 150)
    market = drawn(700)
    one, two = walked(market, 1, 0.2), walked(market, 2, 0.2)
    assert one.quantity().tobytes() == two.quantity().tobytes()
    # Sides leave caps and slots as they found them.
    certain = certify(
        market, np.zeros(market.slots), np.zeros(market.caps), np.zeros(market.demands)
    )
    assert verify(market, two.quantity(), certain).ok


def test_a_walk_goes_on_from_what_is_loaded() -> None:
    market = drawn(700)
    known = walked(market, 1, 0.2).quantity()
    part = LargePart(market, 1)
    part.prices(never)
    part.load(known)
    assert part.quantity().tobytes() == known.tobytes()
    assert part.value == value(market, known)
    # The nearer the goal, the cooler: next to it nothing is given up.
    part.improve(0.05, value(market, known) + 1, 3, never, lambda _: None)
    assert part.value >= value(market, known)
    reached = part.quantity()
    assert part.improve(0.05, part.value, 3, never, lambda _: None)
    assert part.quantity().tobytes() == reached.tobytes()


def test_sides_are_cut_where_few_pairs_are_and_stay_about_equal() -> None:
    c = compact(drawn(700)).rows
    order = np.empty(len(c.offers) - 1, dtype=np.int64)
    walk_order(c, 0, order)
    pairs = np.diff(c.offers["pair0"])

    def at_home(side: IntArray) -> float:
        """The share of pairs that lie where most of their demand's do."""
        where = np.zeros((len(c.demands) - 1, 4))
        demand = c.lines["demand"][c.pairs["line"][:-1]]
        np.add.at(where, (demand, side[c.pairs["offer"][:-1]]), 1)
        return float(where.max(axis=1).sum() / pairs.sum())

    for shift in (0.0, 1 / 3):
        begun = np.empty(len(order), dtype=np.int64)
        begun[order] = (np.cumsum(pairs[order]) / pairs.sum() * 4 + shift).astype(np.int64) % 4
        side = sides_of(c, order, 4, shift)
        assert at_home(side) > at_home(begun) + 0.05
        held = np.bincount(side, weights=pairs, minlength=4)
        assert held.max() <= LARGEST_SIDE * pairs.sum() / 4


def two_weeks(*, ordered: bool) -> Market:
    """An offer of two weeks; the first demand could take either, the second the first one alone.

    ``ordered``: another line of the first demand waits for the line that takes a week.
    """
    lines = 3 if ordered else 2
    pairs = np.arange(lines)
    return Market.build(
        min_run=[0] * lines,
        slot_offer=[0, 0, 1][:lines],
        slot_period=[0, 1, 2][:lines],
        slot_capacity=[5, 5, 5][:lines],
        bundle=[0, 0],
        budget=[-1, -1],
        line_demand=[0, 1, 0][:lines],
        line_quantity=[5] * lines,
        line_least=[5] * lines,
        line_max_partners=[1] * lines,
        line_least_share=[0] * lines,
        before_line=[0] if ordered else (),
        after_line=[2] if ordered else (),
        pair_offer=[0, 0, 1][:lines],
        pair_line=pairs,
        pair_min_order=[0] * lines,
        pair_unit_cost=[0] * lines,
        pair_fixed_cost=[0] * lines,
        pair_setup=pairs,
        setup_cost=[0] * lines,
        x_pair=[0, 0, 1, 2][: lines + 1],
        x_slot=[0, 1, 0, 2][: lines + 1],
        terms=[Term.of("surplus", per_tick=[3, 2, 1][:lines])],
    )


@pytest.mark.parametrize(("ordered", "worth"), [(False, [15, 10]), (True, [20, 0])])
def test_who_has_the_only_week_of_another_moves_unless_a_line_waits_for_it(
    ordered: bool, worth: list[int]
) -> None:
    market = two_weeks(ordered=ordered)
    rows = compact(market).rows
    state = new_state(rows, market.slot_capacity, market.cap_limit)
    price, everywhere = np.zeros(market.slots), np.zeros(market.offers, dtype=np.int64)
    order = np.array([0, 1])
    sweep(rows, state, new_desk(rows), price, everywhere, -1, order)
    assert state.worth.tolist() == worth
    assert state.slot_left[:2].tolist() == ([0, 5] if ordered else [0, 0])


def test_the_walk_gains_on_the_sweep_and_the_sweep_on_nothing() -> None:
    market = drawn(700)
    part = LargePart(market, 1)
    part.prices(never)
    part.sweep(never)
    swept = part.value
    part.improve(0.3, 2**60, 1, never, lambda _: None)
    assert part.value > 1.01 * swept > 0
    assert part.value == value(market, part.quantity())


def test_solve_takes_the_compiled_path_and_keeps_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = drawn(700)
    solve(market, Options(deterministic_limit=0.05))  # compiles
    larger = drawn(2500)
    began = time.monotonic()
    result = solve(larger, Options(time_limit_seconds=2.0, deterministic_limit=10_000.0))
    assert time.monotonic() - began < 12.0  # a fraction of the work that was asked for
    assert not result.reproducible
    assert set(result.timing) >= {"cut", "price", "sweep", "certify", "search"}
    assert verify(larger, result.quantity, result.certificate, objective=result.objective).ok


def test_solve_gives_the_same_bytes_for_any_number_of_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = drawn(700)
    answers = [
        solve(market, Options(time_limit_seconds=500, deterministic_limit=0.3, workers=workers))
        for workers in (1, 2)
    ]
    assert all(answer.reproducible for answer in answers)
    assert answers[0].quantity.tobytes() == answers[1].quantity.tobytes()
    assert (
        answers[0].certificate.slot_price.tobytes() == answers[1].certificate.slot_price.tobytes()
    )
