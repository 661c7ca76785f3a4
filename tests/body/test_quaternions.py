"""Quaternion arithmetic against scipy, and what each helper promises."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinebind.body import quaternions as qn

seeds = st.integers(0, 2**32 - 1)


def _some(seed: int, count: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b = qn.normalised(rng.normal(size=(2, count, 4)))
    return a, b, rng.normal(size=(count, 3))


@given(seeds)
def test_product_and_rotation_equal_scipys(seed):
    a, b, v = _some(seed)
    ra, rb = Rotation.from_quat(a), Rotation.from_quat(b)
    assert np.allclose(Rotation.from_quat(qn.multiply(a, b)).as_matrix(), (ra * rb).as_matrix(), atol=1e-12)
    assert np.allclose(qn.rotate(a, v), ra.apply(v), atol=1e-12)
    assert np.allclose(qn.rotate(qn.conjugate(a), qn.rotate(a, v)), v, atol=1e-12)


def test_missing_rows_stay_missing_and_harm_no_other():
    a, b, v = _some(0)
    a[2] = np.nan
    for out in (qn.multiply(a, b), qn.rotate(a, v), qn.from_axes(a[:, :3], b[:, :3], v)):
        assert np.isnan(out[2]).all()
        assert np.isfinite(np.delete(out, 2, axis=0)).all()


@given(seeds)
def test_shortest_arc_carries_one_direction_to_the_other(seed):
    a, b, _ = _some(seed)
    x, y = qn.normalised(a[:, :3]), qn.normalised(b[:, :3])
    arc = qn.shortest_arc(x, y)
    assert np.allclose(qn.rotate(arc, x), y, atol=1e-9)
    assert np.allclose(Rotation.from_quat(arc).magnitude(), np.arccos(np.clip((x * y).sum(-1), -1, 1)), atol=1e-6)


@given(seeds)
def test_axes_give_the_rotation_that_has_them(seed):
    a, _, _ = _some(seed)
    axes = [qn.rotate(a, axis) for axis in np.eye(3)]
    again = qn.from_axes(*axes)
    assert np.allclose(np.abs((again * a).sum(-1)), 1.0, atol=1e-12)


@given(seeds, st.floats(-3.1, 3.1))
def test_twist_is_found_whatever_the_swing(seed, angle):
    axis = np.array([0.0, 1.0, 0.0])
    across = qn.normalised(np.random.default_rng(seed).normal(size=3) * [1, 0, 1])
    swing = qn.about_axis(across, np.array(0.7))
    twisted = qn.multiply(swing, qn.about_axis(axis, np.array(angle)))
    assert np.isclose(qn.twist_angle(twisted, axis), angle, atol=1e-9)
