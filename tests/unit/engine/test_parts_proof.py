"""What parts have proved makes the bound of the whole, to the last unit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.engine import Market, verify
from services.matching.engine.certificate import certify
from services.matching.engine.components import split
from services.matching.engine.parts_proof import certify_parts, prove_part, together
from services.matching.engine.prices import Prices
from tests.unit.engine.markets import tiny


def drawn_prices(market: Market, rng: np.random.Generator, *, per_pair: bool) -> Prices:
    def some(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.asarray(rng.random(count) * 25 * rng.integers(0, 2, count), dtype=np.float64)

    pair = rng.normal(0.0, 5.0, market.pairs) if per_pair else None
    budget = rng.random(market.demands)
    return Prices(some(market.slots), some(market.caps), budget, True, pair)


@settings(max_examples=150)
@given(tiny(), st.integers(0, 2**31), st.sets(st.integers(0, 5)))
def test_the_sum_over_parts_is_the_bound_of_the_whole(
    market: Market, seed: int, large: set[int]
) -> None:
    rng, parts = np.random.default_rng(seed), split(market)
    large = {index for index in large if index < len(parts)}
    prices = [drawn_prices(p.market, rng, per_pair=i in large) for i, p in enumerate(parts)]
    proved = {index: prove_part(parts[index].market, prices[index]) for index in large}
    whole = together(market, parts, prices)
    expected = certify(market, whole.slot, whole.cap, whole.budget, whole.pair)
    found = certify_parts(market, parts, prices, proved)
    assert found.bound == expected.bound
    assert found.slot_price.tobytes() == expected.slot_price.tobytes()
    nobody = np.zeros(market.variables, dtype=np.int64)
    verdict = verify(market, nobody, found)
    assert verdict.ok or "pin" in verdict.message, verdict.message
