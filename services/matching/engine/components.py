"""Cutting a market into parts that share nothing scarce, so that each can be solved alone.

Demands that meet at a slot are joined only when the slot could run out: where all that could ever
be asked of it fits, its capacity row never binds. The same holds for concentration caps. Offers
with a minimum run join all their demands.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.matching.engine.cut import Part, RowsOf, cut
from services.matching.engine.indices import Indices, indices
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market
from services.matching.engine.unions import connected

__all__ = [
    "Part",
    "component_labels",
    "component_of",
    "contested_caps",
    "contested_slots",
    "part_of",
    "split",
]


# Above this many variables labels are found by a compiled loop.
LARGEST_ARRAYS = 20_000


def component_labels(market: Market) -> IntArray:
    """Per demand the lowest demand of its component."""
    of = indices(market)
    d = market.demands
    slot_node = d
    offer_node = slot_node + market.slots
    cap_node = offer_node + market.offers
    scarce = contested_slots(market, of)[market.x_slot]
    run = market.min_run[market.pair_offer] > 0
    tight = contested_caps(market, of)[of.cap_of]
    left = [of.x_demand[scarce], of.pair_demand[run], of.pair_demand[market.cap_pairs[tight]]]
    right = [
        slot_node + market.x_slot[scarce],
        offer_node + market.pair_offer[run],
        cap_node + of.cap_of[tight],
    ]
    # Compiling pays for large markets only; both give the same labels.
    join = connected if market.variables > LARGEST_ARRAYS else _connected
    labels = join(cap_node + market.caps, np.concatenate(left), np.concatenate(right))
    return labels[:d]


def contested_slots(market: Market, of: Indices) -> npt.NDArray[np.bool_]:
    """Per slot whether more could be asked of it than it holds."""
    asked = np.zeros(market.slots, dtype=np.int64)
    np.add.at(asked, market.x_slot, of.x_upper * market.pair_use[market.x_pair])
    return asked > market.slot_capacity


def contested_caps(market: Market, of: Indices) -> npt.NDArray[np.bool_]:
    """Per cap whether its pairs could carry more than its limit."""
    asked = np.zeros(market.caps, dtype=np.int64)
    np.add.at(asked, of.cap_of, of.pair_most[market.cap_pairs])
    return asked > market.cap_limit


def _connected(count: int, left: IntArray, right: IntArray) -> IntArray:
    """Lowest node of each node's connected component, by label hooking and pointer jumping."""
    label = np.arange(count, dtype=np.int64)
    while True:
        low = np.minimum(label[left], label[right])
        before = label.copy()
        np.minimum.at(label, label[left], low)
        np.minimum.at(label, label[right], low)
        while True:
            shorter = label[label]
            if np.array_equal(shorter, label):
                break
            label = shorter
        if np.array_equal(label, before):
            return label


def split(market: Market) -> list[Part]:
    """All components that have an eligible pair, by their lowest demand."""
    of = indices(market)
    labels = component_labels(market)
    live = np.unique(of.pair_demand)
    groups = _Groups(market, of, labels)
    return [groups.take(int(label)) for label in np.unique(labels[live])]


def component_of(market: Market, demand: int) -> Part:
    """The component of one demand: solve it alone to see what a change to that demand does.

    Demands and offers outside it keep their assignment whatever happens inside.
    """
    if not 0 <= demand < market.demands:
        raise IndexError(f"demand {demand} is not within 0..{market.demands - 1}")
    labels = component_labels(market)
    return _Groups(market, indices(market), labels).take(int(labels[demand]))


def part_of(market: Market, chosen: npt.NDArray[np.bool_]) -> Part:
    """The demands of ``chosen[D]`` with all that they can use, as a market of its own."""
    return _Groups(market, indices(market), chosen.astype(np.int64)).take(1)


class _Groups:
    """Rows of every kind sorted by component, so that taking all parts costs one pass."""

    def __init__(self, market: Market, of: Indices, labels: IntArray) -> None:
        self.market = market
        self._of = of
        self._demands = _Bucket(labels)
        self._lines = _Bucket(labels[market.line_demand])
        self._pairs = _Bucket(labels[of.pair_demand])
        self._variables = _Bucket(labels[of.x_demand])
        self._rules = _Bucket(labels[market.line_demand[market.before_line]])
        self._pins = _Bucket(labels[of.x_demand[market.pin_x]])
        self._caps = _Bucket(labels[of.pair_demand[market.cap_pairs]])

    def take(self, label: int) -> Part:
        """The component with this label as a market of its own."""
        entries = self._caps.rows(label)
        rows = RowsOf(
            demands=self._demands.rows(label),
            lines=self._lines.rows(label),
            rules=self._rules.rows(label),
            pairs=self._pairs.rows(label),
            variables=self._variables.rows(label),
            pins=self._pins.rows(label),
            entry_cap=self._of.cap_of[entries],
            entry_pair=self.market.cap_pairs[entries],
        )
        return cut(self.market, rows)


class _Bucket:
    """Rows grouped by label, each group in rising order."""

    def __init__(self, labels: IntArray) -> None:
        self._order = np.argsort(labels, kind="stable")
        self._sorted = labels[self._order]

    def rows(self, label: int) -> IntArray:
        first, last = np.searchsorted(self._sorted, [label, label + 1])
        return self._order[first:last]
