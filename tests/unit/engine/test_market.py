"""What a market refuses, and the words it uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.matching.engine import InvalidMarket, Term
from tests.unit.engine.markets import small

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"slot_capacity": [4, 4, 4]}, "slot arrays differ in length"),
    ({"slot_capacity": [4, 4, 4, -1]}, r"slot_capacity\[3\] is -1"),
    ({"slot_capacity": [4.5, 4, 4, 4]}, "must hold integers"),
    ({"slot_capacity": [[4, 4, 4, 4]]}, "one dimension"),
    ({"slot_period": [0, 0, 0, 1]}, r"slot \(offer, period\) stands twice, in rows 0 and 1"),
    ({"line_least": [5, 4, 4]}, r"line_least\[0\] is 5, above"),
    ({"line_quantity": [0, 4, 4]}, r"line_quantity\[0\] is 0"),
    ({"pair_offer": [0, 2, 0, 1]}, r"pair_offer\[1\] is 2, not within 0..1"),
    ({"pair_line": [0, 0, 0, 2]}, "stands twice"),
    ({"pair_setup": [0, 1, 3, 2]}, r"pair_setup\[2\] is 3"),
    ({"pair_setup": [0, 0, 0, 2]}, r"group 0 covers two"),
    ({"pair_setup": [0, 1, 2, 2]}, r"covers two|is split"),
    ({"pair_use": [1, 1, 0, 1]}, r"pair_use\[2\] is 0, not within 1"),
    ({"pair_use": [1, 1]}, "pair arrays differ in length"),
    ({"x_slot": [0, 1, 2, 3, 0, 1, 2, 1]}, r"x_slot\[7\] is a slot of another offer"),
    ({"before_line": [0], "after_line": [2]}, "joins lines of two demands"),
    ({"before_line": [0, 1], "after_line": [1, 0]}, "comes before itself"),
    ({"cap_limit": [3], "cap_start": [0], "cap_pairs": []}, "cap_start has 1 entries"),
    ({"cap_limit": [3], "cap_start": [0, 2], "cap_pairs": [1]}, "cap_start must rise"),
    ({"cap_limit": [3], "cap_start": [0, 2], "cap_pairs": [1, 1]}, "stands twice"),
    ({"pin_x": [0, 0], "pin_quantity": [1, 1]}, "pin stands twice"),
    ({"terms": [Term.of("a", per_tick=[1])]}, "per_tick has 1 entries, not 4"),
    ({"terms": [Term.of("a"), Term.of("a")]}, "share a name"),
    ({"terms": [Term.of("a", per_tick=[2**50] * 4)] * 1, "line_quantity": [2**39] * 3,
      "slot_capacity": [2**39] * 4}, "objective could reach"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "words"), WRONG)
def test_what_does_not_fit_is_refused_by_name(arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidMarket, match=words):
        small(**arrays)


def test_arrays_cannot_be_changed_from_outside() -> None:
    capacity = np.array([4, 4, 4, 4])
    market = small(slot_capacity=capacity)
    capacity[0] = 9
    assert market.slot_capacity[0] == 4
    with pytest.raises(ValueError, match="read-only"):
        market.slot_capacity[0] = 9


def test_a_variant_is_checked_too() -> None:
    with pytest.raises(InvalidMarket, match="slot_capacity"):
        small().with_arrays(slot_capacity=[1, 2, 3, -4])
