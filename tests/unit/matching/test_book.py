"""The book is a projection: order and repetition of messages leave no trace."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from services.matching.domain import periods
from services.matching.domain.book import Book
from services.matching.domain.book_snapshot import BookSnapshot, SnapshotError
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from tests.unit.matching import books


def test_weeks_count_on_over_the_end_of_a_year_of_53() -> None:
    last = periods.ordinal("2026-W53")
    assert periods.name(last + 1) == "2027-W01"
    assert periods.ordinal("2027-W01") == last + 1
    with pytest.raises(ValueError, match="2026-48"):
        periods.ordinal("2026-48")
    with pytest.raises(ValueError, match="week"):
        periods.ordinal("2025-W53")


def test_the_digest_does_not_depend_on_the_order_of_messages() -> None:
    known = books.random_book(3)
    digests = set()
    for seed in range(5):
        book = Book()
        jobs: list[Callable[[], bool]] = []
        jobs += [partial(book.apply_offer, each) for each in known.offers]
        jobs += [partial(book.apply_demand, each) for each in known.demands]
        jobs += [partial(book.apply_organization, each) for each in known.organizations]
        jobs += [partial(book.apply_capability, each) for each in known.capabilities]
        random.Random(seed).shuffle(jobs)
        for job in jobs + jobs[:4]:
            job()
        digests.add(book.digest())
        assert BookSnapshot.from_bytes(book.snapshot().to_bytes()).digest == book.digest()
    assert len(digests) == 1
    assert len({known.to_bytes() for _ in range(2)}) == 1


def test_bytes_that_are_no_snapshot_are_refused() -> None:
    with pytest.raises(SnapshotError):
        BookSnapshot.from_bytes(b"nonsense")
    with pytest.raises(SnapshotError):
        BookSnapshot.from_bytes(books.random_book(1).to_bytes()[:-20])


def test_older_generations_are_ignored_and_ended_ones_stay_gone() -> None:
    book = Book()
    new = books.offer("a/mill", price=120)
    new.generation = 3
    assert book.apply_offer(new)
    assert not book.apply_offer(books.offer("a/mill", price=100))
    kept = book.offer(new.name)
    assert kept is not None
    assert kept.unit_price == 120
    new.generation, new.state = 4, Offer.STATE_WITHDRAWN
    assert book.apply_offer(new)
    assert book.offer(new.name) is None
    old = books.offer("a/mill")
    old.generation = 3
    assert not book.apply_offer(old)
    assert book.counts() == (0, 0, 0)


def test_balances_that_overtake_an_event_keep_both() -> None:
    book = Book()
    book.apply_offer(books.offer("a/mill", price=100))
    answer = Offer(name="organizations/a/offers/mill", generation=3, state=Offer.STATE_OPEN)
    answer.balances.add(period=books.week(1), capacity=100, held=30)
    assert book.apply_offer_balances(answer)
    late = books.offer("a/mill", price=90)
    late.generation = 2
    assert book.apply_offer(late)
    kept = book.offer(late.name)
    assert kept is not None
    assert (kept.unit_price, kept.generation, kept.balances[0].held) == (90, 3, 30)
    assert not book.apply_offer_balances(answer)


def test_a_matched_demand_opens_again_when_its_hold_is_freed() -> None:
    book = Book()
    book.apply_demand(books.demand("b/need"))
    name = "organizations/b/demands/need"
    full = Demand(name=name, generation=2, state=Demand.STATE_MATCHED)
    full.balances.add(line="part", quantity=40, held=40)
    assert book.apply_demand_balances(full)
    assert book.demand(name) is None
    assert [each.name for each in book.snapshot().demands] == [name]  # a policy may reopen it
    freed = Demand(name=name, generation=3, state=Demand.STATE_OPEN)
    freed.balances.add(line="part", quantity=40)
    assert book.apply_demand_balances(freed)
    again = book.demand(name)
    assert again is not None
    assert again.lines[0].quantity == 40


def test_delegation_and_erasure() -> None:
    book = Book()
    firm = books.organization("a")
    firm.delegates.append("organizations/hub")
    book.apply_organization(firm)
    assert book.is_delegate("organizations/hub", "organizations/a")
    assert not book.is_delegate("organizations/other", "organizations/a")
    assert book.remove_organization("organizations/a")
    firm.generation = 9
    assert not book.apply_organization(firm)
    assert not book.is_delegate("organizations/hub", "organizations/a")


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_kept_as_they_would_be_counted(seed: int) -> None:
    rng, book = random.Random(seed), Book()
    names = [f"f/d{number}" for number in range(6)]
    for _ in range(200):
        demand = books.demand(rng.choice(names))
        demand.generation = rng.randrange(30)
        demand.state = rng.choice(
            [Demand.STATE_OPEN, Demand.STATE_MATCHED, Demand.STATE_WITHDRAWN, Demand.STATE_EXPIRED]
        )
        demand.balances.add(held=rng.choice([0, 3]))
        (book.apply_demand if rng.random() < 0.5 else book.apply_demand_balances)(demand)
        found = book.snapshot().demands
        assert book.counts_in_play() == (0, 0, len(found))
        assert book.counts() == (0, 0, sum(each.state == Demand.STATE_OPEN for each in found))
