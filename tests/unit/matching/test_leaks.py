"""What one firm may read tells nothing of another's private price but the step that it lies in.

The reader owns an organization, posts what it likes, and reads all that it may: its proposals, the
explanations of its postings, the rounds, and what is public of the others' postings.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching import redact
from services.matching.domain import fairness, scale
from services.matching.domain.assignment import drafts
from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.problem import Problem, build
from services.matching.domain.vocabulary import IntArray
from services.matching.engine import solve
from services.matching.explain import explain
from services.matching.explain.solution import Solution
from services.matching.rounds.answer import Answer
from services.matching.rounds.outcome import book_size, outcome_of
from services.registry.domain import disclosure
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.policy_pb2 import Policy
from spareline.matching.v1.round_pb2 import Round
from tests.unit.matching import books

NEVER = disclosure_pb2.DISCLOSURE_LEVEL_NEVER
PUBLIC = disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC
ROUND = "rounds/r1"

Assignment = tuple[tuple[str, str, str, int, int], ...]


class Cleared:
    """A round over a book, and what a firm sees of it."""

    def __init__(self, book: BookSnapshot, policy: Policy, seconds: float = 60.0) -> None:
        self.book, self.policy = book, policy
        self.problem = build(book, policy, now_period=books.NOW)
        self.result = solve(self.problem.market)
        solution = Solution(self.problem, self.result.quantity)
        self.explained = explain(solution, ROUND, 1, seconds)

    @property
    def assignment(self) -> Assignment:
        return assignment(self.problem, self.result.quantity)

    def seen_by(self, reader: str) -> list[bytes]:
        """All that a firm may read, as bytes."""
        answer = Answer.of(self.result)
        made = drafts(self.problem, self.result.quantity, ROUND, self.policy)
        accounts = fairness.updated({}, self.book.demands, made).accounts
        round_ = Round(
            name=ROUND,
            book_digest=self.book.digest,
            size=book_size(self.problem, answer.components),
            outcome=outcome_of(self.problem, answer, made, accounts),
        )
        round_.outcome.ClearField("solve_milliseconds")  # of the machine, not of the market
        known = {each.name: each for each in self.book.organizations}
        proposals = [
            redact.for_party(each, reader, frozenset(), known.get)
            for each in made
            if any(party.organization == reader for party in each.parties)
        ]
        own = [each for each in self.explained if each.subject.startswith(f"{reader}/")]
        return [
            redact.round_for_member(round_).SerializeToString(deterministic=True),
            *(each.SerializeToString(deterministic=True) for each in (*proposals, *own)),
            *self._public(reader),
        ]

    def _public(self, reader: str) -> Iterable[bytes]:
        postings: list[Offer | Demand] = [*self.book.offers, *self.book.demands]
        for each in postings:
            if not each.name.startswith(f"{reader}/"):
                yield public(each)


def public(posting: Offer | Demand) -> bytes:
    """What strangers see of a posting in the registry's lists."""
    kind = type(posting)()
    kind.CopyFrom(posting)  # type: ignore[arg-type]
    levels = disclosure.completed(kind.disclosure, demand=isinstance(kind, Demand), identity=PUBLIC)
    kind.disclosure.CopyFrom(levels)
    view = disclosure.view(kind, disclosure.Standing.STRANGER)
    seen: Offer | Demand = disclosure.redacted(kind, view, "x")  # type: ignore[type-var]
    return seen.SerializeToString(deterministic=True)


def assignment(problem: Problem, quantity: IntArray) -> Assignment:
    """Who gets what from whom, by name."""
    market, tables = problem.market, problem.tables
    found = []
    for x in quantity.nonzero()[0].tolist():
        pair = int(market.x_pair[x])
        line = int(market.pair_line[pair])
        found.append(
            (
                tables.offers.messages[int(market.pair_offer[pair])].name,
                problem.demand_of_line(line).name,
                tables.lines.messages[line].id,
                int(market.slot_period[market.x_slot[x]]),
                int(quantity[x]),
            )
        )
    return tuple(sorted(found))


def with_limit(book: BookSnapshot, name: str, limit: int) -> BookSnapshot:
    """The book with another limit price on all lines of a demand."""
    demands = []
    for each in book.demands:
        changed = Demand()
        changed.CopyFrom(each)
        for line in changed.lines if each.name == name else ():
            line.limit_price = limit
        demands.append(changed)
    return BookSnapshot(book.capabilities, book.organizations, book.offers, tuple(demands))


def with_price(book: BookSnapshot, name: str, price: int) -> BookSnapshot:
    """The book with another price, that nobody may see, on an offer."""
    offers = []
    for each in book.offers:
        changed = Offer()
        changed.CopyFrom(each)
        if each.name == name:
            changed.unit_price = price
            changed.disclosure.price = NEVER
        offers.append(changed)
    return BookSnapshot(book.capabilities, book.organizations, tuple(offers), book.demands)


def firms(book: BookSnapshot) -> list[str]:
    return [each.name for each in book.organizations]


def steps(price: int) -> tuple[int, int]:
    """The steps of the scale around a price."""
    value = np.array([price])
    return int(scale.down(value)[0]), int(scale.up(value)[0])


POLICIES = (
    books.policy(),
    books.policy(credit_permille=40, preference_permille=50, fill_permille=100),
    books.policy(fairness_permille=300, fill_per_demand=500),
)


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.data())
def test_a_limit_price_shows_as_its_step_alone(seed: int, data: st.DataObject) -> None:
    book = books.random_book(seed, 5, 6)
    policy = POLICIES[seed % len(POLICIES)]
    victim = data.draw(st.sampled_from([each.name for each in book.demands]))
    first = data.draw(st.integers(80, 400))
    second = data.draw(st.integers(*steps(first)).filter(lambda v: steps(v) == steps(first)))
    one, other = (Cleared(with_limit(book, victim, v), policy) for v in (first, second))
    if one.assignment != other.assignment:
        return  # who wins tells who is worth more: that is what a market does
    for reader in firms(book):
        if not victim.startswith(f"{reader}/"):
            assert one.seen_by(reader) == other.seen_by(reader)


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.data())
def test_a_hidden_offer_price_shows_as_its_step_alone(seed: int, data: st.DataObject) -> None:
    book = books.random_book(seed, 5, 6)
    victim = data.draw(st.sampled_from([each.name for each in book.offers]))
    step = data.draw(st.sampled_from([(51, 62), (81, 99), (101, 124), (126, 159)]))
    first, second = (data.draw(st.integers(*step)) for _ in range(2))
    one, other = (Cleared(with_price(book, victim, v), books.policy()) for v in (first, second))
    if one.assignment != other.assignment:
        return
    partners = {
        demand.split("/demands/")[0] for offer, demand, *_ in one.assignment if offer == victim
    }
    for reader in firms(book):
        # Its partners see the price that they pay.
        if not victim.startswith(f"{reader}/") and reader not in partners:
            assert one.seen_by(reader) == other.seen_by(reader)


def spying_book(limit: int, seed: int) -> BookSnapshot:
    """A victim who has the one slot, and a spy who posts every shape at every price around it."""
    rng = random.Random(seed)
    victim = books.demand("victim/d", books.line(limit=limit, quantity=30))
    probes = []
    for number in range(5):
        low = books.line(
            limit=rng.randint(100, 300) * 30 // 100,
            quantity=rng.choice([3, 10, 30]),
            window=rng.choice([(0, 0), (1, 1), (0, 4)]),
            least=rng.choice([0, 2]),
        )
        probes.append(books.demand(f"spy/d{number}", low))
    counters = [
        books.offer(f"spy/o{number}", price=price, capacity={1: 5}, minimum_order=5)
        for number, price in enumerate(range(150, 340, 30))
    ]
    # Dear enough for nobody to be chosen instead of the one at 40, unless by accident.
    return books.book(
        [books.offer("mill/o", price=40, capacity={1: 30}), *counters], [victim, *probes]
    )


@pytest.mark.parametrize("seed", range(2))
def test_a_spy_with_many_postings_reads_no_more_than_steps(seed: int) -> None:
    seen: dict[tuple[int, Assignment], set[tuple[bytes, ...]]] = {}
    for limit in (204, 246, 257, 309):
        cleared = Cleared(spying_book(limit, seed), books.policy(), 100.0)
        assert cleared.assignment[0][:2] == (
            "organizations/mill/offers/o",
            "organizations/victim/demands/d",
        )
        key = steps(limit)[1], cleared.assignment
        seen.setdefault(key, set()).add(tuple(cleared.seen_by("organizations/spy")))
    assert {step for step, _ in seen} == {250, 315}
    assert all(len(views) == 1 for views in seen.values())
    assert len(seen) == 2  # and both steps are told apart, or the test would say nothing


@pytest.mark.parametrize("value", [1, 9, 79, 200, 201, 99_999, 10**12])
def test_steps_lie_around_what_they_stand_for(value: int) -> None:
    below, above = steps(value)
    assert below <= value <= above
    assert above <= max(below + 2, below * 4 // 3)
