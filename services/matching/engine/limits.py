"""The sizes that keep every exact sum inside int64, and the error for arrays that do not fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

# Exact sums must stay inside int64 with room for the solver's own arithmetic.
LARGEST_QUANTITY = 2**40
LARGEST_MONEY = 2**50
LARGEST_OBJECTIVE = 2**58


class InvalidMarket(ValueError):  # noqa: N818 - says what is the case
    """The arrays do not describe a market; the message names the array, row and number."""
