"""The certificate of a market that was cut: the parts' prices together, and what they prove.

The bound is a sum over slots, caps, demands and offers with a minimum run. Of these, each that has
a price or a run belongs to one part, so that what a part has proved need not be summed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from services.matching.engine.certificate import (
    DEFAULT_SCALE,
    Integers,
    certificate_of,
    in_integers,
    scaled_bound,
)
from services.matching.engine.components import Part
from services.matching.engine.market import Market
from services.matching.engine.prices import Prices
from services.matching.engine.result import Certificate


def prove_part(market: Market, prices: Prices) -> int:
    """What a part's prices prove, over `DEFAULT_SCALE`."""
    return scaled_bound(market, DEFAULT_SCALE, *_integers(market, prices))


def together(market: Market, parts: Sequence[Part], prices: Sequence[Prices]) -> Prices:
    """The parts' prices as prices of the whole; per pair where any part has them."""
    slot, cap = np.zeros(market.slots), np.zeros(market.caps)
    budget, pair = np.zeros(market.demands), None
    if any(each.pair is not None for each in prices):
        pair = np.zeros(market.pairs)
    shared_slots, shared_caps = np.zeros(market.slots), np.zeros(market.caps)
    for part, own in zip(parts, prices, strict=True):
        slot[part.slots] += own.slot
        cap[part.caps] += own.cap
        budget[part.demands] = own.budget
        if pair is not None and own.pair is not None:
            pair[part.pairs] = own.pair
        shared_slots[part.slots] += 1
        shared_caps[part.caps] += 1
    # What several parts use can't run out (else it would have joined them): it has no price.
    slot[shared_slots > 1] = 0.0
    cap[shared_caps > 1] = 0.0
    return Prices(slot, cap, budget, all(each.finished for each in prices), pair)


def certify_parts(
    market: Market, parts: Sequence[Part], prices: Sequence[Prices], proved: Mapping[int, int]
) -> Certificate:
    """The certificate of the whole; ``proved`` holds `prove_part` of the parts that have it."""
    whole = _integers(market, together(market, parts, prices))
    if not proved:
        return certificate_of(whole, scaled_bound(market, DEFAULT_SCALE, *whole))
    total = 0
    for index, part in enumerate(parts):
        own = Integers(
            whole.slot[part.slots],
            whole.cap[part.caps],
            whole.budget[part.demands],
            None if whole.pair is None else whole.pair[part.pairs],
        )
        if index in proved and _same(own, _integers(part.market, prices[index])):
            total += proved[index]
        else:
            total += scaled_bound(part.market, DEFAULT_SCALE, *own)
    return certificate_of(whole, total)


def _integers(market: Market, prices: Prices) -> Integers:
    return in_integers(market, prices.slot, prices.cap, prices.budget, prices.pair)


def _same(one: Integers, other: Integers) -> bool:
    if (one.pair is None) != (other.pair is None):
        return False
    pairs = zip(one, other, strict=True)
    return all(a is None or b is None or np.array_equal(a, b) for a, b in pairs)
