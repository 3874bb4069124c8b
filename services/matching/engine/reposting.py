"""The rows of an open demand or offer, numbered so that they could be posted next.

To change a posting is to take its rows, change what changes, withdraw it and post the rows.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.columns import COLUMNS
from services.matching.engine.limits import IntArray
from services.matching.engine.position import Position


def rows_of_demand(position: Position, demand: int) -> dict[str, IntArray]:
    """The rows of a demand, with its lines, pairs and their entries under caps."""
    next_ = position.sizes
    part = position.part(np.array([demand]))
    m = part.market
    rows = {name: getattr(m, name) for kind in ("demand", "line", "pair") for name in COLUMNS[kind]}
    rows |= {
        "line_demand": next_["demand"] + m.line_demand,
        "before_line": next_["line"] + m.before_line,
        "after_line": next_["line"] + m.after_line,
        "pair_offer": part.offers[m.pair_offer],
        "pair_line": next_["line"] + m.pair_line,
        "pair_setup": next_["setup"] + m.pair_setup,
        "setup_cost": m.setup_cost,
        "x_pair": next_["pair"] + m.x_pair,
        "x_slot": part.slots[m.x_slot],
        "entry_cap": part.caps[np.repeat(np.arange(m.caps), np.diff(m.cap_start))],
        "entry_pair": next_["pair"] + m.cap_pairs,
    }
    for term in m.terms:
        for column in ("per_tick", "per_pair", "per_setup", "per_demand", "per_line"):
            rows[f"{term.name}.{column}"] = getattr(term, column)
    return rows


def rows_of_offer(position: Position, offer: int) -> dict[str, IntArray]:
    """The rows of an offer, with its slots and its pairs with open demands."""
    next_, view = position.sizes, position.view
    pairs = position.pairs_of_offer.of(np.array([offer]))
    pairs = pairs[position.open_demand[view.line_demand[view.pair_line[pairs]]]]
    xs = position.x.of(pairs)
    slots = np.flatnonzero(view.slot_offer == offer)
    setups, setup = np.unique(view.pair_setup[pairs], return_inverse=True)
    caps, capped = position.caps_of(pairs)
    rows = {name: getattr(view, name)[pairs] for name in COLUMNS["pair"]}
    rows |= {
        "min_run": view.min_run[[offer]],
        "slot_offer": np.full(len(slots), next_["offer"]),
        "slot_period": view.slot_period[slots],
        "slot_capacity": view.slot_capacity[slots],
        "pair_offer": np.full(len(pairs), next_["offer"]),
        "pair_setup": next_["setup"] + setup,
        "setup_cost": view.setup_cost[setups],
        "x_pair": next_["pair"] + np.searchsorted(pairs, view.x_pair[xs]),
        "x_slot": next_["slot"] + np.searchsorted(slots, view.x_slot[xs]),
        "entry_cap": caps,
        "entry_pair": next_["pair"] + np.searchsorted(pairs, capped),
    }
    for term in view.terms:
        rows[f"{term.name}.per_tick"] = term.per_tick[pairs]
        rows[f"{term.name}.per_pair"] = term.per_pair[pairs]
        rows[f"{term.name}.per_setup"] = term.per_setup[setups]
    return rows
