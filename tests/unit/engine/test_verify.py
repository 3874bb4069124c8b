"""The checker: it passes honest answers, names what is wrong with others, and stands alone."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine import (
    IntArray,
    Market,
    Options,
    Result,
    proof,
    run_proof,
    solve,
    verify,
    whole_proof,
)
from services.matching.engine import verify as verify_function
from services.matching.engine.certificate import certify, prove
from services.matching.engine.proof import proven_bound
from tests.unit.engine import brute
from tests.unit.engine.markets import middling, small, tiny


@pytest.fixture(scope="module")
def market() -> Market:
    return middling(8)


@pytest.fixture(scope="module")
def result(market: Market) -> Result:
    return solve(market, Options(deterministic_limit=0.3))


def test_an_honest_answer_passes(market: Market, result: Result) -> None:
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
    assert verdict.ok
    assert verdict.objective == result.objective
    assert verdict.bound == result.certified_bound


def changed(array: np.ndarray, row: int, by: int) -> np.ndarray:
    copy = array.copy()
    copy[row] += by
    return copy


def test_one_tick_more_or_less_than_said_fails(market: Market, result: Result) -> None:
    for x in np.flatnonzero(result.quantity)[:10].tolist():
        for by in (1, -1):
            wrong = changed(result.quantity, x, by)
            verdict = verify(market, wrong, result.certificate, objective=result.objective)
            assert not verdict.ok
            assert verdict.message


def test_a_swapped_slot_fails_or_is_worth_the_same(market: Market, result: Result) -> None:
    used = np.flatnonzero(result.quantity)
    other = np.flatnonzero(market.x_slot == market.x_slot[used[0]])
    full = market.slot_capacity[market.x_slot[used[0]]]
    wrong = result.quantity.copy()
    wrong[other] = 0
    wrong[other[0]] = full + 1
    verdict = verify(market, wrong, result.certificate)
    assert (verdict.ok, verdict.broken) == (False, "capacity")
    assert verdict.index == market.x_slot[used[0]]


def test_a_tampered_certificate_fails(market: Market, result: Result) -> None:
    good = result.certificate
    priced = int(np.flatnonzero(good.slot_price)[0])
    tampered = {
        "bound lowered": replace(good, bound=good.bound - 1),
        "bound raised": replace(good, bound=good.bound + 1),
        "prices lowered": replace(good, slot_price=good.slot_price // 2),
        "price negative": replace(good, slot_price=changed(good.slot_price, priced, -(2**40))),
        "price missing": replace(good, slot_price=good.slot_price[:-1]),
        "price not whole": replace(good, slot_price=cast(IntArray, good.slot_price / 2)),
        "budget prices missing": replace(good, budget_price=good.budget_price[1:]),
        "scale": replace(good, scale=good.scale * 2),
        "no scale": replace(good, scale=0),
    }
    for name, certificate in tampered.items():
        verdict = verify(market, result.quantity, certificate)
        assert not verdict.ok, name
        assert verdict.broken in ("certificate", "bound"), name


def test_another_book_fails(market: Market, result: Result) -> None:
    slot = int(market.x_slot[np.flatnonzero(result.quantity)[0]])
    less = market.with_arrays(slot_capacity=changed(market.slot_capacity, slot, -1))
    assert not verify(less, result.quantity, result.certificate).ok
    line = int(market.pair_line[market.x_pair[np.flatnonzero(result.quantity)[0]]])
    more = changed(market.line_quantity, line, 5)
    least = changed(market.line_least, line, int(more[line] - market.line_least[line]))
    other = market.with_arrays(line_quantity=more, line_least=least)
    assert not verify(other, result.quantity, result.certificate).ok


RULES: list[tuple[str, dict[str, Any], list[int]]] = [
    ("capacity", {"slot_capacity": [3, 4, 4, 4]}, [4, 0, 0, 0, 0, 0, 0, 0]),
    ("capacity", {"pair_use": [2, 1, 1, 1]}, [1, 3, 0, 0, 0, 0, 0, 0]),
    ("quantity", {}, [3, 0, 0, 0, 0, 0, 0, 0]),
    ("sourcing_partners", {"line_max_partners": [1, 0, 0]}, [2, 0, 2, 0, 0, 0, 0, 0]),
    ("least_share", {"line_least_share": [2, 0, 0]}, [3, 0, 1, 0, 0, 0, 0, 0]),
    ("minimum_order", {"pair_min_order": [0, 2, 0, 0]}, [3, 0, 1, 0, 0, 0, 0, 0]),
    ("bundle", {"bundle": [1, 0]}, [4, 0, 0, 0, 0, 0, 0, 0]),
    ("sequence", {"before_line": [0], "after_line": [1]}, [0, 0, 4, 0, 4, 0, 0, 0]),
    ("sequence", {"before_line": [0], "after_line": [1]}, [0, 0, 0, 0, 4, 0, 0, 0]),
    ("budget", {"budget": [39, -1]}, [4, 0, 0, 0, 0, 0, 0, 0]),
    ("minimum_run", {"min_run": [5, 0]}, [4, 0, 0, 0, 0, 0, 0, 0]),
    ("pins", {"pin_x": [7], "pin_quantity": [4]}, [4, 0, 0, 0, 0, 0, 0, 0]),
    (
        "concentration",
        {"cap_limit": [3], "cap_start": [0, 1], "cap_pairs": [0]},
        [4, 0, 0, 0, 0, 0, 0, 0],
    ),
]


@pytest.mark.parametrize(("rule", "arrays", "quantity"), RULES)
def test_each_rule_is_named_when_it_breaks(
    rule: str, arrays: dict[str, Any], quantity: list[int]
) -> None:
    market = small(**arrays)
    zeros = np.zeros
    certificate = certify(market, zeros(market.slots), zeros(market.caps), zeros(market.demands))
    verdict = verify(market, np.array(quantity), certificate)
    assert (verdict.ok, verdict.broken) == (False, rule), verdict
    assert verdict.message


def test_wrong_shapes_and_negative_ticks_are_refused(market: Market, result: Result) -> None:
    for wrong in (result.quantity[:-1], cast(IntArray, result.quantity * 1.0), result.quantity - 1):
        assert verify(market, wrong, result.certificate).broken == "quantity"


def test_a_claimed_objective_is_recomputed(market: Market, result: Result) -> None:
    verdict = verify(market, result.quantity, result.certificate, objective=result.objective + 1)
    assert (verdict.ok, verdict.broken) == (False, "objective")


@settings(max_examples=300, derandomize=True)
@given(tiny(most=200), st.integers(0, 2**32 - 1))
def test_any_prices_prove_a_bound_and_both_counts_agree(market: Market, seed: int) -> None:
    rng = np.random.default_rng(seed)
    slot = rng.integers(0, 30, market.slots)
    cap = rng.integers(0, 30, market.caps)
    budget = rng.integers(0, 5, market.demands)
    bound = prove(market, 3, slot, cap, budget)
    assert bound == proven_bound(market, 3, slot.tolist(), cap.tolist(), budget.tolist())
    best = brute.optimum(market)
    assert best is not None
    assert bound >= best


@settings(max_examples=300, derandomize=True)
@given(tiny(most=200), st.integers(0, 2**32 - 1))
def test_prices_per_pair_prove_a_bound_and_both_counts_agree(market: Market, seed: int) -> None:
    """Minimum runs and sequences count there, whatever other rules are on."""
    rng = np.random.default_rng(seed)
    slot, cap = rng.integers(0, 12, market.slots), rng.integers(0, 12, market.caps)
    budget = rng.integers(0, 3, market.demands)
    own = market.min_run[market.pair_offer] > 0
    pair = rng.integers(-15, 30, market.pairs) * rng.integers(0, 2, market.pairs) * own
    prices = slot.tolist(), cap.tolist(), budget.tolist()
    bound = prove(market, 3, slot, cap, budget, pair)
    assert bound == proven_bound(market, 3, *prices, pair.tolist())
    best = brute.optimum(market)
    assert best is not None
    assert bound >= best
    # Without a price for any pair there are still sequences and budgets, which lower it or nothing.
    free = prove(market, 3, slot, cap, budget, np.zeros_like(pair))
    assert best <= free <= prove(market, 3, slot, cap, budget)
    if not len(market.before_line) and (market.budget < 0).all():
        assert free == prove(market, 3, slot, cap, budget)


def test_what_a_budget_does_not_pay_for_lowers_the_bound() -> None:
    market = small(budget=[39, -1], line_max_partners=[1, 1, 1])
    nothing = np.zeros(4, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(2, dtype=np.int64)
    assert prove(market, 1, *nothing) == 4 * 6 + 4 * 7 + 4 * 8
    # Lines of demand 0 go whole to one offer, which costs 40.
    assert prove(market, 1, *nothing, np.zeros(4, dtype=np.int64)) == 4 * 8


def test_a_run_out_of_reach_and_lines_in_sequence_lower_the_bound() -> None:
    run = small(min_run=[9, 0], line_quantity=[4, 4, 4])
    nothing = np.zeros(4, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(2, dtype=np.int64)
    forbidden = np.array([9, 0, 9, 0])
    # Offer 0 can't be opened: line 0 goes to offer 1, line 1 nowhere.
    assert prove(run, 1, *nothing) == 4 * 6 + 4 * 7 + 4 * 8
    assert prove(run, 1, *nothing, forbidden) == 4 * 6 + 4 * 8
    rules = {"before_line": [1], "after_line": [0], "bundle": [1, 0]}
    # Line 1 runs in period 2 at the earliest, so that offer 1 comes too early for line 0.
    chained = small(slot_period=[2, 3, 0, 1], **rules)
    free = np.zeros(4, dtype=np.int64)
    assert prove(chained, 1, *nothing) == 4 * 6 + 4 * 7 + 4 * 8
    assert prove(chained, 1, *nothing, free) == 4 * 5 + 4 * 7 + 4 * 8


def test_tampered_pair_prices_fail() -> None:
    market = small(min_run=[6, 0])
    none = np.zeros(4), np.zeros(0), np.zeros(2)
    good = certify(market, *none, np.array([3.0, 0.0, -1.0, 0.0]))
    quantity = np.zeros(market.variables, dtype=np.int64)
    assert good.pair_price is not None
    assert verify(market, quantity, good).ok
    elsewhere = good.pair_price.copy()
    elsewhere[1] = 1
    wrong = {
        "halved": good.pair_price // 2,
        "one missing": good.pair_price[1:],
        "at an offer without a run": elsewhere,
        "real": cast(IntArray, good.pair_price * 1.0),
    }
    for what, prices in wrong.items():
        assert not verify(market, quantity, replace(good, pair_price=prices)).ok, what
    for bound in (good.bound - 1, good.bound + 1):
        assert verify(market, quantity, replace(good, bound=bound)).broken == "bound"


def test_huge_numbers_are_counted_exactly() -> None:
    market = small(slot_capacity=[2**39] * 4, line_quantity=[2**38] * 3, line_least=[2**37] * 3)
    prices = np.full(4, 2**40), np.zeros(0, dtype=np.int64), np.zeros(2, dtype=np.int64)
    bound = prove(market, 2**16, *prices)
    assert bound == proven_bound(market, 2**16, *(p.tolist() for p in prices))
    assert bound > 2**60


def test_the_checker_shares_no_code_with_the_solver() -> None:
    allowed = {"market", "limits", "result", "proof", "run_proof", "whole_proof"}
    for module in (inspect.getmodule(verify_function), proof, run_proof, whole_proof):
        assert module is not None
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("services."):
                assert str(node.module).rsplit(".", 1)[1] in allowed, node.module
