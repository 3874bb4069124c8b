"""A book of offers and demands as columns: skewed sizes, clusters of firms, short supply.

What is drawn, and from what: places from clusters of lognormal size; capabilities from a tree with
Zipf weights; capacities and quantities lognormal; organizations with a Zipf number of postings.
A market ten times as large has ten times the clusters, and its firms look for partners nearer by
(the side of the region they look at shrinks with the root of the size), as those in a dense
industrial region do: offers per demand stay about the same, and regions stay joined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.matching.domain.grid import LineSide, OfferSide, ranks_of

IntArray = npt.NDArray[np.int64]

PERIODS = 12
SOUTH, NORTH, WEST, EAST = 22.0, 42.0, 100.0, 122.0
FIRMS_PER_CLUSTER = 400
# Wanted ticks over offered ticks, all in all; what is eligible is scarcer in some places than that.
SCARCITY = 1.1


@dataclass(frozen=True, eq=False)
class Book:
    """Columns of a drawn book. Offers [O], demands [D], lines [L] in order of their demand."""

    offers: OfferSide
    lines: LineSide
    capacity: IntArray  # [O, PERIODS] ticks
    setup_price: IntArray  # [O]
    min_order: IntArray  # [O]
    min_run: IntArray  # [O]
    shipment_rate: IntArray  # [O] minor units per km, once per pair
    offer_ability: IntArray  # [O] 0..9, at least what is asked
    offer_standards: IntArray  # [O] bits that its organization holds
    offer_asks: IntArray  # [O] bits that it asks of the demander
    bundle: IntArray  # [D]
    budget_permille: IntArray  # [D] of what the demand could pay at its limits, -1 none
    priority: IntArray  # [D] bonus in thousandths of the served value
    need: IntArray  # [D] thousandths
    line_demand: IntArray  # [L]
    quantity: IntArray
    least: IntArray
    partners: IntArray
    share: IntArray
    line_ability: IntArray
    line_standards: IntArray
    asker_standards: IntArray  # [L] bits that the demander holds
    before: IntArray
    after: IntArray
    codes: int
    clusters: int

    @property
    def demands(self) -> int:
        """Number of demands."""
        return len(self.bundle)


def draw(demands: int, offers: int, seed: int) -> Book:
    """A book of that size, the same for the same seed."""
    rng = np.random.default_rng(seed)
    size = demands + offers
    codes, weights, leaf = _tree(rng)
    rank, low, high = ranks_of(codes)
    clusters = max(4, size // FIRMS_PER_CLUSTER)
    spots = rng.uniform([SOUTH, WEST], [NORTH, EAST], (clusters, 2))
    crowd = rng.lognormal(0.0, 0.6, clusters)
    # One typical distance between clusters; all reaches are counted in it.
    near_km = 110.0 * np.sqrt((NORTH - SOUTH) * (EAST - WEST) * 0.85 / clusters)
    price = np.rint(rng.lognormal(6.5, 0.7, len(codes))).astype(np.int64) + 20

    organizations = max(2, size // 3)
    home = rng.choice(clusters, organizations, p=crowd / crowd.sum())
    place = spots[home] + rng.normal(0.0, 0.15 * near_km / 110.0, (organizations, 2))
    grade = rng.choice(5, organizations, p=[0.05, 0.15, 0.4, 0.25, 0.15])
    held = (rng.random((organizations, 3)) < [0.7, 0.5, 0.3]) @ np.array([1, 2, 4])

    activity = 1.0 / (1.0 + rng.permutation(organizations)) ** 0.35
    activity /= activity.sum()
    seller = rng.choice(organizations, offers, p=activity)
    code = rng.choice(leaf, offers, p=weights)
    capacity = _capacity(rng, offers)
    some = capacity > 0
    lead = rng.choice(3, offers, p=[0.6, 0.3, 0.1])
    begin = np.maximum(some.argmax(axis=1), lead)
    rate = np.rint(price[code] * rng.choice([0.0, 0.15, 0.4], offers, p=[0.3, 0.5, 0.2]))
    total = capacity.sum(axis=1)
    offer_side = OfferSide(
        rank=rank[code],
        organization=seller,
        latitude=place[seller, 0],
        longitude=place[seller, 1],
        located=np.ones(offers, dtype=np.bool_),
        first=begin,
        last=PERIODS - 1 - some[:, ::-1].argmax(axis=1),
        price=_around(rng, price[code], 0.25, 1.0),
        rate=rate.astype(np.int64),
        radius=_some(rng, offers, 0.15, (rng.uniform(1.0, 2.4, offers) * near_km)),
        grade=grade[seller],
        least_grade=rng.choice(3, offers, p=[0.8, 0.12, 0.08]),
    )
    per_demand = rng.choice([1, 2, 3], demands, p=[0.84, 0.11, 0.05])
    line_demand = np.repeat(np.arange(demands), per_demand)
    lines = len(line_demand)
    buyer = rng.choice(organizations, demands, p=activity)
    asker = buyer[line_demand]
    asked = _asked_codes(rng, codes, leaf, weights, lines)
    first = rng.integers(0, PERIODS - 2, lines)
    quantity = _quantity(rng, lines, float(total.sum()))
    line_side = LineSide(
        low=low[asked],
        high=high[asked],
        organization=asker,
        latitude=place[asker, 0],
        longitude=place[asker, 1],
        located=np.ones(lines, dtype=np.bool_),
        first=first,
        last=np.minimum(first + rng.integers(1, 6, lines), PERIODS - 1),
        limit=_around(rng, price[asked], 0.25, 1.35),
        radius=np.rint(rng.uniform(0.8, 2.2, lines) * near_km).astype(np.int64) + 1,
        grade=grade[asker],
        least_grade=rng.choice(4, lines, p=[0.6, 0.2, 0.15, 0.05]),
    )
    partners, least, share = _sourcing(rng, quantity)
    before, after = _sequences(rng, line_demand, per_demand, line_side)
    return Book(
        offers=offer_side,
        lines=line_side,
        capacity=capacity,
        setup_price=_some(rng, offers, 0.4, price[code] * rng.uniform(0.5, 6.0, offers)),
        min_order=_some(rng, offers, 0.3, np.minimum(total * 0.1, 12.0)),
        min_run=_some(rng, offers, 0.08, total * rng.uniform(0.2, 0.5, offers)),
        shipment_rate=_some(rng, offers, 0.5, price[code] * 0.01),
        offer_ability=rng.integers(0, 10, offers),
        offer_standards=held[seller],
        offer_asks=rng.choice([0, 1, 2], offers, p=[0.85, 0.1, 0.05]),
        bundle=((per_demand > 1) & (rng.random(demands) < 0.75)).astype(np.int64),
        budget_permille=_some(rng, demands, 0.1, rng.uniform(700, 1000, demands), -1),
        priority=rng.choice([0, 300, 2000], demands, p=[0.93, 0.06, 0.01]),
        need=rng.integers(0, 1001, demands),
        line_demand=line_demand,
        quantity=quantity,
        least=least,
        partners=partners,
        share=share,
        line_ability=np.where(rng.random(lines) < 0.5, rng.integers(0, 8, lines), 0),
        line_standards=rng.choice([0, 1, 2, 3, 4], lines, p=[0.6, 0.2, 0.1, 0.05, 0.05]),
        asker_standards=held[asker],
        before=before,
        after=after,
        codes=len(codes),
        clusters=clusters,
    )


def tree_codes() -> list[str]:
    """Dotted codes of a tree of 6 x 3 x 3."""
    codes = []
    for top in range(6):
        codes.append(f"t{top}")
        for middle in range(3):
            codes.append(f"t{top}.m{middle}")
            codes += [f"t{top}.m{middle}.l{low}" for low in range(3)]
    return codes


def _tree(
    rng: np.random.Generator,
) -> tuple[list[str], npt.NDArray[np.float64], IntArray]:
    """Dotted codes of the tree, the weights of its leaves, and where they stand."""
    codes = tree_codes()
    leaf = [at for at, code in enumerate(codes) if code.count(".") == 2]
    weights = 1.0 / (1.0 + rng.permutation(len(leaf))) ** 0.7
    return codes, weights / weights.sum(), np.array(leaf, dtype=np.int64)


def _asked_codes(
    rng: np.random.Generator,
    codes: list[str],
    leaf: IntArray,
    weights: npt.NDArray[np.float64],
    lines: int,
) -> IntArray:
    """Mostly leaves; one in eight asks for the node above, one in fifty for the top of a branch."""
    at = {code: place for place, code in enumerate(codes)}
    above = np.array([at[code.rpartition(".")[0] or code] for code in codes])
    asked = rng.choice(leaf, lines, p=weights)
    luck = rng.random(lines)
    asked = np.where(luck < 0.14, above[asked], asked)
    return np.asarray(np.where(luck < 0.02, above[asked], asked), dtype=np.int64)


def _capacity(rng: np.random.Generator, offers: int) -> IntArray:
    """Ticks by week: a run of 2 to 8 weeks with gaps, of lognormal size."""
    start = rng.integers(0, PERIODS - 2, offers)
    end = np.minimum(start + rng.integers(2, 9, offers), PERIODS)
    week = np.arange(PERIODS)
    on = (week >= start[:, None]) & (week < end[:, None])
    on &= (rng.random((offers, PERIODS)) < 0.85) | (week == start[:, None])
    level = rng.lognormal(2.7, 0.9, offers)[:, None] * rng.uniform(0.6, 1.4, (offers, PERIODS))
    return np.where(on, np.maximum(1, np.rint(level)), 0).astype(np.int64)


def _quantity(rng: np.random.Generator, lines: int, offered: float) -> IntArray:
    """Lognormal ticks that sum to about SCARCITY times what is offered."""
    raw = rng.lognormal(0.0, 1.0, lines)
    rounded = np.rint(raw * SCARCITY * offered / raw.sum()).astype(np.int64)
    return np.asarray(np.maximum(1, rounded), dtype=np.int64)


def _sourcing(rng: np.random.Generator, quantity: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Partners at most, least part and least share of each line, by how it may be split."""
    lines = len(quantity)
    kind = rng.choice(4, lines, p=[0.45, 0.2, 0.2, 0.15])
    half = np.maximum(1, quantity // 2)
    third = np.maximum(1, quantity // 3)
    partners = np.select([kind <= 1, kind == 2], [1, rng.integers(2, 4, lines)], 0)
    least = np.select([kind == 0, kind == 1, kind == 2], [quantity, half, quantity], third)
    share = np.where(kind == 2, np.maximum(1, quantity // 5), 0)
    return partners.astype(np.int64), least.astype(np.int64), share.astype(np.int64)


def _sequences(
    rng: np.random.Generator, line_demand: IntArray, per_demand: IntArray, side: LineSide
) -> tuple[IntArray, IntArray]:
    """In half of the demands with several lines, each line but the first follows the one before.

    Their windows are moved apart so that this can be kept.
    """
    ordered = (rng.random(len(per_demand)) < 0.5)[line_demand]
    after = np.flatnonzero(ordered[1:] & (np.diff(line_demand) == 0)) + 1
    for line in after.tolist():
        side.first[line] = min(max(side.first[line], side.first[line - 1] + 1), PERIODS - 1)
        side.last[line] = max(side.last[line], min(side.first[line] + 2, PERIODS - 1))
    return after - 1, after


def _around(rng: np.random.Generator, price: IntArray, spread: float, times: float) -> IntArray:
    drawn: IntArray = np.rint(price * times * rng.lognormal(0.0, spread, len(price))).astype(
        np.int64
    )
    return np.asarray(np.maximum(drawn, 1), dtype=np.int64)


def _some(
    rng: np.random.Generator,
    count: int,
    share: float,
    value: npt.NDArray[np.float64] | npt.NDArray[np.int64],
    off: int = 0,
) -> IntArray:
    """A share of the rows with this value, at least 1, the others with ``off``."""
    chosen = rng.random(count) < share
    return np.where(chosen, np.maximum(1, np.rint(value)), off).astype(np.int64)
