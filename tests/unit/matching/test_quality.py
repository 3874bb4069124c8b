"""What a round says of itself beyond its value, from small books whose answer can be counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain import fairness
from services.matching.domain.assignment import drafts
from services.matching.domain.problem import Problem, build
from services.matching.engine import Options, solve
from services.matching.rounds.answer import Answer
from services.matching.rounds.flows import flows_of
from services.matching.rounds.outcome import outcome_of
from services.matching.rounds.shares import Shares, shares_of, shift
from spareline.matching.v1.policy_pb2 import FairnessAccount, Policy
from spareline.matching.v1.proposal_pb2 import Delivery, Leg, Party, Proposal
from spareline.matching.v1.round_pb2 import Outcome
from tests.unit.matching import books


def outcome(problem: Problem, policy: Policy, waited: int = 0) -> Outcome:
    result = solve(problem.market, Options(stability_permille=policy.stability_permille))
    made = drafts(problem, result.quantity, "rounds/r1", policy)
    messages = problem.tables.demands.messages
    known = {
        fairness.owner(each.name): FairnessAccount(
            organization=fairness.owner(each.name), rounds_waiting=waited
        )
        for each in messages
    }
    update = fairness.updated(known, messages, made)
    answer = Answer.from_bytes(Answer.of(result).to_bytes())
    return outcome_of(problem, answer, made, update.accounts)


def test_shares_waits_and_distances_are_counted() -> None:
    # Two offers of 40 each; a asks 40 and b asks 40 at 200, c asks 40 at 150 and wins nothing.
    offers = [books.offer("x/m", capacity={1: 40}), books.offer("y/m", capacity={1: 40})]
    demands = [
        books.demand("a/n", books.line("one", quantity=40, limit=200)),
        books.demand("b/n", books.line("one", quantity=40, limit=300)),
        books.demand("c/n", books.line("one", quantity=40, limit=150)),
    ]
    places = [books.organization("a", "CN-GD")]
    policy = books.policy()
    problem = build(books.book(offers, demands, places), policy, now_period=books.NOW)
    made = outcome(problem, policy, waited=3)
    assert (made.organizations_waiting, made.longest_wait_rounds) == (1, 4)
    # Value by limit price: 8000 to a, 12000 to b.
    assert (made.concentration_permille, made.demand_hhi) == (600, 5200)
    assert (made.offer_concentration_permille, made.offer_hhi) == (600, 5200)
    assert made.same_region_permille == 600
    # Of the distances only a's counts, 8000 of 20000 at 1048 km.
    assert made.mean_distance_km == 1048 * 8000 // 20000
    assert (made.legs_reopened, made.legs_kept, made.value_kept_permille) == (0, 0, 0)
    assert made.blocking_pairs == made.blocking_pairs_before == 0


def test_what_is_kept_of_earlier_proposals_is_counted() -> None:
    offers = [books.offer("x/m", capacity={1: 40}), books.offer("y/m", price=90, capacity={1: 40})]
    lines = (books.line("one", quantity=40), books.line("two", quantity=20))
    demands = [books.demand("a/n", lines[0]), books.demand("b/n", lines[1])]
    policy = books.policy(reopens_unanswered=True, change_permille=1000)
    week = books.line("one").window.earliest
    earlier = [
        Proposal(
            name=f"rounds/r0/proposals/{at}",
            demand=demands[at].name,
            state=Proposal.STATE_PROPOSED,
            parties=[Party(), Party()],
            legs=[
                Leg(
                    offer=offers[at].name,
                    line=lines[at].id,
                    deliveries=[Delivery(period=week, quantity=lines[at].quantity)],
                )
            ],
        )
        for at in range(2)
    ]
    problem = build(books.book(offers, demands), policy, now_period=books.NOW, pins=earlier)
    made = outcome(problem, policy)
    assert (made.legs_reopened, made.legs_kept, made.value_kept_permille) == (2, 2, 1000)
    # Without the penalty the larger demand moves to the cheaper offer, the other to what is left.
    free = books.policy(reopens_unanswered=True)
    problem = build(books.book(offers, demands), free, now_period=books.NOW, pins=earlier)
    made = outcome(problem, free)
    assert (made.legs_reopened, made.legs_kept, made.value_kept_permille) == (2, 0, 0)


def test_a_round_says_how_many_pairs_blocked_before_and_what_fewer_cost() -> None:
    # 40 hours: to a for 60 more than they cost each, or 20 each to b for 100 and to c for 60. With
    # 900 to set up twice the two are worth 100 less, so a is served, and b and the offer block.
    book = books.book(
        [books.offer("x/m", setup_price=900, capacity={1: 40})],
        [
            books.demand("a/n", books.line("one", quantity=40, limit=160)),
            books.demand("b/n", books.line("one", quantity=20, limit=200)),
            books.demand("c/n", books.line("one", quantity=20, limit=160)),
        ],
    )
    plain = books.policy()
    before = outcome(build(book, plain, now_period=books.NOW), plain)
    assert (before.objective, before.blocking_pairs, before.stability_cost) == (1500, 1, 0)
    assert before.blocking_pairs_before == 1
    steady = books.policy(stability_permille=100)
    after = outcome(build(book, steady, now_period=books.NOW), steady)
    assert (after.blocking_pairs_before, after.blocking_pairs) == (1, 0)
    assert (after.objective, after.stability_cost, after.upper_bound) == (1400, 100, 1500)


def test_answers_of_rounds_before_there_was_stability_can_be_read() -> None:
    problem = build(books.random_book(1, 4, 4), books.policy(), now_period=books.NOW)
    answer = Answer.of(solve(problem.market))
    again = Answer.from_bytes(answer.to_bytes())
    assert again.stability is None
    assert np.array_equal(again.quantity, answer.quantity)
    paid = replace(answer, stability=solve(problem.market, Options(stability_permille=1)).stability)
    assert Answer.from_bytes(paid.to_bytes()).stability == paid.stability


@given(st.lists(st.integers(0, 10**15), max_size=30))
def test_the_index_lies_between_evenly_to_all_and_all_to_one(values: list[int]) -> None:
    found = fairness.hhi(values)
    held = [value for value in values if value]
    assert found <= 10_000
    if held:
        assert found >= 10_000 // len(held) - 1
        assert fairness.hhi([7] * len(held)) == 10_000 // len(held)
    else:
        assert found == 0


def test_waits_are_counted_in_rounds_in_a_row() -> None:
    once = fairness.waits({}, ["a/x", "b/y", "c/z"], {"b/y"})
    twice = fairness.waits(once, ["a/x", "b/y"], {"a/x"})
    assert once == {"a/x": 1, "c/z": 1}
    assert twice == {"b/y": 1}  # c/z is not there any more
    assert fairness.waits({"a/x": 7}, ["a/x"], ()) == {"a/x": 8}
    assert fairness.by_wait([1, 2, 3, 4, 7, 8, 90]) == [1, 2, 2, 2]


def test_the_ledger_is_even_when_all_won_the_same_part() -> None:
    even = [
        FairnessAccount(value_asked=10, value_won=5),
        FairnessAccount(value_asked=4, value_won=2),
    ]
    assert fairness.ledger_gini_permille([*even, FairnessAccount()]) == 0
    assert fairness.ledger_gini_permille([*even, FairnessAccount(value_asked=9)]) == 333


def test_what_one_round_gives_more_and_less_than_another() -> None:
    made = shift({"a": 0, "b": 5, "c": 5, "d": 5, "gone": 1}, {"a": 1, "b": 0, "c": 7, "d": 5})
    assert (made.gained, made.lost, made.unchanged) == (2, 1, 1)
    assert (made.newly, made.no_longer) == (1, 1)


def test_shares_and_flows_follow_the_assignment() -> None:
    offers = [books.offer("x/m", capacity={1: 40}), books.offer("y/m", price=120, capacity={1: 40})]
    demands = [
        books.demand("a/n", books.line("one", quantity=40, limit=200)),
        books.demand("b/n", books.line("one", quantity=40, limit=300)),
        books.demand("c/n", books.line("one", quantity=40, limit=150)),
    ]
    places = [books.organization("a", "CN-GD"), books.organization("y", "CN-ZJ")]
    policy = books.policy()
    problem = build(books.book(offers, demands, places), policy, now_period=books.NOW)
    result = solve(problem.market, Options())
    made = Shares.from_bytes(shares_of(problem, result.quantity).to_bytes())
    prefix = "organizations/"
    assert {name.split("/")[1]: value for name, value in made.demands.items()} == {
        "a": 1_000_000,
        "b": 1_000_000,
        "c": 0,
    }
    assert made.buyers == {prefix + "a": 8000, prefix + "b": 12000, prefix + "c": 0}
    assert sum(made.sellers.values()) == 20_000
    flows = flows_of("rounds/r1", drafts(problem, result.quantity, "rounds/r1", policy))
    assert sum(flow.price for flow in flows.flows) == 40 * 100 + 40 * 120
    assert {flow.offer_region for flow in flows.flows} == {"CN-ZJ", flows.flows[1].offer_region}
    assert flows.flows[0].price >= flows.flows[-1].price
