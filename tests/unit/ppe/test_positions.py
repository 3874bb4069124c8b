"""Positions come back from distances alone, exactly when these are exact."""

import numpy as np
import pytest

from benchmarks.ppe.positions import (
    EARTH_MILES,
    FloatArray,
    Positions,
    latitudes_and_longitudes,
    recover,
)


def points(count: int, seed: int) -> FloatArray:
    """Points over an area as large as the United States."""
    random = np.random.default_rng(seed)
    latitude = np.radians(random.uniform(25, 49, count))
    longitude = np.radians(random.uniform(-124, -67, count))
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )


TRUE = Positions(points(60, 1), points(150, 2))


def with_holes(distances: FloatArray, share: float) -> FloatArray:
    holes = np.random.default_rng(3).random(distances.shape) < share
    holes[:12] = False
    return np.where(holes, np.nan, distances)


def test_exact_distances_give_exact_positions_back() -> None:
    found = recover(with_holes(TRUE.distances(), 0.5))
    assert np.abs(found.distances() - TRUE.distances()).max() < 1e-2


def test_rounded_distances_give_positions_far_better_than_the_rounding() -> None:
    rounded = np.round(TRUE.distances() / 30) * 30
    found = recover(with_holes(rounded, 0.3))
    error = np.sqrt(((found.distances() - TRUE.distances()) ** 2).mean())
    assert error < 30 / np.sqrt(12) / 2


def test_coordinates_keep_the_distances() -> None:
    rows, columns = latitudes_and_longitudes(TRUE)
    assert np.abs(np.concatenate([rows, columns])[:, 0]).max() < 90
    latitude, longitude = np.radians(rows[:, 0])[:, None], np.radians(rows[:, 1])[:, None]
    other, beside = np.radians(columns[:, 0])[None], np.radians(columns[:, 1])[None]
    haversine = (
        np.sin((other - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(other) * np.sin((beside - longitude) / 2) ** 2
    )
    distances = 2 * EARTH_MILES * np.arcsin(np.sqrt(haversine))
    assert np.allclose(distances, TRUE.distances(), atol=1e-3)


def test_distances_of_no_sphere_are_refused() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="sphere"):
        recover(random.uniform(0, EARTH_MILES * 3, (30, 30)))


def test_too_few_distances_are_refused() -> None:
    with pytest.raises(ValueError, match="dense"):
        recover(np.full((30, 30), np.nan))
