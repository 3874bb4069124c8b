"""A standing assignment follows every change: feasible, counted right, close to a full solve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine import InvalidMarket, Options, solve, value
from services.matching.engine.market import Market
from services.matching.engine.standing import Standing
from tests.unit.engine import brute
from tests.unit.engine.markets import middling, small, tiny

QUICK = Options(time_limit_seconds=20, deterministic_limit=0.5)


def standing(market: Market) -> Standing:
    result = solve(market, QUICK)
    return Standing(market, result.quantity, result.certificate)


def sound(one: Standing) -> bool:
    market, quantity = one.market()
    assert one.value == value(market, quantity)
    return brute.feasible(market, tuple(quantity.tolist()))


@settings(max_examples=30)
@given(market=tiny(), seed=st.integers(0, 1000))
def test_any_run_of_changes_stays_feasible_and_is_counted_right(market: Market, seed: int) -> None:
    random = np.random.default_rng(seed)
    one = standing(market)
    demands, offers = list(range(market.demands)), list(range(market.offers))
    for _ in range(6):
        if random.random() < 0.5:
            demand = int(random.choice(demands))
            rows = one.rows_of_demand(demand)
            gone = one.withdraw_demand(demand)
            demands[demands.index(demand)] = one.sizes["demand"]
        else:
            offer = int(random.choice(offers))
            rows = one.rows_of_offer(offer)
            gone = one.withdraw_offer(offer)
            offers[offers.index(offer)] = one.sizes["offer"]
        assert sound(one)
        back = one.post(rows)
        assert sound(one)
        assert gone.after == back.before <= back.after == one.value


@settings(max_examples=20)
@given(market=tiny(most=800))
def test_what_comes_back_is_served_as_brute_force_says(market: Market) -> None:
    one = standing(market)
    for demand in range(market.demands):
        rows = one.rows_of_demand(demand)
        one.withdraw_demand(demand)
        one.post(rows)
    assert one.value == brute.optimum(market)


def test_many_changes_stay_near_a_full_solve() -> None:
    market = middling(3, offers=20, demands=60)
    one = standing(market)
    random = np.random.default_rng(1)
    demands = list(range(market.demands))
    for _ in range(30):
        place = int(random.integers(len(demands)))
        rows = one.rows_of_demand(demands[place])
        rows["line_quantity"] = rows["line_quantity"] + random.integers(0, 2)
        one.withdraw_demand(demands[place])
        demands[place] = one.sizes["demand"]
        one.post(rows)
    now, quantity = one.market()
    assert value(now, quantity) >= 0.97 * solve(now, QUICK).objective


def test_what_is_far_away_stays_as_it_is() -> None:
    market = small()
    one = standing(market)
    before = one.market()[1].copy()
    changed = one.withdraw_demand(1)
    assert 1 not in changed.touched or len(changed.touched) == 1
    assert np.array_equal(one.market()[1], before[: len(one.market()[1])])


def test_what_is_pinned_cannot_be_withdrawn() -> None:
    market = small(pin_x=[0], pin_quantity=[4])
    one = standing(market)
    with pytest.raises(InvalidMarket, match="pinned"):
        one.withdraw_demand(0)
    with pytest.raises(InvalidMarket, match="pinned"):
        one.withdraw_offer(0)
    one.withdraw_demand(1)


def test_rows_that_do_not_fit_are_refused_and_change_nothing() -> None:
    one = standing(small())
    value_before = one.value
    rows = one.rows_of_demand(0)
    wrong: list[tuple[str, list[int], str]] = [
        ("pair_offer", [0, 9, 0], "pair_offer"),
        ("line_quantity", [4], "rows"),
        ("line_least", [9, 9], "line_least"),
        ("nonsense", [1], "nonsense"),
    ]
    for name, column, words in wrong:
        with pytest.raises(InvalidMarket, match=words):
            one.post({**rows, name: column})
        assert one.value == value_before
        assert sound(one)
        rows = one.rows_of_demand(0)
    capped = standing(small(cap_limit=[9], cap_start=[0, 1], cap_pairs=[0]))
    for name, column, words in [
        ("entry_cap", [5], "entry_cap"),
        ("entry_pair", [99], "entry_pair"),
    ]:
        with pytest.raises(InvalidMarket, match=words):
            capped.post({**capped.rows_of_demand(0), name: column})
        assert sound(capped)
    with pytest.raises(InvalidMarket, match="missing"):
        one.post({name: column for name, column in rows.items() if name != "line_least"})
    with pytest.raises(InvalidMarket, match="not open"):
        one.withdraw_demand(99)
