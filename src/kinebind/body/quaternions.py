"""Unit quaternions as arrays (..., 4), scalar last (x, y, z, w), broadcast and NaN-safe.

`q = rot_a_from_b` turns vectors of frame b into vectors of frame a; `multiply(rot_a_from_b, rot_b_from_c)` is
`rot_a_from_c`. scipy's `Rotation` refuses NaN rows and read-only arrays, of which streams are full.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray


def multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """Product of quaternions (..., 4): first turn by `b`, then by `a`."""
    ax, ay, az, aw = np.moveaxis(a, -1, 0)
    bx, by, bz, bw = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def conjugate(q: FloatArray) -> FloatArray:
    """Inverse of unit quaternions (..., 4)."""
    return np.asarray(q * np.array([-1.0, -1.0, -1.0, 1.0]))


def rotate(q: FloatArray, v: FloatArray) -> FloatArray:
    """Vectors (..., 3) turned by quaternions (..., 4): v + 2w(u × v) + 2u × (u × v) with q = (u, w)."""
    u, w = q[..., :3], q[..., 3:]
    t = 2.0 * np.cross(u, v)
    return np.asarray(v + w * t + np.cross(u, t))


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


def slerp(a: FloatArray, b: FloatArray, weight: FloatArray) -> FloatArray:
    """Along the geodesic of SO(3) from a (weight 0) to b (weight 1); a, b (..., 4), weight broadcast to (...)."""
    delta = multiply(conjugate(a), b)
    delta = np.where(delta[..., 3:] < 0, -delta, delta)
    sine = np.linalg.norm(delta[..., :3], axis=-1)
    half = np.arctan2(sine, delta[..., 3]) * weight
    # sin(w·h)/sin(h) tends to w for small angles.
    factor = np.where(sine > 1e-9, np.sin(half) / np.maximum(sine, 1e-9), weight)
    step = np.concatenate([delta[..., :3] * factor[..., None], np.cos(half)[..., None]], axis=-1)
    return multiply(a, step)


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
