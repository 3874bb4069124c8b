"""The market view against a reader who adds and subtracts all that it shows.

Every figure is written as a vector over the postings that it counts. What can be worked out from
all figures together is the space that these vectors span; nothing in it may be about fewer than
LEAST_FIRMS firms alone.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain import disclosure, market_entries, periods
from services.registry.domain.ledger import Balance
from services.registry.domain.market_view import (
    LEAST_FIRMS,
    WEEKS,
    Cell,
    Item,
    Market,
    View,
    spread,
)
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.demand_pb2 import Demand, Line, Window
from spareline.market.v1.disclosure_pb2 import Disclosure
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity

CODES = ("a", "a.b", "a.b.c", "a.b.d", "a.e", "f", "f.g", "f.g.h")
REGIONS = ("CN-ZJ", "CN-JS", "CN-GD", "DE-BW", "DE-BY", "IT-25")
NOW = 1000
UNIT = "hour"

Figures = npt.NDArray[np.float64]
"""A row for each figure, a column for each posting."""


def items(seed: int, firms: int, count: int) -> list[Item]:
    """Postings of so many firms, most of them in few places, each in some of the weeks."""
    rng = random.Random(seed)
    homes = [rng.choice(REGIONS[: rng.randint(1, len(REGIONS))]) for _ in range(firms)]
    found = []
    for _ in range(count):
        firm = rng.randrange(firms)
        weeks = rng.sample(range(NOW, NOW + 4), rng.randint(0, 4))
        found.append(
            Item(
                f"organizations/{firm}",
                rng.choice(CODES),
                homes[firm],
                rng.choice((UNIT, "day")),
                {week: rng.choice((0, 1, 7, 50)) for week in weeks},
            )
        )
    return found


def slices(market: Market) -> list[View]:
    """Everything that the page can be asked for."""
    places = ("", *REGIONS, *{region.partition("-")[0] for region in REGIONS})
    return [market.view(code, place, UNIT) for code in ("", *CODES) for place in places]


def figures(view: View, *, offers: bool) -> list[int]:
    """The numbers of a view that count postings, all in one order that depends on the labels."""
    cells: list[Cell] = [view.total]
    for some in (view.by_capability, view.by_region):
        cells += sorted(some, key=lambda cell: cell.label)
    return [cell.offers if offers else cell.lines for cell in cells]


def labels(view: View) -> list[tuple[str, ...]]:
    return [
        (kind, *cell.label)
        for kind, cells in (("capability", view.by_capability), ("region", view.by_region))
        for cell in cells
    ]


def spans(matrix: Figures, found: Sequence[Item]) -> list[tuple[str, ...]]:
    """Return the sets of fewer than LEAST_FIRMS firms that some combination of figures is about."""
    if not matrix.size:
        return []
    whole = np.linalg.matrix_rank(matrix)
    firms = sorted({item.organization for item in found})
    alone = []
    for size in range(1, LEAST_FIRMS):
        for some in itertools.combinations(firms, size):
            others = [n for n, item in enumerate(found) if item.organization not in some]
            if np.linalg.matrix_rank(matrix[:, others]) < whole:
                alone.append(some)
    return alone


def counted(found: Sequence[Item], read: Callable[[Market], list[float]]) -> Figures:
    """Return each figure as a vector over the postings: 1 where it counts one.

    A posting's share in a figure is what the figure loses when the posting is counted twice.
    """
    base = np.array(read(Market(found, [], NOW)))
    columns = []
    for item in found:
        twice = read(Market([*found, item], [], NOW))
        columns.append(np.array(twice) - base)
    return np.array(columns).T


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 22))
def test_no_sums_and_differences_of_counts_are_about_few_firms(
    seed: int, firms: int, count: int
) -> None:
    found = items(seed, firms, count)
    rows = counted(
        found,
        lambda market: [float(n) for view in slices(market) for n in figures(view, offers=True)],
    )
    assert spans(rows, found) == []


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.integers(3, 9), st.integers(3, 22))
def test_no_sums_and_differences_of_weeks_are_about_few_firms(
    seed: int, firms: int, count: int
) -> None:
    found = items(seed, firms, count)
    for read in (
        lambda market: [float(w.offers) for view in slices(market) for w in view.weeks],
        lambda market: [float(w.free) for view in slices(market) for w in view.weeks],
    ):
        rows = counted(found, read)
        # Weeks are other quantities: each is attacked by itself, from all views together.
        for week in range(WEEKS):
            assert spans(rows[week::WEEKS], found) == []


def test_the_attack_finds_what_plain_tables_give_away() -> None:
    """Tables that only hide thin cells fall to it, or the tests above would say nothing."""
    found = [Item(f"organizations/{n}", "a.b", "CN-ZJ", UNIT, {}) for n in range(3)]
    found.append(Item("organizations/3", "a.e", "CN-ZJ", UNIT, {}))
    total, shown = [1.0] * 4, [1.0, 1.0, 1.0, 0.0]
    assert ("organizations/3",) in spans(np.array([total, shown]), found)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_adds_up(seed: int) -> None:
    found = items(seed, 12, 60)
    market = Market(found, found[:30], NOW)
    for view in slices(market):
        for cells in (view.by_capability, view.by_region):
            assert sum(cell.offers for cell in cells) == view.total.offers
            assert sum(cell.lines for cell in cells) == view.total.lines
        assert len(labels(view)) == len(set(labels(view)))
    whole = market.view("", "", "").total
    assert whole.offers == 60  # nothing is left out of the whole
    assert len([cell for cell in market.view("", "", "").by_region if cell.label[1]]) > 1


def test_enough_firms_are_shown_where_they_are() -> None:
    here = [Item(f"organizations/{n}", "a.b", "CN-ZJ", UNIT, {NOW: 10}) for n in range(3)]
    alone = Item("organizations/9", "a.b", "DE-BW", UNIT, {NOW: 7})
    market = Market(here, [], NOW)
    assert market.view("a.b", "CN-ZJ", UNIT).total.offers == 3
    assert market.view("a.b", "CN-ZJ", UNIT).weeks[0].free == 30
    # With a lone firm abroad, nobody is told apart from the whole.
    with_another = Market([*here, alone], [], NOW)
    assert with_another.view("a.b", "", UNIT).total.offers == 0
    assert with_another.view("", "", "").total.offers == 4


NEVER = disclosure_pb2.DISCLOSURE_LEVEL_NEVER


def offer(price: int, quantity: int, title: str) -> Offer:
    return Offer(
        capability="a.b",
        title=title,
        unit_price=price,
        capacity=[PeriodQuantity(period=periods.week(NOW), quantity=quantity)],
        disclosure=disclosure.completed(
            Disclosure(price=NEVER, quantity=NEVER, attributes=NEVER), demand=False, identity=NEVER
        ),
    )


def demand(limit: int, quantity: int, title: str) -> Demand:
    line = Line(
        id="x",
        capability="a.b",
        quantity=quantity,
        limit_price=limit,
        window=Window(earliest=periods.week(NOW), latest=periods.week(NOW + quantity % 5)),
    )
    line.requirements.standards.append(title)
    return Demand(
        title=title,
        lines=[line],
        disclosure=disclosure.completed(
            Disclosure(quantity=NEVER, attributes=NEVER, requirements=NEVER),
            demand=True,
            identity=NEVER,
        ),
    )


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 10**6), st.text(min_size=1))
def test_what_is_hidden_goes_into_nothing(price: int, quantity: int, title: str) -> None:
    def known(amount: int, ticks: int, words: str) -> object:
        one, other = offer(amount, ticks, words), demand(amount, ticks, words)
        seen = disclosure.public_groups(one.disclosure)
        asked = disclosure.public_groups(other.disclosure)
        return (
            market_entries.of_offer(one, {periods.week(NOW): Balance(ticks, 0, 0)}, seen),
            market_entries.words(one, seen),
            market_entries.of_demand(other, {"x": Balance(ticks, 0, 0)}, asked),
            market_entries.words(other, asked),
        )

    assert known(price, quantity, title) == known(1, 1, "another")


@settings(max_examples=20)
@given(st.integers(1, 10**6), st.integers(0, 60))
def test_an_even_spread_loses_nothing(quantity: int, length: int) -> None:
    shares = spread(quantity, 5, 5 + length)
    assert sum(shares.values()) == quantity
    assert max(shares.values()) - min(shares.values()) <= 1
    assert list(shares) == list(range(5, 6 + length))
