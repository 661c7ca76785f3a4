"""A pose detector's errors, and a body filmed through them.

Amounts are in percent of the body's scale: the RMS distance of its keypoints to the middle of the hips, in
pixels, over the clip (`Poses.body_scale_px`). σ is per image axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from kinebind.body.camera import Camera, project
from kinebind.body.keypoints import coco17_world
from kinebind.body.segments import Posture
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.parts import COCO17_MIRROR
from kinebind.poses import Poses
from kinebind.resample import resample_vectors


@dataclass(frozen=True)
class DetectorErrors:
    """What a detector does wrong. All zero is a perfect one.

    white_percent: σ of noise that is independent from frame to frame. correlated_percent: σ of noise that
    decays with correlation_s (an Ornstein–Uhlenbeck process). burst_percent: σ of a displacement that a keypoint
    keeps for burst_s, as when something else is taken for it; each keypoint bursts by itself, at random times,
    for burst_share of the time. lost_joints, lost_frames: share of keypoints and of whole frames not found, each
    by itself (a lost frame stays in the list, as NaN). swapped: share of frames whose left and right keypoints
    are all exchanged. sway_percent: amplitude on each image axis of the whole image's motion at each frequency
    of sway_hz, with phases of their own. late_s: σ of the frames' irregularity; dropped: share of frames that
    the camera leaves out. Frames carry the times at which they were taken.
    """

    white_percent: float = 0.0
    correlated_percent: float = 0.0
    correlation_s: float = 0.12
    burst_percent: float = 0.0
    burst_s: float = 0.1
    burst_share: float = 0.05
    lost_joints: float = 0.0
    lost_frames: float = 0.0
    swapped: float = 0.0
    sway_percent: float = 0.0
    sway_hz: tuple[float, ...] = (0.3, 0.8, 1.7)
    late_s: float = 0.0
    dropped: float = 0.0

    def __post_init__(self) -> None:
        shares = ("burst_share", "lost_joints", "lost_frames", "swapped", "dropped")
        amounts = ("white_percent", "correlated_percent", "burst_percent", "sway_percent", "late_s")
        for name in (*shares, *amounts, "correlation_s", "burst_s"):
            value = getattr(self, name)
            if (
                not value >= 0.0
                or (name in shares and value >= 1.0)
                or (value == 0.0 and name in ("correlation_s", "burst_s"))
            ):
                raise InputError(f"{name} is {value}.", "Shares lie in 0..1, amounts are not negative.")


# The rows of the benchmarks' table of simulated conditions.
CLEAN = DetectorErrors(white_percent=1.0)
NORMAL = DetectorErrors(white_percent=3.0, correlated_percent=2.0, lost_joints=0.03, lost_frames=0.02, swapped=0.01)
HARD = DetectorErrors(white_percent=4.0, correlated_percent=4.0, burst_percent=25.0, lost_joints=0.10, lost_frames=0.05)
SWAY = replace(NORMAL, sway_percent=12.0)

_SCORE_WIDTH = 0.25  # error over the body's scale at which a score has fallen to 1/e of its best
_SCORE_BEST = 0.92


def detect(clean: Poses, errors: DetectorErrors, rng: np.random.Generator) -> Poses:
    """A perfect track as a detector would give it.

    Scores follow the error of each keypoint, 0.92·exp(−(error / 0.25 scale)²) with a spread of 0.05, between
    0.05 and 1; exchanged sides do not lower them, since a detector is as sure of these.
    Raises InputError where no frame shows both hips, so that the body has no scale.
    """
    scale = clean.body_scale_px()
    if not scale > 0.0:
        raise InputError("No frame shows both hips, so the body has no scale.", "Choose another camera or clip.")
    time_s, shape = clean.time_s, clean.keypoints_px.shape
    error = 0.01 * errors.white_percent * rng.normal(size=shape)
    if errors.correlated_percent:
        error += 0.01 * errors.correlated_percent * _correlated(time_s, errors.correlation_s, shape, rng)
    if errors.burst_percent:
        error += 0.01 * errors.burst_percent * _bursts(time_s, errors, shape, rng)
    keypoints = clean.keypoints_px + scale * error
    scores = _SCORE_BEST * np.exp(-(error**2).sum(axis=-1) / _SCORE_WIDTH**2) + rng.normal(0.0, 0.05, shape[:2])
    scores = np.clip(scores, 0.05, 1.0)

    swapped = np.flatnonzero(rng.uniform(size=shape[0]) < errors.swapped)
    keypoints[swapped] = keypoints[np.ix_(swapped, COCO17_MIRROR)]
    scores[swapped] = scores[np.ix_(swapped, COCO17_MIRROR)]
    keypoints += 0.01 * errors.sway_percent * scale * _sway(time_s, errors.sway_hz, rng)[:, None]
    lost = rng.uniform(size=shape[:2]) < errors.lost_joints
    lost |= rng.uniform(size=(shape[0], 1)) < errors.lost_frames
    keypoints[lost] = np.nan
    return clean.replace(keypoints_px=keypoints, scores=scores)


def film(
    motion: Motion | Posture,
    camera: Camera,
    *,
    rate_hz: float = 30.0,
    start_s: float | None = None,
    duration_s: float | None = None,
    phase_s: float = 0.0,
    errors: DetectorErrors = CLEAN,
    rng: np.random.Generator,
) -> Poses:
    """A body filmed: its keypoints at the frames' times, projected, with a detector's errors.

    Frames are taken at start_s + phase_s + k / rate_hz of the motion's clock, which is the video's clock here,
    as long as they lie within duration_s of start_s (by default the whole motion). The motion is interpolated by
    splines without low-pass: a shutter does not filter either, nor do frames see over gaps.
    Raises InputError where fewer than two frames lie inside the motion, and as `coco17_world` and `detect` do.
    """
    clip = motion.motion if isinstance(motion, Posture) else motion
    points = coco17_world(motion)
    begin = clip.time_s[0] if start_s is None else start_s
    end = clip.time_s[-1] if duration_s is None else begin + duration_s
    return film_points(
        clip.time_s, points, camera, frame_times(begin, end, rate_hz, phase_s, errors, rng), errors=errors, rng=rng
    )


def frame_times(
    start_s: float, end_s: float, rate_hz: float, phase_s: float, errors: DetectorErrors, rng: np.random.Generator
) -> FloatArray:
    """Times of a video's frames, seconds, strictly increasing; irregular and with frames left out as told."""
    count = int(np.floor((end_s - start_s - phase_s) * rate_hz + 1e-9)) + 1
    time_s = start_s + phase_s + np.arange(max(count, 0)) / rate_hz
    if errors.late_s:
        # Never beyond a third of a period either way, so that the order stays.
        time_s += np.clip(rng.normal(0.0, errors.late_s, time_s.size), -0.33 / rate_hz, 0.33 / rate_hz)
    return np.asarray(time_s[rng.uniform(size=time_s.size) >= errors.dropped])


def film_points(
    time_s: FloatArray,
    points_world: FloatArray,
    camera: Camera,
    frame_time_s: FloatArray,
    *,
    errors: DetectorErrors = CLEAN,
    rng: np.random.Generator,
) -> Poses:
    """Keypoints (T, 17, 3) known at time_s (T,), filmed at frame_time_s (U,); as `film`, from points of one's own."""
    frame_time_s = frame_time_s[(frame_time_s >= time_s[0] - 1e-9) & (frame_time_s <= time_s[-1] + 1e-9)]
    if frame_time_s.size < 2:
        raise InputError("Fewer than two frames lie inside the motion.", "Film longer or at a higher rate.")
    points = resample_vectors(time_s, points_world, frame_time_s, cutoff_hz=np.inf)
    pixels = project(points, camera, cut_to_image=True)
    scores = np.full(pixels.shape[:2], _SCORE_BEST)
    clean = Poses(frame_time_s, pixels, scores, image_size_px=camera.image_size_px)
    return detect(clean, errors, rng)


def _correlated(
    time_s: FloatArray, correlation_s: float, shape: tuple[int, ...], rng: np.random.Generator
) -> FloatArray:
    """Stationary noise of unit variance whose correlation falls as exp(−Δt / correlation_s)."""
    noise = rng.normal(size=shape)
    step = np.diff(time_s)
    if np.ptp(step) < 1e-6:  # a constant filter where frames are regular
        keep = float(np.exp(-np.mean(step) / correlation_s))
        noise[1:] *= np.sqrt(1.0 - keep**2)
        return np.asarray(lfilter([1.0], [1.0, -keep], noise, axis=0))
    keeps = np.exp(-step / correlation_s)
    for i, keep in enumerate(keeps, 1):
        noise[i] = keep * noise[i - 1] + np.sqrt(1.0 - keep**2) * noise[i]
    return noise


def _bursts(time_s: FloatArray, errors: DetectorErrors, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Displacements of unit variance that last `burst_s` each, for `burst_share` of the time; zero otherwise."""
    out = np.zeros(shape)
    # Bursts start as a Poisson process; the chance that none covers a moment is exp(−rate·burst_s).
    per_s = -np.log1p(-errors.burst_share) / errors.burst_s
    span = time_s[-1] - time_s[0] + errors.burst_s
    for k in range(shape[1]):
        count = rng.poisson(per_s * span)
        start = np.sort(rng.uniform(time_s[0] - errors.burst_s, time_s[-1], count))
        latest = np.searchsorted(start, time_s, side="right") - 1
        inside = (
            (latest >= 0) & (time_s - start[np.maximum(latest, 0)] < errors.burst_s) if count else np.zeros(0, bool)
        )
        if count:
            out[inside, k] = rng.normal(size=(count, shape[2]))[latest[inside]]
    return out


def _sway(time_s: FloatArray, sway_hz: tuple[float, ...], rng: np.random.Generator) -> FloatArray:
    """Sum of unit sinusoids on each image axis (T, 2), phases random."""
    phase = rng.uniform(0.0, 2.0 * np.pi, (len(sway_hz), 2))
    angle = 2.0 * np.pi * np.multiply.outer(time_s, np.array(sway_hz))[:, :, None] + phase
    return np.asarray(np.sin(angle).sum(axis=1))
