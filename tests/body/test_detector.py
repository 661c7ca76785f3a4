"""A detector's errors, measured back from what it gives."""

import time

import numpy as np
import pytest
from scipy.stats import kurtosis

from kinebind import InputError, Poses
from kinebind.body.camera import look_at
from kinebind.body.detector import CLEAN, HARD, NORMAL, SWAY, DetectorErrors, detect, film, film_points
from kinebind.body.keypoints import coco17_world
from kinebind.parts import COCO17_MIRROR

_RATE_HZ = 30.0


def _still(frames: int = 6000) -> Poses:
    """A perfect track of someone who does not move."""
    body = np.random.default_rng(9).uniform([400, 100], [600, 700], (17, 2))
    return Poses(np.arange(frames) / _RATE_HZ, np.tile(body, (frames, 1, 1)), np.ones((frames, 17)))


def _error_percent(clean: Poses, seen: Poses) -> np.ndarray:
    return 100 * (seen.keypoints_px - clean.keypoints_px) / clean.body_scale_px()


def _apart(clean: Poses, seen: Poses) -> np.ndarray:
    """Frames (T,) whose sides are exchanged: nearer to the exchanged truth than to the truth."""
    other = ((seen.keypoints_px - clean.keypoints_px[:, COCO17_MIRROR]) ** 2).sum(-1)
    return np.nansum(((seen.keypoints_px - clean.keypoints_px) ** 2).sum(-1) - other, axis=1) > 0


@pytest.mark.parametrize("percent", [1.0, 4.0])
def test_white_noise_has_its_amount_and_no_memory(percent):
    clean = _still()
    error = _error_percent(clean, detect(clean, DetectorErrors(white_percent=percent), np.random.default_rng(1)))
    assert np.isclose(error.std(), percent, rtol=0.02)
    assert abs((error[1:] * error[:-1]).mean()) < 0.01 * percent**2
    assert abs(error.mean()) < 0.01 * percent


@pytest.mark.parametrize("late_s", [0.0, 0.004])
def test_correlated_noise_forgets_with_its_time_constant(late_s):
    frames = _still()
    step = np.random.default_rng(0).uniform(-late_s, late_s, frames.time_s.size)
    clean = frames.replace(time_s=frames.time_s + step)
    error = _error_percent(clean, detect(clean, DetectorErrors(correlated_percent=2.0), np.random.default_rng(2)))
    assert np.isclose(error.std(), 2.0, rtol=0.03)
    for lag in (1, 3, 6):
        memory = (error[lag:] * error[:-lag]).mean() / error.var()
        assert np.isclose(memory, np.exp(-lag / _RATE_HZ / 0.12), atol=0.02)


def test_bursts_last_and_recur_as_told():
    clean = _still(20000)
    error = _error_percent(clean, detect(clean, DetectorErrors(burst_percent=25.0), np.random.default_rng(3)))
    bursting = (error != 0).any(axis=-1)
    assert np.isclose(bursting.mean(), 0.05, rtol=0.05)
    assert np.isclose(error[bursting].std(), 25.0, rtol=0.03)
    changes = np.diff(np.pad(bursting, ((1, 1), (0, 0))).astype(int), axis=0)
    lasting = (np.argwhere(changes.T == -1)[:, 1] - np.argwhere(changes.T == 1)[:, 1]) / _RATE_HZ
    assert np.isclose(np.median(lasting), 0.1, atol=1e-9)
    assert kurtosis(error.ravel()) > 20  # rare and large, not a wider Gaussian


def test_what_is_lost_is_lost_as_often_as_told():
    clean = _still(10000)
    seen = detect(clean, DetectorErrors(lost_joints=0.03, lost_frames=0.02), np.random.default_rng(4))
    lost = np.isnan(seen.keypoints_px[..., 0])
    whole = lost.all(axis=1)
    assert np.isclose(whole.mean(), 0.02, atol=0.005)
    assert np.isclose(lost[~whole].mean(), 0.03, atol=0.003)
    assert np.array_equal(np.isnan(seen.scores), lost)


def test_sides_are_exchanged_as_often_as_told():
    clean = _still(20000)
    seen = detect(clean, DetectorErrors(swapped=0.01), np.random.default_rng(5))
    exchanged = _apart(clean, seen)
    assert np.isclose(exchanged.mean(), 0.01, atol=0.002)
    assert np.array_equal(seen.keypoints_px[exchanged], clean.keypoints_px[exchanged][:, COCO17_MIRROR])
    assert np.array_equal(seen.keypoints_px[~exchanged], clean.keypoints_px[~exchanged])


def test_sway_moves_the_whole_image_by_three_sinusoids():
    clean = _still(3000)  # 100 s: whole periods of all three
    error = _error_percent(clean, detect(clean, DetectorErrors(sway_percent=12.0), np.random.default_rng(6)))
    assert np.ptp(error, axis=1).max() < 1e-9
    spectrum = 2 * np.abs(np.fft.rfft(error[:, 0], axis=0)) / 3000
    for hz in (0.3, 0.8, 1.7):
        assert np.allclose(spectrum[round(hz * 100)], 12.0, rtol=1e-6)
    assert np.isclose((spectrum**2).sum(), 2 * 3 * 12.0**2, rtol=1e-6)


@pytest.mark.parametrize(
    ("errors", "white", "correlated", "burst", "joints", "frames", "swaps", "sway"),
    [
        (CLEAN, 1, 0, 0, 0, 0, 0, 0), (NORMAL, 3, 2, 0, 0.03, 0.02, 0.01, 0),
        (HARD, 4, 4, 25, 0.10, 0.05, 0, 0), (SWAY, 3, 2, 0, 0.03, 0.02, 0.01, 12),
    ],
)  # fmt: skip
def test_the_conditions_measure_as_the_table_says(errors, white, correlated, burst, joints, frames, swaps, sway):
    clean = _still(9000)
    seen = detect(clean, errors, np.random.default_rng(7))
    lost = np.isnan(seen.keypoints_px[..., 0])
    assert np.isclose(lost.all(axis=1).mean(), frames, atol=0.008)
    assert np.isclose(lost[~lost.all(axis=1)].mean(), joints, atol=0.005)
    error = _error_percent(clean, seen)
    still_sides = ~_apart(clean, seen)
    if not sway:  # sway can move a frame nearer to its exchanged self
        assert np.isclose(1 - still_sides[~lost.all(axis=1)].mean(), swaps, atol=0.004)
    error = error[still_sides]
    if not sway:
        # Neighbouring frames share all but the white part; the median leaves out most of the bursts' edges.
        fast = 1.4826 * np.nanmedian(np.abs(np.diff(error, axis=0)))
        kept = np.exp(-1 / _RATE_HZ / 0.12)
        assert np.isclose(fast**2, 2 * white**2 + 2 * correlated**2 * (1 - kept), rtol=0.12 if burst else 0.05)
    whole = white**2 + correlated**2 + 0.05 * burst**2 + 3 * sway**2 / 2
    assert np.isclose(np.nanvar(error), whole, rtol=0.06)


def test_scores_follow_the_error():
    clean = _still(2000)
    seen = detect(clean, HARD, np.random.default_rng(8))
    error = np.linalg.norm(_error_percent(clean, seen), axis=-1)
    good, bad = seen.scores[error < 5], seen.scores[error > 40]
    assert good.mean() > 0.85
    assert bad.mean() < 0.3
    assert np.nanmin(seen.scores) >= 0.05
    assert np.nanmax(seen.scores) <= 1.0


def test_one_seed_gives_one_result():
    clean = _still(50)
    a, b, c = (detect(clean, HARD, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(a.keypoints_px, b.keypoints_px, equal_nan=True)
    assert not np.array_equal(a.keypoints_px, c.keypoints_px, equal_nan=True)


def test_a_body_without_hips_has_no_scale():
    clean = _still(10)
    points = np.array(clean.keypoints_px)
    points[:, 11] = np.nan
    with pytest.raises(InputError, match="hips"):
        detect(clean.replace(keypoints_px=points), CLEAN, np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [{"lost_joints": 1.5}, {"white_percent": -1.0}, {"correlation_s": 0.0}])
def test_errors_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        DetectorErrors(**wrong)


def test_filming_samples_the_motion_where_the_frames_are(make_moving):
    motion = make_moving(seed=2, frames=600, rate_hz=120.0)
    camera = look_at(np.array([6.0, -5.0, 1.5]), np.array([1.0, 0.0, 1.0]))
    shots = [
        film(motion, camera, phase_s=phase, errors=DetectorErrors(), rng=np.random.default_rng(0))
        for phase in (0.0, 0.0125)
    ]
    assert np.isclose(shots[0].rate_hz, 30.0)
    assert np.allclose(shots[1].time_s - shots[0].time_s[: shots[1].time_s.size], 0.0125)
    # Frame 0 of the first coincides with sample 0, of the second lies half-way between samples 1 and 2.
    dense = film(motion, camera, rate_hz=240.0, errors=DetectorErrors(), rng=np.random.default_rng(0))
    assert np.allclose(shots[0].keypoints_px, dense.keypoints_px[::8], atol=1e-6)
    assert np.allclose(shots[1].keypoints_px, dense.keypoints_px[3::8][: shots[1].time_s.size], atol=1e-3)


def test_filming_a_piece_starts_and_lasts_as_told(make_moving):
    motion = make_moving(frames=600, rate_hz=60.0)
    camera = look_at(np.array([6.0, -5.0, 1.5]), np.array([1.0, 0.0, 1.0]))
    shot = film(motion, camera, rate_hz=25.0, start_s=2.0, duration_s=3.0, rng=np.random.default_rng(0))
    assert shot.time_s[0] == 2.0
    assert np.isclose(shot.time_s[-1], 5.0)
    assert shot.image_size_px == camera.image_size_px
    with pytest.raises(InputError, match="two frames"):
        film(motion, camera, start_s=20.0, duration_s=1.0, rng=np.random.default_rng(0))


def test_a_frames_own_time_is_told_when_frames_are_irregular(make_moving):
    motion = make_moving(frames=1200, rate_hz=120.0)
    camera = look_at(np.array([8.0, -8.0, 1.5]), np.array([2.0, 0.0, 1.0]))
    errors = DetectorErrors(late_s=0.005, dropped=0.1)
    shot = film(motion, camera, errors=errors, rng=np.random.default_rng(1))
    assert np.isclose(shot.time_s.size, 0.9 * 300, rtol=0.08)
    nearest = shot.time_s - np.round(shot.time_s * 30) / 30
    assert np.isclose(nearest.std(), 0.005, rtol=0.2)
    dense = film(motion, camera, rate_hz=240.0, errors=DetectorErrors(), rng=np.random.default_rng(0))
    expected = np.stack([np.interp(shot.time_s, dense.time_s, dense.keypoints_px[:, 9, i]) for i in (0, 1)], axis=-1)
    assert np.allclose(shot.keypoints_px[:, 9], expected, atol=0.5)


def test_filming_is_far_faster_than_real_time(make_moving):
    motion = make_moving(frames=2400, rate_hz=120.0)  # 20 s
    points = coco17_world(motion)
    camera = look_at(np.array([15.0, -15.0, 1.5]), np.array([5.0, 0.0, 1.0]))
    frames, rng = np.arange(0.0, 19.9, 1 / 30), np.random.default_rng(0)
    took = []
    for _ in range(3):
        start = time.perf_counter()
        film_points(motion.time_s, points, camera, frames, errors=HARD, rng=rng)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.2  # a hundredth of real time, with room for a busy machine
