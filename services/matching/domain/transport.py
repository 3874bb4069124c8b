"""What it costs to bring goods from one site to the other, by the policy's rates."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from spareline.matching.v1.policy_pb2 import TransportRate

IntArray = npt.NDArray[np.int64]


def rate_for(rates: Iterable[TransportRate], code: str, ships: bool) -> TransportRate:
    """Return the rate of a capability: the longest code that fits; an empty rate when none does.

    The rate without a code is for what ships; a rate that names a code above the capability (or
    itself) applies whether it ships or not.
    """
    best = TransportRate()
    found = False
    for rate in rates:
        if rate.capability:
            fits = code == rate.capability or code.startswith(f"{rate.capability}.")
        else:
            fits = ships
        if fits and (not found or len(rate.capability) > len(best.capability)):
            best, found = rate, True
    return best


def unit_transport(per_tick_1000km: IntArray, km: IntArray) -> IntArray:
    """Minor units per tick over a distance, rounded half up."""
    return (per_tick_1000km * km + 500) // 1000


def shipment_transport(per_shipment_km: IntArray, km: IntArray) -> IntArray:
    """Minor units once per shipment (an offer serving a line)."""
    return per_shipment_km * km
