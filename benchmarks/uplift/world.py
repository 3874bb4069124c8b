"""One random market for a year: firms, their idle capacity by week, and the demands they post.

Everything is drawn from one seed before any matching, so that all ways of matching meet the very
same firms, weeks and demands (common random numbers). Capacity is in hours, money in fen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

AHEAD: Final = 1
"""Weeks of idle capacity that can be seen at any time, this week included."""
CAPABILITIES: Final = 10
HELD: Final = (0.6, 0.4, 0.25)
"""How often a firm is certified to each standard."""
REQUIRED: Final = (0.25, 0.15, 0.1)
"""How often a demand asks for each."""
GRADES: Final = 5
"""Credit grades: 0 is the lowest (E), 4 the highest (A)."""
_AREA_KM: Final = 600.0
_FEN_PER_HOUR_KM: Final = 8
_BASE_FEN: Final = 20_000.0
_MEAN_LOAD: Final = 0.70
_MEAN_HOURS: Final = 24.0
_SPLITTABLE: Final = 0.5
_PARTNERS: Final = 3
_LEAST_PART: Final = 0.3


@dataclass(frozen=True)
class Firms:
    """N firms with one capability each."""

    place: Floats  # [N, 2] km
    capability: Ints  # [N]
    capacity: Ints  # [N] hours a week
    price: Ints  # [N] fen per hour asked
    cost: Ints  # [N] fen per hour it costs them
    credit: Ints  # [N] grade 0..4
    standards: Ints  # [N] those it is certified to, a bit each


@dataclass(frozen=True)
class Demands:
    """D demands of one line each, in the order they are posted."""

    owner: Ints  # [D] firm
    capability: Ints  # [D]
    quantity: Ints  # [D] hours
    least: Ints  # [D] least part worth having at first
    partners: Ints  # [D] firms at most
    limit: Ints  # [D] fen per hour, transport included
    grade: Ints  # [D] least credit grade asked
    standards: Ints  # [D] those it must be certified to, a bit each
    radius: Ints  # [D] km at most
    posted: Ints  # [D] week
    latest: Ints  # [D] last week in which work may be done


@dataclass(frozen=True)
class World:
    """A year. Week rows go AHEAD - 1 beyond the year, as work may be booked ahead."""

    seed: int
    weeks: int
    firms: Firms
    demands: Demands
    own: Ints  # [W, N] hours of the firm's own work
    idle: Ints  # [W, N] hours left over
    posted: Ints  # [W, N] hours of these that the firm posts

    def distance(self, demand: Ints, firm: Ints) -> Floats:
        """Km between who asks and who offers, by pair."""
        here, there = self.firms.place[self.demands.owner[demand]], self.firms.place[firm]
        return np.asarray(np.sqrt(((here - there) ** 2).sum(axis=1)), dtype=np.float64)

    def transport(self, demand: Ints, firm: Ints) -> Ints:
        """Fen per hour for bridging the distance, by pair."""
        return np.asarray(np.rint(self.distance(demand, firm) * _FEN_PER_HOUR_KM), dtype=np.int64)

    def surplus(self, demand: Ints, firm: Ints) -> Ints:
        """Fen per hour that the limit leaves above price and transport, by pair."""
        paid = self.firms.price[firm] + self.transport(demand, firm)
        return np.asarray(self.demands.limit[demand] - paid, dtype=np.int64)

    def suits(self, demand: Ints, firm: Ints) -> Bools:
        """Which pairs keep every rule: price, credit, standards, region, and never oneself."""
        firms, demands = self.firms, self.demands
        keep = (self.surplus(demand, firm) >= 0) & (firms.credit[firm] >= demands.grade[demand])
        keep &= (demands.standards[demand] & ~firms.standards[firm]) == 0
        keep &= self.distance(demand, firm) <= demands.radius[demand]
        keep &= demands.owner[demand] != firm
        return np.asarray(keep, dtype=np.bool_)


def world(seed: int, firms: int, weeks: int, *, pressure: float, posting: float) -> World:
    """Draw a market. ``pressure``: hours asked over hours idle; ``posting``: share of weeks posted.

    Raises:
        ValueError: there are fewer firms than capabilities.
    """
    if firms < CAPABILITIES:
        raise ValueError(f"{firms} firms are fewer than the {CAPABILITIES} capabilities")
    random = np.random.default_rng(seed)
    base = _BASE_FEN * random.lognormal(0.0, 0.3, CAPABILITIES)
    those = _firms(random, firms, base)
    rows = weeks + AHEAD - 1
    load = _load(random, those, rows)
    own = np.rint(load * those.capacity).astype(np.int64)
    idle = those.capacity - own
    posted = idle * (random.random((rows, firms)) < posting)
    asked = pressure * float(idle[:weeks].sum())
    return World(seed, weeks, those, _demands(random, those, base, weeks, asked), own, idle, posted)


def _firms(random: np.random.Generator, count: int, base: Floats) -> Firms:
    """Firms crowd around a few towns; sizes are skewed."""
    towns = random.uniform(0, _AREA_KM, (6, 2))
    place = towns[random.integers(0, len(towns), count)] + random.normal(0, 40, (count, 2))
    # Every capability is somebody's, the rest by chance.
    capability = np.arange(count) % CAPABILITIES
    capability[CAPABILITIES:] = random.integers(0, CAPABILITIES, count - CAPABILITIES)
    price = base[capability] * random.lognormal(0.0, 0.15, count)
    return Firms(
        place=place,
        capability=capability.astype(np.int64),
        capacity=np.clip(random.lognormal(np.log(120), 0.7, count), 24, 1200).astype(np.int64),
        price=price.astype(np.int64),
        cost=(price * random.uniform(0.6, 0.95, count)).astype(np.int64),
        credit=random.choice(GRADES, count, p=[0.05, 0.15, 0.4, 0.25, 0.15]).astype(np.int64),
        standards=_bits(random, count, HELD),
    )


def _load(random: np.random.Generator, firms: Firms, rows: int) -> Floats:
    """Own load in [0, 1]: a firm's mean, its trade's season, and a slow wander (AR(1))."""
    count = len(firms.capacity)
    mean = np.clip(random.normal(_MEAN_LOAD, 0.1, count), 0.3, 0.95)
    phase = random.uniform(0, 2 * np.pi, CAPABILITIES)[firms.capability]
    wander = np.zeros((rows, count))
    wander[0] = random.normal(0, 0.15, count)
    for row in range(1, rows):
        wander[row] = 0.8 * wander[row - 1] + random.normal(0, 0.15 * 0.6, count)
    season = 0.08 * np.sin(2 * np.pi * np.arange(rows)[:, None] / 52 + phase)
    return np.asarray(np.clip(mean + season + wander, 0.0, 1.0), dtype=np.float64)


def _demands(
    random: np.random.Generator, firms: Firms, base: Floats, weeks: int, asked: float
) -> Demands:
    """Demands for about so many hours over the year, evenly by week, skewed in size."""
    sigma = 0.9
    count = max(1, round(asked / _MEAN_HOURS))
    size = random.lognormal(np.log(_MEAN_HOURS) - sigma**2 / 2, sigma, count)
    quantity = np.clip(np.rint(size), 2, 300).astype(np.int64)
    # Trades with more capacity are asked for more.
    weight = np.bincount(firms.capability, firms.capacity, CAPABILITIES)
    capability = random.choice(CAPABILITIES, count, p=weight / weight.sum()).astype(np.int64)
    posted = np.sort(random.integers(0, weeks, count))
    splittable = random.random(count) < _SPLITTABLE
    least = np.where(splittable, np.ceil(quantity * _LEAST_PART), quantity).astype(np.int64)
    limit = base[capability] * random.lognormal(0.2, 0.2, count)
    return Demands(
        owner=random.integers(0, len(firms.capacity), count),
        capability=capability,
        quantity=quantity,
        least=least,
        partners=np.where(splittable, _PARTNERS, 1).astype(np.int64),
        limit=limit.astype(np.int64),
        grade=random.choice(3, count, p=[0.5, 0.3, 0.2]).astype(np.int64),
        standards=_bits(random, count, REQUIRED),
        radius=random.integers(100, 800, count),
        posted=posted,
        latest=posted + random.integers(0, 6, count),
    )


def _bits(random: np.random.Generator, count: int, chances: tuple[float, ...]) -> Ints:
    """So many sets of standards, each as the bits of a number."""
    has = random.random((count, len(chances))) < np.array(chances)
    return np.asarray(has @ (1 << np.arange(len(chances))), dtype=np.int64)
