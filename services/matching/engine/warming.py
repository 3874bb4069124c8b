"""Compiling the engine's inner loops ahead of the first round that needs them.

`python -m services.matching.engine.warming` solves two drawn markets, one for all
loops and one of whole demands. numba keeps what it compiles beside the sources, so this costs a
minute once; without it that minute would be taken from the first large round's time.
"""

from __future__ import annotations

import numpy as np

from services.matching.engine.compact import compact
from services.matching.engine.limits import IntArray
from services.matching.engine.market import Market, Term
from services.matching.engine.rearranging import rearranged
from services.matching.engine.result import Options
from services.matching.engine.sides import sides_of
from services.matching.engine.solving import solve

_OPTIONS = Options(time_limit_seconds=300.0, deterministic_limit=0.01, workers=2)


def warm() -> None:
    """Compile and cache all loops; returns at once, or nearly, where that was done before."""
    large = _market(offers=80, demands=300, whole=False)
    found = solve(large, _OPTIONS)
    sides_of(compact(large).rows, np.arange(large.offers), 2, 0.0)
    rearranged(large, found.quantity, found.certificate.slot_price / found.certificate.scale, 1, 50)
    solve(_market(offers=6, demands=30, whole=True), _OPTIONS)


def _market(*, offers: int, demands: int, whole: bool) -> Market:
    """Every demand is eligible everywhere; minimum runs keep the large one from being a flow."""
    random = np.random.default_rng(1)
    pair_offer, pair_line = (grid.ravel() for grid in np.mgrid[:offers, :demands])
    pairs = len(pair_offer)

    def zeros(count: int) -> IntArray:
        return np.zeros(count, dtype=np.int64)

    quantity = random.integers(2, 20, demands)
    return Market.build(
        min_run=zeros(offers) if whole else random.integers(0, 60, offers),
        slot_offer=np.arange(offers),
        slot_period=zeros(offers),
        slot_capacity=random.integers(20, 60, offers),
        bundle=zeros(demands),
        budget=zeros(demands) - 1,
        line_demand=np.arange(demands),
        line_quantity=quantity,
        line_least=quantity if whole else np.ones(demands, dtype=np.int64),
        line_max_partners=zeros(demands) + (1 if whole else 3),
        line_least_share=zeros(demands),
        pair_offer=pair_offer,
        pair_line=pair_line,
        pair_min_order=zeros(pairs),
        pair_unit_cost=zeros(pairs),
        pair_fixed_cost=zeros(pairs),
        pair_setup=np.arange(pairs),
        setup_cost=zeros(pairs),
        x_pair=np.arange(pairs),
        x_slot=pair_offer,
        terms=[Term.of("surplus", per_tick=random.integers(1, 100, pairs))],
    )


if __name__ == "__main__":
    warm()
