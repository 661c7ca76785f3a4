"""Unit quaternions as arrays (..., 4), scalar last (x, y, z, w), broadcast and NaN-safe.

`q = rot_a_from_b` turns vectors of frame b into vectors of frame a; `multiply(rot_a_from_b, rot_b_from_c)` is
`rot_a_from_c`. scipy's `Rotation` refuses NaN rows and read-only arrays, of which streams are full.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray


def _joined(*components: FloatArray) -> FloatArray:
    """Components (...) as one array (..., n) that keeps each component's values together in memory."""
    return np.moveaxis(np.stack(np.broadcast_arrays(*components)), 0, -1)


def multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """Product of quaternions (..., 4): first turn by `b`, then by `a`."""
    ax, ay, az, aw = np.moveaxis(a, -1, 0)
    bx, by, bz, bw = np.moveaxis(b, -1, 0)
    return _joined(
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(q: FloatArray) -> FloatArray:
    """Inverse of unit quaternions (..., 4)."""
    return np.asarray(q * np.array([-1.0, -1.0, -1.0, 1.0]))


def rotate(q: FloatArray, v: FloatArray) -> FloatArray:
    """Vectors (..., 3) turned by quaternions (..., 4): v + w·t + u × t with t = 2u × v and q = (u, w)."""
    x, y, z, w = np.moveaxis(q, -1, 0)
    vx, vy, vz = np.moveaxis(v, -1, 0)
    tx, ty, tz = 2.0 * (y * vz - z * vy), 2.0 * (z * vx - x * vz), 2.0 * (x * vy - y * vx)
    return _joined(
        vx + w * tx + y * tz - z * ty,
        vy + w * ty + z * tx - x * tz,
        vz + w * tz + x * ty - y * tx,
    )


def normalised(v: FloatArray) -> FloatArray:
    """Vectors (..., n) divided by their norm; NaN where the norm is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True))


def from_axes(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Quaternions (..., 4) of the frame whose axes are x, y, z (..., 3), orthonormal and right-handed.

    The result turns vectors of that frame into vectors of the frame in which the axes are given. NaN stays NaN.
    """
    matrix = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    flat = matrix.reshape(-1, 3, 3)
    out = np.full((flat.shape[0], 4), np.nan)
    known = np.isfinite(flat).all(axis=(1, 2))
    if known.any():
        out[known] = Rotation.from_matrix(flat[known]).as_quat()
    return out.reshape((*matrix.shape[:-2], 4))


def shortest_arc(a: FloatArray, b: FloatArray) -> FloatArray:
    """Smallest rotation (..., 4) that turns unit vectors a into unit vectors b (..., 3); NaN where b = −a."""
    w = 1.0 + np.sum(a * b, axis=-1, keepdims=True)
    return normalised(np.concatenate([np.broadcast_to(np.cross(a, b), (*w.shape[:-1], 3)), w], axis=-1))


def twist_angle(q: FloatArray, axis: FloatArray) -> FloatArray:
    """Angle (...) in radians, −π..π, by which rotations q (..., 4) turn about the unit axis (..., 3).

    The rotation is split into a twist about the axis and a swing about an axis perpendicular to it.
    """
    angle = 2.0 * np.arctan2(np.sum(q[..., :3] * axis, axis=-1), q[..., 3])
    return np.asarray((angle + np.pi) % (2.0 * np.pi) - np.pi)


def about_axis(axis: FloatArray, angle_rad: FloatArray) -> FloatArray:
    """Rotations (..., 4) by an angle (...) about a unit axis (..., 3)."""
    half = 0.5 * np.asarray(angle_rad)[..., None]
    return np.concatenate([axis * np.sin(half), np.cos(half)], axis=-1)
