"""One constraint, one function, one test: an assignment at the edge holds, one beyond it breaks."""

from __future__ import annotations

import numpy as np

from services.matching.engine import Market
from services.matching.engine import constraints as rules
from services.matching.engine.layout import layout
from tests.unit.engine.markets import small


def keeps(rule: rules.Constraint, market: Market, **ticks: int) -> bool:
    """Whether the rule's rows hold for the assignment x0=…, x1=… and what follows from it."""
    v = layout(market)
    quantity = np.zeros(market.variables, dtype=np.int64)
    for name, value in ticks.items():
        quantity[int(name[1:])] = value
    return len(rule(v).broken(v.complete(quantity))) == 0


def test_capacity_limits_what_all_demands_take_from_a_slot() -> None:
    market = small(slot_capacity=[3, 4, 4, 4])
    assert keeps(rules.capacity, market, x0=2, x4=1)
    assert not keeps(rules.capacity, market, x0=2, x4=2)


def test_quantity_lies_between_least_and_all() -> None:
    market = small(line_least=[2, 4, 4])
    assert keeps(rules.quantity, market, x0=2)
    assert keeps(rules.quantity, market)
    assert not keeps(rules.quantity, market, x0=1)
    assert not keeps(rules.quantity, market, x0=4, x2=1)


def test_sourcing_partners_counts_offers_not_periods() -> None:
    market = small(line_max_partners=[1, 0, 0])
    assert keeps(rules.sourcing_partners, market, x0=2, x1=2)
    assert not keeps(rules.sourcing_partners, market, x0=2, x2=2)


def test_least_share_is_carried_by_each_partner() -> None:
    market = small(line_least_share=[2, 0, 0])
    assert keeps(rules.least_share, market, x0=1, x1=1, x2=2)
    assert not keeps(rules.least_share, market, x0=3, x2=1)


def test_minimum_order_holds_per_offer_and_line() -> None:
    market = small(pair_min_order=[3, 0, 0, 0])
    assert keeps(rules.minimum_order, market, x0=1, x1=2, x2=1)
    assert not keeps(rules.minimum_order, market, x0=2, x2=2)


def test_bundle_is_all_lines_or_none() -> None:
    market = small(bundle=[1, 0])
    assert keeps(rules.bundle, market, x0=4, x4=4)
    assert keeps(rules.bundle, market)
    assert not keeps(rules.bundle, market, x0=4)
    assert keeps(rules.bundle, small(), x0=4)


def test_sequence_starts_after_the_last_period_of_the_line_before() -> None:
    market = small(before_line=[0], after_line=[1])
    assert keeps(rules.sequence, market, x0=4, x5=4)
    assert not keeps(rules.sequence, market, x0=4, x4=4)
    assert not keeps(rules.sequence, market, x0=2, x1=2, x5=4)
    assert not keeps(rules.sequence, market, x5=4)
    assert keeps(rules.sequence, market, x1=4)


def test_budget_covers_ticks_one_off_costs_and_set_ups() -> None:
    market = small(budget=[47, -1], pair_fixed_cost=[3, 0, 0, 0], setup_cost=[4, 0, 0])
    assert keeps(rules.budget, market, x0=4)
    assert not keeps(rules.budget, market.with_arrays(budget=[46, -1]), x0=4)
    assert keeps(rules.budget, market.with_arrays(budget=[46, -1]), x6=4)


def test_minimum_run_is_reached_over_all_demands_or_the_offer_stays_closed() -> None:
    market = small(min_run=[6, 0])
    assert keeps(rules.minimum_run, market, x0=4, x5=2)
    assert keeps(rules.minimum_run, market, x2=4)
    assert not keeps(rules.minimum_run, market, x0=4, x5=1)


def test_setup_once_is_paid_once_for_two_lines_of_a_demand() -> None:
    market = small(setup_cost=[9, 0, 0], budget=[89, -1])
    assert keeps(rules.setup_once, market, x0=4, x5=4)
    assert keeps(rules.budget, market, x0=4, x5=4)
    v = layout(market)
    unpaid = v.complete(np.array([4, 0, 0, 0, 0, 0, 0, 0]))
    unpaid[v.g] = 0
    assert len(rules.setup_once(v).broken(unpaid))
    for_nothing = v.complete(np.zeros(8, dtype=np.int64))
    for_nothing[v.g] = 1
    assert len(rules.setup_once(v).broken(for_nothing))


def test_pins_keep_what_is_pinned() -> None:
    market = small(pin_x=[0, 6], pin_quantity=[4, 0])
    assert keeps(rules.pins, market, x0=4)
    assert not keeps(rules.pins, market, x0=3)
    assert not keeps(rules.pins, market, x0=4, x6=1)


def test_concentration_limits_the_pairs_of_a_cap_together() -> None:
    market = small(cap_limit=[5], cap_start=[0, 2], cap_pairs=[1, 3])
    assert keeps(rules.concentration, market, x2=2, x6=3, x0=4)
    assert not keeps(rules.concentration, market, x2=2, x7=4)


def test_every_constraint_has_a_test_here() -> None:
    named = [name for name in globals() if name.startswith("test_")]
    for rule in rules.ALL:
        assert any(name.startswith(f"test_{rule.__name__}_") for name in named), rule.__name__
