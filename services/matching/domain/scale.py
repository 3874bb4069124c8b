"""The scale to which private numbers are rounded before anything about them is told to others.

Renard's preferred numbers R10 (ISO 3): ten steps to a decade, each about a quarter above the last.
All readers get the same steps. Were they counted from the reader's own price, a reader with many
postings could lay many scales over the same number and read it off.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.matching.domain.vocabulary import IntArray

_R10: Final = (100, 125, 160, 200, 250, 315, 400, 500, 630, 800)

STEPS: Final[IntArray] = np.unique(
    np.array(
        [0] + [step * 10**power // 100 for power in range(19) for step in _R10], dtype=np.int64
    )
)
"""All steps, rising. Below ten whole numbers are the finer scale, and some steps fall together."""


def up(values: IntArray) -> IntArray:
    """The least step at or above each value; values from 0 to 8e18."""
    found: IntArray = STEPS[np.searchsorted(STEPS, values, side="left")]
    return found


def down(values: IntArray) -> IntArray:
    """The largest step at or below each value; values from 0 to 8e18."""
    found: IntArray = STEPS[np.searchsorted(STEPS, values, side="right") - 1]
    return found
