"""Taking some rows of a market as a market of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market, Term


@dataclass(frozen=True, eq=False)
class Part:
    """A market of its own, and the rows of the whole that it was taken from."""

    market: Market
    offers: IntArray
    slots: IntArray
    demands: IntArray
    lines: IntArray
    pairs: IntArray
    setups: IntArray
    variables: IntArray
    caps: IntArray


@dataclass(frozen=True, eq=False)
class RowsOf:
    """All rows that belong to some demands, each kind in rising order.

    ``entry_cap`` and ``entry_pair`` are the caps' entries of these pairs, by cap.
    """

    demands: IntArray
    lines: IntArray
    rules: IntArray
    pairs: IntArray
    variables: IntArray
    pins: IntArray
    entry_cap: IntArray
    entry_pair: IntArray


def cut(m: Market, rows: RowsOf) -> Part:
    """The market of these rows, with the offers and slots that they can use."""
    demands, lines, pairs, xs = rows.demands, rows.lines, rows.pairs, rows.variables
    slots, offers = np.unique(m.x_slot[xs]), np.unique(m.pair_offer[pairs])
    setups = np.unique(m.pair_setup[pairs])
    caps, counts = np.unique(rows.entry_cap, return_counts=True)
    part = Market(
        min_run=m.min_run[offers],
        slot_offer=np.searchsorted(offers, m.slot_offer[slots]),
        slot_period=m.slot_period[slots],
        slot_capacity=m.slot_capacity[slots],
        bundle=m.bundle[demands],
        budget=m.budget[demands],
        line_demand=np.searchsorted(demands, m.line_demand[lines]),
        line_quantity=m.line_quantity[lines],
        line_least=m.line_least[lines],
        line_max_partners=m.line_max_partners[lines],
        line_least_share=m.line_least_share[lines],
        before_line=np.searchsorted(lines, m.before_line[rows.rules]),
        after_line=np.searchsorted(lines, m.after_line[rows.rules]),
        pair_offer=np.searchsorted(offers, m.pair_offer[pairs]),
        pair_line=np.searchsorted(lines, m.pair_line[pairs]),
        pair_min_order=m.pair_min_order[pairs],
        pair_unit_cost=m.pair_unit_cost[pairs],
        pair_fixed_cost=m.pair_fixed_cost[pairs],
        pair_setup=np.searchsorted(setups, m.pair_setup[pairs]),
        pair_use=m.pair_use[pairs],
        setup_cost=m.setup_cost[setups],
        x_pair=np.searchsorted(pairs, m.x_pair[xs]),
        x_slot=np.searchsorted(slots, m.x_slot[xs]),
        cap_limit=m.cap_limit[caps],
        cap_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        cap_pairs=np.searchsorted(pairs, rows.entry_pair),
        pin_x=np.searchsorted(xs, m.pin_x[rows.pins]),
        pin_quantity=m.pin_quantity[rows.pins],
        terms=tuple(_term(t, pairs, setups, demands, lines) for t in m.terms),
    )
    return Part(part, offers, slots, demands, lines, pairs, setups, xs, caps)


def whole_part(market: Market) -> Part:
    """A market as the only part of itself."""
    sizes = (market.offers, market.slots, market.demands, market.lines, market.pairs)
    rows = [np.arange(n) for n in (*sizes, market.setups, market.variables, market.caps)]
    return Part(market, *rows)


def _term(
    term: Term, pairs: IntArray, setups: IntArray, demands: IntArray, lines: IntArray
) -> Term:
    return Term(
        term.name,
        term.per_tick[pairs],
        term.per_pair[pairs],
        term.per_setup[setups],
        term.per_demand[demands],
        term.per_line[lines],
    )
