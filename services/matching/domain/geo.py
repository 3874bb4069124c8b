"""Distances between sites and the regions they lie in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


def distances_km(
    latitude: FloatArray, longitude: FloatArray, to_latitude: FloatArray, to_longitude: FloatArray
) -> IntArray:
    """Great-circle distances between points in degrees, rounded to whole km (haversine)."""
    first, second = np.radians(latitude), np.radians(to_latitude)
    across = np.radians(to_longitude - longitude)
    chord = np.sin((second - first) / 2) ** 2
    chord = chord + np.cos(first) * np.cos(second) * np.sin(across / 2) ** 2
    arc = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    km: IntArray = np.rint(arc).astype(np.int64)
    return km


def in_regions(region: str, allowed: Sequence[str]) -> bool:
    """Tell whether a region (ISO 3166-2) is one of the allowed, or lies in an allowed country.

    Nothing allowed means that no region is asked for.
    """
    return not allowed or region in allowed or region.partition("-")[0] in allowed
