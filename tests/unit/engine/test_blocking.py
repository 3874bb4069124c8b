"""Which pairs would rather deal with each other."""

import numpy as np
from hypothesis import given, settings

from services.matching.engine.blocking import blocking_pairs
from services.matching.engine.market import Market
from tests.unit.engine.markets import small, tiny


def blocking(market: Market, *quantity: int) -> list[int]:
    return np.flatnonzero(blocking_pairs(market, np.array(quantity))).tolist()


def test_a_line_that_waits_and_a_free_slot_block() -> None:
    market = small()
    assert blocking(market, *[0] * 8) == [0, 1, 2, 3]


def test_a_better_pair_with_room_blocks_and_a_worse_one_does_not() -> None:
    # Worth per tick: pair 0 is 5, pair 1 is 6, both for line 0; lines 1 and 2 are served.
    market = small()
    assert blocking(market, 4, 0, 0, 0, 0, 4, 4, 0) == [1]
    assert blocking(market, 0, 0, 4, 0, 4, 0, 0, 4) == []


def test_a_full_slot_is_left_by_what_is_worth_less() -> None:
    # Offer 1 (pairs 1 and 3, worth 6 and 8) is full with line 0; line 2 would pay 8 there.
    market = small(slot_capacity=[4, 4, 2, 2])
    assert 3 in blocking(market, 0, 0, 2, 2, 4, 0, 0, 0)
    # Full with line 2 instead, line 0 would get nothing there for its 6.
    assert 1 not in blocking(market, 0, 0, 0, 0, 4, 0, 2, 2)


@settings(max_examples=50)
@given(market=tiny())
def test_whoever_is_worth_nothing_never_blocks(market: Market) -> None:
    found = blocking_pairs(market, np.zeros(market.variables, dtype=np.int64))
    worth = sum(term.per_tick for term in market.terms)
    assert not found[np.asarray(worth) <= 0].any()
