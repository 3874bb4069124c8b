"""Avoiding blocking pairs: as few as can be in tiny markets, fewer in others, at a known price."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine import (
    Market,
    Options,
    Result,
    Stability,
    Status,
    Term,
    solve,
    stability,
    verify,
)
from services.matching.engine.blocking import blocking_pairs
from tests.unit.engine import brute
from tests.unit.engine.markets import tiny, transport

EXACT = Options(deterministic_limit=20.0, time_limit_seconds=60.0)


def fewest(market: Market, floor: int) -> tuple[int, int]:
    """The fewest blocking pairs of all assignments worth ``floor``, and the best value with so few.

    Found by trying everything.
    """
    found = []
    for choice in itertools.product(*(range(_top(market, x) + 1) for x in range(market.variables))):
        if brute.feasible(market, choice) and (worth := brute.value(market, choice)) >= floor:
            found.append((int(blocking_pairs(market, np.array(choice)).sum()), -worth))
    count, worth = min(found)
    return count, -worth


def _top(market: Market, x: int) -> int:
    pair = market.x_pair[x]
    fits = market.slot_capacity[market.x_slot[x]] // market.pair_use[pair]
    return int(min(fits, market.line_quantity[market.pair_line[pair]]))


@settings(max_examples=60, derandomize=True)
@given(tiny(most=120), st.sampled_from([1, 50, 300, 1000]))
def test_as_few_pairs_block_as_brute_force_finds_for_the_same_price(
    market: Market, permille: int
) -> None:
    best = brute.optimum(market)
    assert best is not None
    result = solve(market, replace(EXACT, stability_permille=permille))
    count, worth = fewest(market, best - int(abs(best) * permille / 1000))
    assert (int(blocking_pairs(market, result.quantity).sum()), result.objective) == (count, worth)
    assert result.stability is not None
    assert result.stability.after == count <= result.stability.before
    assert result.stability.paid == best - worth
    assert brute.feasible(market, tuple(result.quantity.tolist()))
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok
    assert result.upper_bound >= best


def test_what_is_best_for_all_is_left_unless_the_policy_pays_to_avoid_it() -> None:
    # One slot of 2 ticks. Line 0 takes both for 6 each, 12 in all. Lines 1 and 2 take one each,
    # for 10, and for 6 less 5 once: 11 in all. So line 0 is served, and line 1 and the offer block.
    market = Market.build(
        min_run=[0], slot_offer=[0], slot_period=[0], slot_capacity=[2], bundle=[0] * 3,
        budget=[-1] * 3, line_demand=[0, 1, 2], line_quantity=[2, 1, 1], line_least=[2, 1, 1],
        line_max_partners=[0] * 3, line_least_share=[0] * 3, pair_offer=[0] * 3,
        pair_line=[0, 1, 2], pair_min_order=[0] * 3, pair_unit_cost=[0] * 3,
        pair_fixed_cost=[0] * 3, pair_setup=[0, 1, 2], setup_cost=[0] * 3, x_pair=[0, 1, 2],
        x_slot=[0] * 3, terms=[Term.of("surplus", per_tick=[6, 10, 6], per_pair=[0, 0, -5])],
    )  # fmt: skip
    kept = solve(market, replace(EXACT, stability_permille=80))
    assert (kept.quantity.tolist(), kept.stability) == ([2, 0, 0], Stability(1, 1, 0))
    assert kept.status is Status.OPTIMAL
    paid = solve(market, replace(EXACT, stability_permille=84))
    assert (paid.quantity.tolist(), paid.stability) == ([0, 1, 1], Stability(1, 0, 1))
    assert (paid.objective, paid.upper_bound, paid.status) == (11, 12, Status.FEASIBLE)


def squeezed(offers: int, demands: int) -> Market:
    market = transport(np.random.default_rng(3), offers, demands, 3, ruled=True, most=6)
    return market.with_arrays(slot_capacity=market.slot_capacity // 2)


def walked(market: Market, monkeypatch: pytest.MonkeyPatch, workers: int = 1) -> Result:
    """Solved by neighbourhoods alone, with a twentieth of the value to give."""
    monkeypatch.setattr(stability, "WHOLE", 0)
    options = Options(
        deterministic_limit=0.4, time_limit_seconds=60, stability_permille=50, workers=workers
    )
    return solve(market, options)


def test_neighbourhoods_avoid_pairs_within_what_may_be_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = squeezed(8, 16)
    free = solve(market, Options(deterministic_limit=0.3))
    result = walked(market, monkeypatch)
    assert result.stability is not None
    assert result.stability.after < result.stability.before
    assert result.stability.after == int(blocking_pairs(market, result.quantity).sum())
    assert result.stability.before == int(blocking_pairs(market, free.quantity).sum())
    assert result.objective == free.objective - result.stability.paid >= free.objective * 0.95
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok
    assert result.gap == (result.upper_bound - result.objective) / result.upper_bound
    again = walked(market, monkeypatch, workers=3)
    assert again.quantity.tobytes() == result.quantity.tobytes()
    assert again.stability == result.stability


def test_what_is_pinned_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    market = squeezed(8, 16)
    used = np.flatnonzero(solve(market, Options(deterministic_limit=0.3)).quantity)
    ticks = solve(market, Options(deterministic_limit=0.3)).quantity[used]
    pinned = market.with_arrays(pin_x=used, pin_quantity=ticks)
    result = walked(pinned, monkeypatch)
    assert result.quantity[used].tolist() == ticks.tolist()


def test_without_an_allowance_nothing_is_touched() -> None:
    result = solve(squeezed(4, 8), Options(deterministic_limit=0.3))
    assert result.stability is None
    assert result.status in (Status.OPTIMAL, Status.FEASIBLE)


@pytest.mark.parametrize("permille", [-1, 1001])
def test_an_allowance_beyond_all_is_refused(permille: int) -> None:
    with pytest.raises(ValueError, match="stability_permille"):
        Options(stability_permille=permille)
