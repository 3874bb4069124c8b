"""Positions on a sphere from the distances between two groups of points.

The data gives donor-to-recipient distances and no coordinates. On a sphere of radius R the matrix
cos(d / R) holds the scalar products of unit vectors, so it has rank 3. A dense block of it is
factored by SVD into X Yᵀ up to a linear map; that map follows from all vectors of one side being
of length one (linear equations in its Gram matrix: "self-calibration" of a bipartite Gram matrix).
The rest is placed from there, and all are refined by Gauss-Newton on the arcs, one side after the
other. What comes out is unique up to a rotation and a reflection, which distances cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

EARTH_MILES: Final = 3958.7613
"""Mean radius of the earth, 6371.0088 km (IUGG), in statute miles."""

_BLOCKS: Final = (300, 150, 80, 40, 20, 10)
_LEAST_BLOCK: Final = 6
_LENGTH_TOLERANCE: Final = 0.1
# Closer to a pole of the arc its derivative has no bound.
_LEAST_SINE: Final = 1e-4
_LONGEST_STEP: Final = 0.1


@dataclass(frozen=True)
class Positions:
    """Unit vectors of the rows' and the columns' points, each of shape (points, 3)."""

    rows: FloatArray
    columns: FloatArray

    def distances(self, radius: float = EARTH_MILES) -> FloatArray:
        """Great-circle distances between all rows and columns."""
        return radius * np.arccos(np.clip(self.rows @ self.columns.T, -1.0, 1.0))


def recover(
    distances: FloatArray,
    error: FloatArray | None = None,
    *,
    radius: float = EARTH_MILES,
    sweeps: int = 4,
) -> Positions:
    """Positions whose great-circle distances come closest to the given ones.

    ``distances`` has a row per point of one side and a column per point of the other, NaN where
    unknown. ``error`` is the standard error of each, for weights; all the same when not given.

    Raises:
        ValueError: no block is dense enough, or the distances are not those of a sphere.
    """
    known = ~np.isnan(distances)
    arcs = np.where(known, distances, 0.0) / radius
    weight = known.astype(np.float64)
    if error is not None:
        weight /= (error / radius) ** 2
    rows = _start(arcs, known)
    columns = _placed(rows, arcs, weight)
    rows = _placed(columns, arcs.T, weight.T)
    for _ in range(sweeps):
        columns = _refined(columns, rows, arcs, weight)
        rows = _refined(rows, columns, arcs.T, weight.T)
    return Positions(rows, columns)


def latitudes_and_longitudes(positions: Positions) -> tuple[FloatArray, FloatArray]:
    """Degrees (latitude, longitude) of rows and columns: centred on the middle of the data.

    The rotation that distances leave open is chosen so that the centre lies at 39.5 N 98.35 W and
    the longest extent runs from east to west.
    """
    everything = np.concatenate([positions.rows, positions.columns])
    centre = everything.mean(axis=0)
    centre /= np.linalg.norm(centre)
    flat = everything - np.outer(everything @ centre, centre)
    east = np.linalg.svd(flat, full_matrices=False)[2][0]
    east -= (east @ centre) * centre
    east /= np.linalg.norm(east)
    frame = np.stack([centre, east, np.cross(centre, east)])
    latitude, longitude = np.radians(39.5), np.radians(-98.35)
    middle = np.array(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )
    to_east = np.array([-np.sin(longitude), np.cos(longitude), 0.0])
    globe = np.stack([middle, to_east, np.cross(middle, to_east)])
    return _degrees(positions.rows @ frame.T @ globe), _degrees(positions.columns @ frame.T @ globe)


def _degrees(points: FloatArray) -> FloatArray:
    latitude = np.arcsin(np.clip(points[:, 2], -1.0, 1.0))
    longitude = np.arctan2(points[:, 1], points[:, 0])
    degrees: FloatArray = np.degrees(np.stack([latitude, longitude], axis=1))
    return degrees


def _start(arcs: FloatArray, known: BoolArray) -> FloatArray:
    """Unit vectors of the rows of a dense block; zero vectors for all other rows."""
    block, whole = _dense_block(known)
    left, values, _ = np.linalg.svd(np.cos(arcs[np.ix_(block, whole)]), full_matrices=False)
    found = left[:, :3] * values[:3]
    gram = _gram(found)
    if np.linalg.eigvalsh(gram)[0] <= 0:
        raise ValueError("the distances are not those of points on a sphere of this radius")
    calibrated = found @ np.linalg.cholesky(gram)
    if np.abs(np.linalg.norm(calibrated, axis=1) - 1).max() > _LENGTH_TOLERANCE:
        raise ValueError("the distances are not those of points on a sphere of this radius")
    rows = np.zeros((len(arcs), 3))
    rows[block] = _unit(calibrated)
    return rows


def _dense_block(known: BoolArray) -> tuple[IntArray, IntArray]:
    """Rows, and columns known in all of these, with the most on the smaller side."""
    order = np.argsort(-known.sum(axis=1), kind="stable")
    best = order[:0], order[:0]
    for size in _BLOCKS:
        rows = order[:size]
        columns = np.flatnonzero(known[rows].all(axis=0))
        if min(len(rows), len(columns)) > min(len(best[0]), len(best[1])):
            best = rows, columns
    if min(len(best[0]), len(best[1])) < _LEAST_BLOCK:
        raise ValueError("no block of distances is dense enough to start from")
    return best


def _gram(vectors: FloatArray) -> FloatArray:
    """The symmetric S for which vᵀ S v comes closest to 1 for every vector."""
    solution = np.linalg.lstsq(_products(vectors), np.ones(len(vectors)), rcond=None)[0]
    a, b, c, d, e, f = solution
    # Entries off the diagonal stand twice in the quadratic form.
    return np.array([[a, d / 2, e / 2], [d / 2, b, f / 2], [e / 2, f / 2, c]])


def _products(vectors: FloatArray) -> FloatArray:
    """xx, yy, zz, 2·(xy, xz, yz)/2 of each vector: the entries of its outer product."""
    x, y, z = vectors.T
    return np.stack([x * x, y * y, z * z, x * y, x * z, y * z], axis=1)


def _matrices(sums: FloatArray) -> FloatArray:
    """Symmetric 3 x 3 matrices from sums of `_products`."""
    a, b, c, d, e, f = sums.T
    return np.stack([a, d, e, d, b, f, e, f, c], axis=1).reshape(-1, 3, 3)


def _placed(anchors: FloatArray, arcs: FloatArray, weight: FloatArray) -> FloatArray:
    """The columns' points by linear least squares on the cosines, then one look at the arcs.

    A point without links to placed anchors gets their middle, for the sweeps to move.
    """
    there = np.linalg.norm(anchors, axis=1) > 0.5
    middle = anchors[there].mean(axis=0)
    linked = weight * there[:, None] > 0
    share = linked.astype(np.float64)
    normal = _matrices(share.T @ _products(anchors)) + 1e-6 * np.eye(3)
    right = (np.cos(arcs) * share).T @ anchors + 1e-6 * middle
    points = _unit(np.linalg.solve(normal, right[..., None])[..., 0])
    for _ in range(3):
        points = _refined(points, anchors, arcs, weight * there[:, None])
    return points


def _refined(
    points: FloatArray, anchors: FloatArray, arcs: FloatArray, weight: FloatArray
) -> FloatArray:
    """One Gauss-Newton step of every point on the weighted errors of its arcs."""
    cosine = np.clip(anchors @ points.T, -1.0, 1.0)
    sine = np.maximum(np.sqrt(1.0 - cosine**2), _LEAST_SINE)
    slope = weight / sine
    # The arc falls as the point moves towards the anchor: d(arc) = -(anchor · step) / sine.
    gradient = -((arcs - np.arccos(cosine)) * slope).T @ anchors
    normal = _matrices((slope / sine).T @ _products(anchors))
    first, second = _tangents(points)
    plane = np.stack([first, second], axis=1)
    reduced = plane @ normal @ plane.transpose(0, 2, 1)
    scale = np.trace(reduced, axis1=1, axis2=2)[:, None, None]
    reduced += (1e-9 * scale + 1e-12) * np.eye(2)
    step = np.linalg.solve(reduced, plane @ gradient[..., None])[..., 0]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step *= np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-12))
    return _unit(points + step[:, :1] * first + step[:, 1:] * second)


def _tangents(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two directions across each point and across each other."""
    away = np.eye(3)[np.argmin(np.abs(points), axis=1)]
    first = _unit(np.cross(points, away))
    return first, np.cross(points, first)


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: FloatArray = vectors / np.maximum(lengths, 1e-12)
    return units
