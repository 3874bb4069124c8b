"""Why a partner was chosen: what is stated to be lost without it is what solving anew loses."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.declined import declined_pair
from services.matching.domain.problem import build
from services.matching.engine import solve
from services.matching.explain import explain
from services.matching.explain.solution import Solution
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.matching.v1.explanation_pb2 import Choice, Explanation
from tests.unit.matching import books


def choices(book: BookSnapshot, seconds: float = 20.0) -> dict[str, Explanation]:
    problem = build(book, books.policy(), now_period=books.NOW)
    solution = Solution(problem, solve(problem.market).quantity)
    found = explain(solution, "rounds/r1", 1, seconds)
    return {each.subject.split("/", 1)[1]: each for each in found if each.choices}


def only(explanation: Explanation) -> Choice:
    [choice] = explanation.choices
    return choice


def test_the_next_best_is_dearer() -> None:
    offers = [books.offer("a/m", price=100), books.offer("c/m", price=130)]
    found = choices(books.book(offers, [books.demand("b/n", books.line(limit=200))]))["b/demands/n"]
    assert found.outcome == "served"
    choice = only(found)
    assert (choice.line, choice.leg, choice.alternatives) == ("part", 0, 1)
    assert choice.otherwise == "next_best"
    assert choice.market_loss == choice.own_loss == 40 * 30
    [other] = choice.next
    assert other.offer == "organizations/c/offers/m"
    assert (list(other.reasons), other.dearer_by) == (["dearer"], 30)


def test_what_is_hidden_is_not_told() -> None:
    offers = [books.offer("a/m", price=100), books.offer("c/m", price=130)]
    offers[1].disclosure.price = disclosure_pb2.DISCLOSURE_LEVEL_NEVER
    offers[1].disclosure.identity = disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL
    choice = only(choices(books.book(offers, [books.demand("b/n")]))["b/demands/n"])
    [other] = choice.next
    assert (other.offer, other.dearer_by, other.farther_km) == ("", 0, 0)
    assert choice.market_loss == 40 * 60  # 130 counts as 160


def test_without_the_only_one_it_is_not_served() -> None:
    book = books.book([books.offer("a/m")], [books.demand("b/n")])
    choice = only(choices(book)["b/demands/n"])
    assert (choice.alternatives, choice.otherwise) == (0, "unserved")
    assert choice.market_loss == choice.own_loss == 40 * 100


def test_the_alternative_was_taken_and_the_loss_is_that_of_the_other() -> None:
    near = books.offer("a/m", price=100, capacity={1: 40})
    taken = books.offer("c/m", price=110, capacity={1: 40})
    demands = [
        books.demand("b/n", books.line(limit=300)),
        books.demand("d/n", books.line(limit=200)),
    ]
    found = choices(books.book([near, taken], demands))
    choice = only(found["b/demands/n"])
    assert "taken" in choice.next[0].reasons
    assert choice.otherwise == "next_best"
    # They change places, and nothing is lost, whatever the other is ready to pay.
    assert choice.market_loss == 0


def test_a_round_without_time_says_so() -> None:
    book = books.book([books.offer("a/m"), books.offer("c/m")], [books.demand("b/n")])
    choice = only(choices(book, 0.0)["b/demands/n"])
    assert (choice.alternatives, choice.otherwise) == (1, "")


def public(book: BookSnapshot) -> BookSnapshot:
    """The book with all limit prices public."""
    demands = []
    for each in book.demands:
        changed = Demand()
        changed.CopyFrom(each)
        changed.disclosure.price = disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC
        demands.append(changed)
    return BookSnapshot(book.capabilities, book.organizations, book.offers, tuple(demands))


def test_without_time_the_only_partner_is_worth_its_demand() -> None:
    book = books.book([books.offer("a/m")], [books.demand("b/n")])
    choice = only(choices(book, 0.0)["b/demands/n"])
    assert (choice.otherwise, choice.market_loss, choice.own_loss) == ("unserved", 4000, 4000)


@pytest.mark.parametrize(("hidden", "seconds"), [(False, 30.0), (True, 30.0), (True, 0.0)])
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000))
def test_the_stated_loss_is_true(hidden: bool, seconds: float, seed: int) -> None:
    """Against the whole market solved without the pair: exact where all is public, else at most."""
    drawn = books.random_book(seed, 5, 6)
    book = drawn if hidden else public(drawn)
    problem = build(book, books.policy(), now_period=books.NOW)
    result = solve(problem.market)
    market = problem.market
    for each in explain(Solution(problem, result.quantity), "rounds/r1", 1, seconds):
        if not each.choices:
            continue
        row = problem.tables.demands.index[each.subject]
        pairs = sorted(
            {
                int(market.x_pair[x])
                for x in result.quantity.nonzero()[0].tolist()
                if market.line_demand[market.pair_line[market.x_pair[x]]] == row
            }
        )
        assert [choice.leg for choice in each.choices] == list(range(len(pairs)))
        for choice, pair in zip(each.choices, pairs, strict=True):
            offer = problem.tables.offers.messages[int(market.pair_offer[pair])]
            line = problem.tables.lines.messages[int(market.pair_line[pair])]
            assert choice.line == line.id
            if not choice.otherwise:
                assert not seconds
                continue
            gone = declined_pair(offer, each.subject, line)
            without = build(book, books.policy(), now_period=books.NOW, declined={gone})
            lost = result.objective - solve(without.market).objective
            if hidden:
                assert choice.market_loss >= lost
            else:
                assert choice.market_loss == lost
