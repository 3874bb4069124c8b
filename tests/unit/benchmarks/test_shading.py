"""The market in which one firm shades: what is traded, at whose price, and who gains."""

import numpy as np
import pytest

from benchmarks.shading import FACTORS, RULES, SIDES, Bids, drawn, profit, summary, traded, tried

TWO = Bids(
    np.array([100, 90]), np.array([50]), np.array([1, 1]), np.array([1]), np.zeros((2, 1), int)
)


def test_the_one_offer_goes_to_who_says_it_is_worth_most() -> None:
    assert traded(TWO).tolist() == [[1], [0]]
    lied = TWO.changed("demand", 1, 1.3)
    assert traded(lied).tolist() == [[0], [1]]
    # With the price as posted that pays: 90 for 50. At k = 1 the limit of 117 is paid.
    assert profit(TWO, lied, traded(lied), RULES["offer's price"], "demand", 1) == 40
    assert profit(TWO, lied, traded(lied), RULES["k = 1"], "demand", 1) == 90 - 117
    assert profit(TWO, lied, traded(lied), RULES["k = 1"], "offer", 0) == 117 - 50


@pytest.mark.parametrize("rule", RULES)
def test_honest_profits_of_both_sides_are_the_whole_surplus(rule: str) -> None:
    true = drawn(np.random.default_rng(3), 6, 5)
    ticks = traded(true)
    both = [
        profit(true, true, ticks, RULES[rule], side, who)
        for side, count in zip(SIDES, (6, 5), strict=True)
        for who in range(count)
    ]
    assert sum(both) == (ticks * true.surplus).sum() > 0
    assert min(both) >= 0


def test_each_rule_and_side_is_tried_with_every_factor_and_summed_up() -> None:
    rng = np.random.default_rng(4)
    found = list(tried(rng, drawn(rng, 3, 3)))
    assert [(rule, side) for rule, side, _, _ in found] == [(r, s) for s in SIDES for r in RULES]
    assert all(len(profits) == len(FACTORS) for *_, profits in found)
    honest = FACTORS.index(1.0)
    flat = [50.0] * len(FACTORS)
    better = [*flat]
    better[honest + 1] = 70.0
    figures = summary([flat, better], 200.0)
    assert figures["best_factor"] == FACTORS[honest + 1]
    assert (figures["honest_percent"], figures["gain_percent"]) == (50.0, 10.0)
    assert (figures["hindsight_percent"], figures["gainers_percent"]) == (10.0, 50.0)
