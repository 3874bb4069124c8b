"""Prices to pay, proposals and the fairness ledger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain import fairness
from services.matching.domain.assignment import drafts
from services.matching.domain.pricing import Terms, cost, k_prices, unit_prices
from services.matching.domain.problem import build
from services.matching.engine import solve
from spareline.matching.v1.policy_pb2 import FairnessAccount, Policy, TransportRate
from tests.unit.matching import books

DOUBLE = Policy.PRICE_RULE_K_DOUBLE_AUCTION


def test_the_offer_rule_pays_the_offers_price() -> None:
    legs = [Terms(100, 200, 10, 40, 0)]
    assert unit_prices(legs, Policy(k_permille=500), -1) == [100]


def test_the_k_double_auction_splits_the_surplus_rounded_down() -> None:
    legs = [Terms(100, 201, 10, 40, 0)]
    assert unit_prices(legs, Policy(price_rule=DOUBLE, k_permille=500), -1) == [145]
    assert unit_prices(legs, Policy(price_rule=DOUBLE, k_permille=0), -1) == [100]
    assert unit_prices(legs, Policy(price_rule=DOUBLE, k_permille=1000), -1) == [191]


terms = st.builds(
    Terms,
    st.integers(0, 1000),
    st.integers(0, 3000),
    st.integers(0, 100),
    st.integers(1, 500),
    st.integers(0, 5000),
)


@given(st.lists(terms, min_size=1, max_size=4), st.integers(1, 1000), st.integers(0, 100_000))
def test_a_lower_k_keeps_the_budget_and_no_larger_one_would(
    legs: list[Terms], k: int, slack: int
) -> None:
    policy = Policy(price_rule=DOUBLE, k_permille=k)
    budget = cost(legs, 0) + slack
    prices = unit_prices(legs, policy, budget)
    paid = sum(
        leg.quantity * (price + leg.unit_transport) + leg.fixed
        for leg, price in zip(legs, prices, strict=True)
    )
    assert paid <= budget
    used = [at for at in range(k + 1) if k_prices(legs, at) == prices]
    assert used
    if used[-1] < k:
        assert cost(legs, used[-1] + 1) > budget


@given(st.lists(terms, min_size=1, max_size=4), st.integers(0, 1000))
def test_no_price_is_below_the_offer_or_above_the_limit(legs: list[Terms], k: int) -> None:
    for leg, price in zip(legs, k_prices(legs, k), strict=True):
        assert leg.offer_price <= price
        if leg.offer_price + leg.unit_transport <= leg.limit_price:
            assert price + leg.unit_transport <= leg.limit_price


@given(st.lists(terms, min_size=1, max_size=4), st.integers(0, 1000))
def test_neither_side_pays_for_the_deal_in_all(legs: list[Terms], k: int) -> None:
    worth = sum(leg.quantity * leg.limit_price for leg in legs)
    own, paid = cost(legs, 0), cost(legs, k)
    assert own <= paid
    if all(leg.offer_price + leg.unit_transport <= leg.limit_price for leg in legs):
        assert paid <= max(own, worth)
        # The offerers' part of the surplus is k of it, less what rounding leaves to the demand.
        surplus = max(0, worth - own)
        share, rounding = k * surplus / 1000, sum(leg.quantity for leg in legs)
        assert share - rounding <= paid - own <= share


@given(st.lists(terms, min_size=1, max_size=4), st.integers(0, 999))
def test_a_larger_k_never_lowers_a_price_and_the_ends_are_one_sided(
    legs: list[Terms], k: int
) -> None:
    lower, higher = k_prices(legs, k), k_prices(legs, k + 1)
    assert all(one <= other for one, other in zip(lower, higher, strict=True))
    assert k_prices(legs, 0) == [leg.offer_price for leg in legs]
    free = [Terms(t.offer_price, t.limit_price, t.unit_transport, t.quantity, 0) for t in legs]
    for leg, price in zip(free, k_prices(free, 1000), strict=True):
        assert price == max(leg.offer_price, leg.limit_price - leg.unit_transport)


def test_what_falls_once_is_paid_out_of_the_surplus_before_it_is_shared() -> None:
    # 1 tick worth 100 from an offer at 50 with a setup of 40: 10 are left to share.
    legs = [Terms(50, 100, 0, 1, 40)]
    assert [k_prices(legs, k) for k in (0, 500, 1000)] == [[50], [55], [60]]
    assert cost(legs, 1000) == 100


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [0, 300, 1000])
def test_in_a_round_nobody_loses_and_the_books_balance(seed: int, k: int) -> None:
    policy = books.policy(price_rule=DOUBLE, k_permille=k)
    problem = build(books.random_book(seed, 8, 10), policy, now_period=books.NOW)
    made = drafts(problem, solve(problem.market).quantity, "rounds/r1", policy)
    assert made
    offers = {each.name: each for each in problem.tables.offers.messages}
    demands = {each.name: each for each in problem.tables.demands.messages}
    for proposal in made:
        limits = {line.id: line.limit_price for line in demands[proposal.demand].lines}
        worth = received = 0
        for leg in proposal.legs:
            ticks = sum(each.quantity for each in leg.deliveries)
            assert leg.unit_price >= offers[leg.offer].unit_price
            worth += ticks * limits[leg.line]
            received += ticks * leg.unit_price + leg.setup_price
        assert received == proposal.total_price
        assert proposal.total_price + proposal.total_transport <= worth


def test_a_proposal_names_everything_and_pays_a_setup_once() -> None:
    offers = [
        books.offer("a/mill", setup_price=500, capacity={1: 30, 2: 50}),
        books.offer("c/lathe", code=books.TURNING, price=70),
    ]
    lines = (
        books.line("one", quantity=40),
        books.line("two", quantity=10),
        books.line("three", code=books.TURNING, quantity=5),
    )
    places = [books.organization("a", "CN-GD")]
    book = books.book(offers, [books.demand("b/need", *lines, bundle=True)], places)
    policy = books.policy(transport=[TransportRate(per_tick_1000km=10, per_shipment_km=1)])
    problem = build(book, policy, now_period=books.NOW)
    result = solve(problem.market)
    (made,) = drafts(problem, result.quantity, "rounds/r1", policy)
    assert made.name.startswith("rounds/r1/proposals/")
    assert [party.side for party in made.parties] == ["demand", "offer", "offer"]
    assert made.parties[0].organization == "organizations/b"
    assert {leg.line: made.parties[leg.party_index].organization for leg in made.legs} == {
        "one": "organizations/a",
        "two": "organizations/a",
        "three": "organizations/c",
    }
    assert sorted(leg.setup_price for leg in made.legs) == [0, 0, 500]
    assert sum(each.quantity for leg in made.legs for each in leg.deliveries) == 55
    by_line = {leg.line: leg for leg in made.legs}
    assert by_line["one"].distance_km == 1048
    assert by_line["one"].transport == 40 * 10 + 1048
    assert by_line["one"].unit.code == "machine_hour"
    assert made.total_price == 50 * 100 + 5 * 70 + 500
    assert made.total_transport == sum(leg.transport for leg in made.legs)
    assert made == drafts(problem, result.quantity, "rounds/r1", policy)[0]


@pytest.mark.parametrize("seed", range(6))
def test_proposals_say_what_the_assignment_says(seed: int) -> None:
    policy = books.policy(price_rule=DOUBLE, k_permille=400, fill_permille=200)
    problem = build(books.random_book(seed, 8, 10), policy, now_period=books.NOW)
    result = solve(problem.market)
    made = drafts(problem, result.quantity, "rounds/r1", policy)
    delivered = sum(d.quantity for p in made for leg in p.legs for d in leg.deliveries)
    assert delivered == int(result.quantity.sum())
    demands = {demand.name: demand for demand in problem.tables.demands.messages}
    for proposal in made:
        demand = demands[proposal.demand]
        if demand.HasField("budget"):
            assert proposal.total_price + proposal.total_transport <= demand.budget
        limits = {line.id: line.limit_price for line in demand.lines}
        for leg in proposal.legs:
            assert leg.unit_price <= limits[leg.line]


def test_need_is_half_waiting_and_half_what_was_not_won() -> None:
    def need(waiting: int, asked: int, won: int) -> int:
        account = FairnessAccount(rounds_waiting=waiting, value_asked=asked, value_won=won)
        return fairness.need_permille(account)

    assert [need(0, 0, 0), need(4, 0, 0), need(20, 0, 0)] == [0, 250, 500]
    assert [need(0, 1000, 250), need(8, 1000, 0), need(0, 1000, 2000)] == [375, 1000, 0]


def test_accounts_count_each_demand_once_and_waiting_in_a_row() -> None:
    book = books.book([books.offer("a/m")], [books.demand("b/n"), books.demand("c/n")])
    problem = build(book, books.policy(), now_period=books.NOW)
    made = drafts(problem, solve(problem.market).quantity, "rounds/r1", books.policy())[:1]
    first = fairness.updated({}, book.demands, made)
    assert first.newly_counted == {demand.name for demand in book.demands}
    won = first.accounts["organizations/b"]
    assert (won.rounds_present, won.rounds_waiting) == (1, 0)
    assert (won.value_asked, won.value_won, won.need_permille) == (8000, 8000, 0)
    waits = first.accounts["organizations/c"]
    assert (waits.rounds_waiting, waits.value_asked, waits.need_permille) == (1, 8000, 562)
    second = fairness.updated(first.accounts, book.demands, [], first.newly_counted)
    assert second.accounts["organizations/c"].value_asked == 8000
    assert second.accounts["organizations/c"].rounds_waiting == 2
    assert fairness.given_back(won, 8000).need_permille == 500


def test_gini_and_concentration() -> None:
    assert fairness.gini_permille([1, 1, 1, 1]) == 0
    assert fairness.gini_permille([0, 0, 0, 1]) == 750
    assert fairness.gini_permille([]) == 0
    assert fairness.concentration_permille([1, 3]) == 750
    assert fairness.concentration_permille([]) == 0
