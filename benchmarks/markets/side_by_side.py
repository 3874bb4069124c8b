"""Several markets as one, that share nothing: a round with as many independent parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.matching.engine import Market, Term

# Arrays that hold rows of another kind, and of which.
_REFERENCES = {
    "slot_offer": "offers",
    "line_demand": "demands",
    "before_line": "lines",
    "after_line": "lines",
    "pair_offer": "offers",
    "pair_line": "lines",
    "pair_setup": "setups",
    "x_pair": "pairs",
    "x_slot": "slots",
    "cap_pairs": "pairs",
    "pin_x": "variables",
}
_TERM = ("per_tick", "per_pair", "per_setup", "per_demand", "per_line")


def side_by_side(markets: Sequence[Market]) -> Market:
    """All rows of all markets, in their order; all have the same terms."""
    arrays = {name: [] for name, _ in markets[0].arrays()}  # type: dict[str, list[np.ndarray]]
    before = dict.fromkeys(_REFERENCES.values(), 0)
    entries = 0
    for market in markets:
        for name, array in market.arrays():
            if name == "cap_start":
                arrays[name].append(array[:-1] + entries)
            else:
                arrays[name].append(array + before.get(_REFERENCES.get(name, ""), 0))
        entries += len(market.cap_pairs)
        before = {kind: count + getattr(market, kind) for kind, count in before.items()}
    arrays["cap_start"].append(np.array([entries]))
    return Market.build(
        **{name: np.concatenate(rows) for name, rows in arrays.items()},
        terms=[_joined([m.terms[at] for m in markets]) for at in range(len(markets[0].terms))],
    )


def _joined(terms: Sequence[Term]) -> Term:
    rows = {name: np.concatenate([getattr(term, name) for term in terms]) for name in _TERM}
    return Term.of(terms[0].name, **rows)
