"""Candidates from the grid against the filter that looks at every offer for every line."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.matching.domain import pairs
from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.grid import LineSide, OfferGrid, OfferSide, ranks_of
from services.matching.domain.problem import build
from spareline.matching.v1.policy_pb2 import TransportRate
from tests.unit.matching import books


def _varied(seed: int) -> BookSnapshot:
    """A random book with places unknown, radii of offers, grades asked for and firms excluded."""
    book = books.random_book(seed, offers=12, demands=14)
    rng = random.Random(seed)
    for firm in book.organizations:
        if rng.random() < 0.2:
            firm.ClearField("location")
        elif rng.random() < 0.5:
            firm.location.latitude += rng.uniform(-3, 3)
            firm.location.longitude += rng.uniform(-3, 3)
    for offer in book.offers:
        if rng.random() < 0.3:
            offer.reach.radius_km = rng.choice([150, 1500])
        if rng.random() < 0.3:
            offer.requirements.least_credit_grade = rng.choice("BC")
        if rng.random() < 0.2:
            offer.requirements.excluded_organizations.append(rng.choice(book.organizations).name)
    for demand in book.demands:
        for line in demand.lines:
            if rng.random() < 0.3:
                line.requirements.least_credit_grade = rng.choice("BC")
    return book


@settings(max_examples=60)
@given(st.integers(0, 2**31))
@example(12795)  # a line out of reach of all places, and an offer of unknown place
def test_the_grid_finds_the_same_pairs_and_counts_the_same_funnels(seed: int) -> None:
    policy = books.policy(transport=[TransportRate(per_tick_1000km=100)])
    tables = build(_varied(seed), policy, now_period=books.NOW).tables
    whole, near = pairs.eligible(tables), pairs.eligible_near(tables)
    dense, found = whole.pairs(), near.pairs()
    for name in ("offer", "line", "distance_km", "unit_transport", "first", "last"):
        assert getattr(found, name).tolist() == getattr(dense, name).tolist(), name
    rng = random.Random(seed)
    for counted, lazy, count in (
        (whole.by_line, near.by_line, len(tables.lines.messages)),
        (whole.by_offer, near.by_offer, len(tables.offers.messages)),
    ):
        # In any order: counting one row must not count another twice.
        for row in rng.sample(range(count), count):
            assert lazy.considered[row] == counted.considered[row]
            assert lazy.eligible[row] == counted.eligible[row]
            assert lazy.first[row].tolist() == counted.first[row].tolist()
            assert lazy.alone[row, 4] == counted.alone[row, 4]


def test_a_large_book_takes_the_grid(monkeypatch: object) -> None:
    tables = build(books.random_book(1), books.policy(), now_period=books.NOW).tables
    assert isinstance(pairs.eligible(tables).by_line, pairs.Funnels)
    monkeypatch.setattr(pairs, "MOST_DENSE", 0)  # type: ignore[attr-defined]
    assert isinstance(pairs.eligible(tables).by_line, pairs.LazyFunnels)


@settings(max_examples=100)
@given(st.integers(0, 2**31), st.booleans())
def test_nobody_within_reach_is_missed_anywhere_on_the_globe(seed: int, poles: bool) -> None:
    rng = np.random.default_rng(seed)
    offers, lines = 40, 15
    tall = 90.0 if poles else 60.0

    def place(count: int) -> tuple[np.ndarray, np.ndarray]:
        # Many on either side of the date line, where boxes are easily cut wrongly.
        lon = np.where(rng.random(count) < 0.5, rng.uniform(-180, 180, count), 179.5)
        lon = np.where(rng.random(count) < 0.3, -179.0, lon)
        return rng.uniform(-tall, tall, count), lon

    def some(high: int, count: int) -> np.ndarray:
        return rng.integers(0, high, count)

    o_lat, o_lon = place(offers)
    l_lat, l_lon = place(lines)
    rank, low, high = ranks_of(["a", "a.b", "a.b.c", "a.bc", "d"])
    code, asked = some(5, offers), some(5, lines)
    o = OfferSide(
        rank[code], some(9, offers), o_lat, o_lon, rng.random(offers) < 0.9, some(4, offers),
        some(8, offers), some(50, offers), some(30, offers), some(3, offers) * 3000,
        some(5, offers), some(3, offers),
    )  # fmt: skip
    i = LineSide(
        low[asked], high[asked], some(9, lines), l_lat, l_lon, rng.random(lines) < 0.9,
        some(4, lines), some(8, lines), some(400, lines), some(3, lines) * 4000,
        some(5, lines), some(3, lines),
    )  # fmt: skip
    found = set(zip(*(part.tolist() for part in OfferGrid(o).near(i)), strict=True))
    assert found >= _by_force(o, i)


def _by_force(o: OfferSide, i: LineSide) -> set[tuple[int, int]]:
    """The pairs that the rules behind the screens allow, one by one."""
    allowed = set()
    for a in range(len(o.rank)):
        for b in range(len(i.low)):
            known = bool(o.located[a] and i.located[b])
            first, second = (
                np.radians([o.latitude[a], o.longitude[a]]),
                np.radians([i.latitude[b], i.longitude[b]]),
            )
            cosine = np.sin(first[0]) * np.sin(second[0])
            cosine += np.cos(first[0]) * np.cos(second[0]) * np.cos(first[1] - second[1])
            km = round(6371.0088 * float(np.arccos(np.clip(cosine, -1, 1)))) if known else 0
            near = all(r == 0 or (known and km <= r) for r in (o.radius[a], i.radius[b]))
            if (
                i.low[b] <= o.rank[a] < i.high[b]
                and o.organization[a] != i.organization[b]
                and max(o.first[a], i.first[b]) <= min(o.last[a], i.last[b])
                and o.price[a] + (o.rate[a] * km + 500) // 1000 <= i.limit[b]
                and o.grade[a] >= i.least_grade[b]
                and i.grade[b] >= o.least_grade[a]
                and near
            ):
                allowed.add((a, b))
    return allowed
