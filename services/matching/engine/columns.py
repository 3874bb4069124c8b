"""The columns of each kind of row of a market, named once for all who go over them."""

from __future__ import annotations

COLUMNS = {
    "offer": ("min_run",),
    "slot": ("slot_offer", "slot_period", "slot_capacity"),
    "demand": ("bundle", "budget"),
    "line": (
        "line_demand",
        "line_quantity",
        "line_least",
        "line_max_partners",
        "line_least_share",
    ),
    "rule": ("before_line", "after_line"),
    "pair": (
        "pair_offer",
        "pair_line",
        "pair_min_order",
        "pair_unit_cost",
        "pair_fixed_cost",
        "pair_setup",
        "pair_use",
    ),
    "setup": ("setup_cost",),
    "x": ("x_pair", "x_slot"),
    "cap": ("cap_limit",),
    "pin": ("pin_x", "pin_quantity"),
}
"""By kind of row, as in `Market`."""

OF_TERM = {
    "per_tick": "pair",
    "per_pair": "pair",
    "per_setup": "setup",
    "per_demand": "demand",
    "per_line": "line",
}
"""The columns of a `Term`, and the kind of row that each speaks of."""

IN_WORDS = {"rule": "precedence", "x": "variable"}
"""Kinds by other words than their own, for messages."""
