"""An assignment of a market whose rows come and go: what is open, what is used, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from services.matching.engine.checks import check
from services.matching.engine.cut import Part, RowsOf, cut
from services.matching.engine.growing import Children, Column, Growing
from services.matching.engine.indices import indices
from services.matching.engine.limits import IntArray, InvalidMarket
from services.matching.engine.market import Market
from services.matching.engine.objective import value
from services.matching.engine.prices import spread_worth
from services.matching.engine.result import Certificate

Rows = Mapping[str, npt.ArrayLike]


class Position:
    """The rows of a market with a feasible assignment, kept in step with each other.

    ``quantity[X]`` is what each variable carries, ``price[S]`` the slots' prices of the last whole
    solve (new slots have none), ``worth[P]`` a tick's worth before prices, ``value`` the objective.
    """

    def __init__(self, market: Market, quantity: IntArray, certificate: Certificate) -> None:
        self._rows = Growing(market)
        of = indices(market)
        self._quantity = Column(quantity.copy())
        self._price = Column(certificate.slot_price / certificate.scale)
        self._worth = Column(spread_worth(market, of))
        self._open_demand = Column(np.ones(market.demands, dtype=np.bool_))
        self._open_offer = Column(np.ones(market.offers, dtype=np.bool_))
        self.lines = Children(market.line_demand, market.demands)
        self.pairs = Children(market.pair_line, market.lines)
        self.pairs_of_offer = Children(market.pair_offer, market.offers)
        self.x = Children(market.x_pair, market.pairs)
        self.x_of_slot = Children(market.x_slot, market.slots)
        self._rules = Children(market.before_line, market.lines)
        self._pins = Children(market.pin_x, market.variables)
        self._entries = Children(market.cap_pairs, market.pairs)
        slot, run, cap = _used_by(market, quantity)
        self._used, self._run, self._capped = Column(slot), Column(run), Column(cap)
        self.value = value(market, quantity)
        self._refresh()

    def _refresh(self) -> None:
        """Look at the columns again after they have grown."""
        self.view = self._rows.view()
        self.quantity = self._quantity.array
        self.price = self._price.array
        self.worth = self._worth.array
        self.open_demand = self._open_demand.array
        self.open_offer = self._open_offer.array

    @property
    def sizes(self) -> dict[str, int]:
        """The number that the next row of each kind will get."""
        return dict(self._rows.size)

    def append(self, rows: Rows) -> dict[str, IntArray]:
        """Add rows by column; return the numbers of the new rows by kind.

        Raises:
            InvalidMarket: the rows do not fit together or into the market; they are left unused.
        """
        added = self._rows.append(rows)
        self._make_room(added)
        self._refresh()
        try:
            self._check(added)
            self._adopt(added)
            part = self.part(np.unique(self.view.line_demand[self.view.pair_line[added["pair"]]]))
            check(part.market)
        except InvalidMarket:
            self.open_demand[added["demand"]] = False
            self.open_offer[added["offer"]] = False
            raise
        places = np.searchsorted(part.pairs, added["pair"])
        self.worth[added["pair"]] = spread_worth(part.market, indices(part.market))[places]
        return added

    def _make_room(self, added: Mapping[str, IntArray]) -> None:
        """Nothing is assigned to what is new, and new capacity has no price yet."""
        for column, kind in (
            (self._quantity, "x"),
            (self._price, "slot"),
            (self._worth, "pair"),
            (self._used, "slot"),
            (self._run, "offer"),
            (self._capped, "cap"),
        ):
            column.extend(np.zeros(len(added[kind]), dtype=column.array.dtype))
        for flags, kind in ((self._open_demand, "demand"), (self._open_offer, "offer")):
            flags.extend(np.ones(len(added[kind]), dtype=np.bool_))

    def _check(self, added: Mapping[str, IntArray]) -> None:
        view = self.view
        for name, child, parents in (
            ("slot_offer", "slot", view.offers),
            ("line_demand", "line", view.demands),
            ("before_line", "rule", view.lines),
            ("after_line", "rule", view.lines),
            ("pair_offer", "pair", view.offers),
            ("pair_line", "pair", view.lines),
            ("pair_setup", "pair", view.setups),
            ("x_pair", "x", view.pairs),
            ("x_slot", "x", view.slots),
            ("entry_cap", "entry", view.caps),
            ("entry_pair", "entry", view.pairs),
            ("pin_x", "pin", view.variables),
        ):
            given = self._rows[name][added[child]]
            if len(given) and not 0 <= given.min() <= given.max() < parents:
                raise InvalidMarket(f"{name} names a row that does not exist")
        pairs = added["pair"]
        old = view.pair_offer[pairs] < view.offers - len(added["offer"])
        old &= view.line_demand[view.pair_line[pairs]] < view.demands - len(added["demand"])
        if old.any():
            raise InvalidMarket("a posted pair joins an offer and a demand that are both known")

    def _adopt(self, added: Mapping[str, IntArray]) -> None:
        """Note what belongs to what."""
        view = self.view
        self.lines.add(view.line_demand[added["line"]], added["line"])
        self._rules.add(view.before_line[added["rule"]], added["rule"])
        self.pairs.add(view.pair_line[added["pair"]], added["pair"])
        self.pairs_of_offer.add(view.pair_offer[added["pair"]], added["pair"])
        self.x.add(view.x_pair[added["x"]], added["x"])
        self.x_of_slot.add(view.x_slot[added["x"]], added["x"])
        self._pins.add(view.pin_x[added["pin"]], added["pin"])
        self._entries.add(self._rows["entry_pair"][added["entry"]], added["entry"])

    def part(self, demands: IntArray) -> Part:
        """These demands with all that is open to them, as a market of its own."""
        view = self.view
        lines = self.lines.of(demands)
        pairs = self.pairs.of(lines)
        pairs = pairs[self.open_offer[view.pair_offer[pairs]]]
        xs = self.x.of(pairs)
        caps, capped = self.caps_of(pairs)
        rows = RowsOf(
            demands=demands,
            lines=lines,
            rules=self._rules.of(lines),
            pairs=pairs,
            variables=xs,
            pins=self._pins.of(xs),
            entry_cap=caps,
            entry_pair=capped,
        )
        return cut(view, rows)

    def caps_of(self, pairs: IntArray) -> tuple[IntArray, IntArray]:
        """The caps that some pairs are under, in rising order, and the pair of each entry."""
        entries = self._entries.of(pairs)
        caps = self._rows["entry_cap"][entries]
        order = np.argsort(caps, kind="stable")
        return caps[order], self._rows["entry_pair"][entries][order]

    def what_is_left(self, part: Part, own: IntArray) -> Market:
        """The part's market less what others take."""
        m = part.market
        slot, run, cap = _used_by(m, own)
        return replace(
            m,
            slot_capacity=m.slot_capacity - (self._used.array[part.slots] - slot),
            min_run=np.maximum(m.min_run - (self._run.array[part.offers] - run), 0),
            cap_limit=m.cap_limit - (self._capped.array[part.caps] - cap),
        )

    def account(self, part: Part, quantity: IntArray) -> None:
        """Let a part carry other quantities, and the slots, offers and caps with it."""
        m = part.market
        now = self.quantity[part.variables]
        slot, run, cap = _used_by(m, quantity - now)
        self._used.array[part.slots] += slot
        self._run.array[part.offers] += run
        self._capped.array[part.caps] += cap
        self.value += value(m, quantity) - value(m, now)
        self.quantity[part.variables] = quantity

    def release(self, demands: IntArray) -> None:
        """Take everything from some demands, but what is pinned."""
        part = self.part(demands)
        rest = np.zeros(part.market.variables, dtype=np.int64)
        rest[part.market.pin_x] = part.market.pin_quantity
        self.account(part, rest)

    def with_run_partners(self, demands: IntArray) -> IntArray:
        """Add the demands without which an offer would fall below its minimum run."""
        view = self.view
        while True:
            xs = self.x.of(self.pairs.of(self.lines.of(demands)))
            xs = xs[self.quantity[xs] > 0]
            offers = view.pair_offer[view.x_pair[xs]]
            used, own = np.unique(offers, return_inverse=True)
            freed = np.zeros(len(used), dtype=np.int64)
            np.add.at(freed, own, self.quantity[xs])
            left = self._run.array[used] - freed
            short = used[(left > 0) & (left < view.min_run[used])]
            others = self.x.of(self.pairs_of_offer.of(short))
            joined = np.union1d(demands, self.demands_of(others[self.quantity[others] > 0]))
            if len(joined) == len(demands):
                return demands
            demands = joined

    def pinned(self, demands: IntArray) -> IntArray:
        """The variables of some demands that are pinned."""
        xs = self.x.of(self.pairs.of(self.lines.of(demands)))
        pinned: IntArray = self.view.pin_x[self._pins.of(xs)]
        return pinned

    def slots_used(self, demands: IntArray) -> IntArray:
        """The slots on which some demands take capacity."""
        xs = self.x.of(self.pairs.of(self.lines.of(demands)))
        slots: IntArray = np.unique(self.view.x_slot[xs[self.quantity[xs] > 0]])
        return slots

    def demands_of(self, xs: IntArray) -> IntArray:
        """The demands of some variables."""
        view = self.view
        demands: IntArray = np.unique(view.line_demand[view.pair_line[view.x_pair[xs]]])
        return demands


def _used_by(market: Market, quantity: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Ticks of slot capacity, of offers, and under caps that an assignment of a market takes."""
    slot = np.zeros(market.slots, dtype=np.int64)
    np.add.at(slot, market.x_slot, quantity * market.pair_use[market.x_pair])
    pair = np.zeros(market.pairs, dtype=np.int64)
    np.add.at(pair, market.x_pair, quantity)
    run = np.zeros(market.offers, dtype=np.int64)
    np.add.at(run, market.pair_offer, pair)
    cap = np.zeros(market.caps, dtype=np.int64)
    np.add.at(
        cap, np.repeat(np.arange(market.caps), np.diff(market.cap_start)), pair[market.cap_pairs]
    )
    return slot, run, cap
