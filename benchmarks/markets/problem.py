"""From a drawn book to the engine's market: eligible pairs by the grid, then the arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.markets.book import PERIODS, Book
from services.matching.domain.geo import distances_km
from services.matching.domain.grid import OfferGrid
from services.matching.engine import Market, Term

IntArray = npt.NDArray[np.int64]

# The policy of the benchmark, in thousandths of the served value.
FILL, FAIRNESS = 100, 50
# No organization gets more of a code than this many times what an average cluster offers of it.
CONCENTRATION = 1.5


@dataclass(frozen=True, eq=False)
class Pairs:
    """Eligible pairs by line, then offer; money in minor units."""

    offer: IntArray
    line: IntArray
    unit_transport: IntArray
    shipment: IntArray
    first: IntArray
    last: IntArray


def eligible(book: Book) -> Pairs:
    """All pairs that every rule allows; offers times lines are never formed."""
    first, last = _windows(book)
    side, lines = book.offers, replace(book.lines, first=first, last=last)
    o, i = OfferGrid(side).near(lines)
    km = distances_km(side.latitude[o], side.longitude[o], lines.latitude[i], lines.longitude[i])
    unit = (side.rate[o] * km + 500) // 1000
    begin = np.maximum(side.first[o], lines.first[i])
    end = np.minimum(side.last[o], lines.last[i])
    running = np.zeros((len(book.capacity), PERIODS + 1), dtype=np.int64)
    np.cumsum(book.capacity, axis=1, out=running[:, 1:])
    free = running[o, np.maximum(end + 1, begin)] - running[o, begin]
    alone = np.where(book.partners[i] == 1, book.least[i], 0)
    needed = np.maximum(np.maximum(book.min_order[o], book.share[i]), np.maximum(alone, 1))
    holds = (side.price[o] + unit <= lines.limit[i]) & (free >= needed)
    holds &= (lines.radius[i] == 0) | (km <= lines.radius[i])
    holds &= (side.radius[o] == 0) | (km <= side.radius[o])
    holds &= book.offer_ability[o] >= book.line_ability[i]
    holds &= (book.offer_standards[o] & book.line_standards[i]) == book.line_standards[i]
    holds &= (book.asker_standards[i] & book.offer_asks[o]) == book.offer_asks[o]
    holds &= book.min_order[o] <= book.quantity[i]
    kept = np.flatnonzero(holds)
    ship = book.shipment_rate[o[kept]] * km[kept]
    return Pairs(o[kept], i[kept], unit[kept], ship, begin[kept], end[kept])


def _windows(book: Book) -> tuple[IntArray, IntArray]:
    """First and last period of each line, with what its sequence leaves of them.

    A line starts after the one before it has; in a bundle, which needs both, the one before ends
    before the other's last period.
    """
    first, last = book.lines.first.copy(), book.lines.last.copy()
    bundled = book.bundle[book.line_demand[book.before]] > 0
    before, after = book.before[bundled], book.after[bundled]
    # A demand has three lines at most, so that two passes reach all of a chain.
    for _ in range(2):
        np.maximum.at(first, book.after, first[book.before] + 1)
        np.minimum.at(last, before, last[after] - 1)
    return first, last


def market_of(book: Book, pairs: Pairs) -> Market:
    """The assignment problem of the book's eligible pairs."""
    slot_offer, slot_period = np.nonzero(book.capacity)
    x_pair, x_slot = _variables(book, pairs)
    demand = book.line_demand[pairs.line]
    groups, pair_setup = np.unique(pairs.offer * book.demands + demand, return_inverse=True)
    setup_offer = groups // book.demands
    cost = book.offers.price[pairs.offer] + pairs.unit_transport
    setup = book.setup_price[setup_offer]
    worth = book.lines.limit[pairs.line]
    reach = np.zeros(book.demands, dtype=np.int64)
    np.add.at(reach, book.line_demand, book.lines.limit * book.quantity)
    budget = np.where(book.budget_permille < 0, -1, reach * book.budget_permille // 1250)
    cap_limit, cap_start, cap_pairs = _caps(book, pairs)
    return Market.build(
        min_run=book.min_run,
        slot_offer=slot_offer,
        slot_period=slot_period,
        slot_capacity=book.capacity[slot_offer, slot_period],
        bundle=book.bundle,
        budget=budget,
        line_demand=book.line_demand,
        line_quantity=book.quantity,
        line_least=book.least,
        line_max_partners=book.partners,
        line_least_share=book.share,
        before_line=book.before,
        after_line=book.after,
        pair_offer=pairs.offer,
        pair_line=pairs.line,
        pair_min_order=book.min_order[pairs.offer],
        pair_unit_cost=cost,
        pair_fixed_cost=pairs.shipment,
        pair_setup=pair_setup,
        setup_cost=setup,
        x_pair=x_pair,
        x_slot=x_slot,
        cap_limit=cap_limit,
        cap_start=cap_start,
        cap_pairs=cap_pairs,
        terms=[
            Term.of("surplus", per_tick=worth - cost, per_pair=-pairs.shipment, per_setup=-setup),
            Term.of("fill", per_tick=worth * FILL // 1000),
            Term.of("fairness", per_tick=worth * FAIRNESS * book.need[demand] // 1_000_000),
            Term.of("priority", per_tick=worth * book.priority[demand] // 1000),
        ],
    )


def _variables(book: Book, pairs: Pairs) -> tuple[IntArray, IntArray]:
    """Each pair in each period of its window in which its offer has something."""
    before = np.zeros((len(book.capacity), PERIODS + 1), dtype=np.int64)
    np.cumsum(book.capacity > 0, axis=1, out=before[:, 1:])
    start = np.concatenate([[0], np.cumsum(before[:, -1])]).astype(np.int64)
    low = before[pairs.offer, pairs.first]
    count = before[pairs.offer, pairs.last + 1] - low
    x_pair = np.repeat(np.arange(len(count)), count)
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return x_pair, np.repeat(start[pairs.offer] + low, count) + offset


def _caps(book: Book, pairs: Pairs) -> tuple[IntArray, IntArray, IntArray]:
    """Per (code, demanding organization) that could get too much: a share of what is offered."""
    offered = np.zeros(book.codes, dtype=np.int64)
    np.add.at(offered, book.offers.rank, book.capacity.sum(axis=1))
    rank = book.offers.rank[pairs.offer]
    key = book.lines.organization[pairs.line] * book.codes + rank
    order = np.argsort(key, kind="stable")
    keys, counts = np.unique(key, return_counts=True)
    # A cap that all wanted ticks together could not reach is no cap: leave it out of the problem.
    line = pairs.line[order]
    most = np.minimum(book.quantity[line], book.capacity.sum(axis=1)[pairs.offer[order]])
    wanted = np.add.reduceat(most, np.cumsum(counts) - counts) if len(counts) else counts
    share = offered[keys % book.codes] * CONCENTRATION / book.clusters
    limit = np.maximum(1, share).astype(np.int64)
    tight = wanted > limit
    kept = np.repeat(tight, counts)
    start = np.concatenate([[0], np.cumsum(counts[tight])]).astype(np.int64)
    return limit[tight], start, order[kept]
