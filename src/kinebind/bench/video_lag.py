"""By how much poses come late: a real frame moved along a known path, found frame by frame, and the path's delay.

`pose_lag_ms`: the largest, over frames, of the delays at which the found body fits the path best; `pose_lag_signed_ms`
their mean, positive where poses are late. `pose_path_px`: RMS distance to the path at that delay.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import minimize_scalar

from kinebind.bench.made_video import write_video
from kinebind.clock import FloatArray
from kinebind.video.backend import Image, PoseBackend
from kinebind.video.frames import frames
from kinebind.video.video_people import video_people

_RATE_HZ = 30.0
_LASTS_S = 3.0
_PATH_HZ = (1.1, 0.7)  # across, down
_SHARE = 0.05  # of the picture's shorter side
_LARGEST_S = 0.2
_BORDER_S = 0.3  # of the path's ends, where delay and start are not told apart


def pose_lag(video: Path, backend: PoseBackend, folder: Path, *, shots: int = 3) -> dict[str, float]:
    """The figures of frames of a real video, spread over it; the videos of moved frames are made in the folder."""
    images = [frame.image for frame in frames(video)]
    lags, off = [], []
    for k in range(shots):
        image = images[(2 * k + 1) * len(images) // (2 * shots)]
        lag_s, rms_px = _lag_of(image, backend, folder / f"moved-{k}.mp4")
        lags.append(1e3 * lag_s)
        off.append(rms_px)
    return {
        "pose_lag_ms": float(np.abs(lags).max()), "pose_lag_signed_ms": float(np.mean(lags)),
        "pose_path_px": float(np.mean(off)),
    }  # fmt: skip


def _path_px(time_s: FloatArray, size_px: float) -> FloatArray:
    """(T, 2) where the frame lies at a time."""
    return _SHARE * size_px * np.stack([np.sin(2.0 * np.pi * hz * time_s) for hz in _PATH_HZ], axis=1)


def _lag_of(image: Image, backend: PoseBackend, path: Path) -> tuple[float, float]:
    """Delay, seconds, and RMS distance, pixels, of a frame's body to the path that the frame is moved along."""
    height, width = (side // 2 * 2 for side in image.shape[:2])
    size_px = float(min(height, width))
    moves = _path_px(np.arange(round(_LASTS_S * _RATE_HZ)) / _RATE_HZ, size_px)

    def moved(by: FloatArray) -> Image:
        one = np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]]])
        out = cv2.warpAffine(image, one, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(out, dtype=np.uint8)

    write_video((moved(by) for by in moves), path, _RATE_HZ)
    found = video_people(path, backend, cache=False, camera=False)
    person = max(found.people, key=lambda own: own.time_s.size)
    inside = (person.time_s > _BORDER_S) & (person.time_s < _LASTS_S - _BORDER_S)
    ever = np.isfinite(person.keypoints_px[inside, :, 0]).any(axis=0)
    time_s, points = person.time_s[inside], person.keypoints_px[inside][:, ever]
    # Each joint about its own middle, so that those seen now and then move nothing.
    at_rest = points - _path_px(time_s, size_px)[:, None]
    body = np.nanmedian(points - np.nanmedian(at_rest, axis=0), axis=1)

    def rms(delay_s: float) -> float:
        left = body - _path_px(time_s - delay_s, size_px)
        return float(np.sqrt(((left - left.mean(axis=0)) ** 2).sum(axis=1).mean()))

    best = minimize_scalar(rms, bounds=(-_LARGEST_S, _LARGEST_S), method="bounded", options={"xatol": 1e-5})
    return float(best.x), float(best.fun)
