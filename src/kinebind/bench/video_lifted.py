"""How much of what a worn sensor would have felt is in a motion that was lifted from video.

Ideal sensors, without errors and at the same places of the body, are simulated from the lifted motion and from a true
one of the same person on the same clock, such as joints that four calibrated cameras triangulate
(`kinebind.body.lifted.motion_from_joints`). Only the sizes of the readings are compared: they do not depend on how a
sensor is mounted, nor on the world's heading.

`video_imu_r`: the mean correlation over people, cameras, sites and both readings, of one camera's lifted pose against
what all four triangulate, with nothing told but the video; `video_imu_acc_r` and `video_imu_gyr_r` of either reading,
`video_imu_wrist_r` of the wrists alone, and `video_imu_cases` how many tracks were long enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinebind.bench.video_real import Filmed
from kinebind.bench.views import agreed
from kinebind.body.imu_geometry import ideal_kinematics
from kinebind.body.lifted import SMOOTHED_HZ, lift, motion_from_joints
from kinebind.body.segments import Posture, posture
from kinebind.body.sites import site_trajectory
from kinebind.clock import FloatArray, overlap_s
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.resample import low_pass, over_runs

SITES: tuple[str, ...] = (
    "chest", "pelvis", "left_upper_arm", "right_upper_arm", "left_wrist", "right_wrist", "left_thigh", "right_thigh",
    "left_shank", "right_shank",
)  # fmt: skip
"""Sites whose segments joint positions alone tell: not the head's, nor the feet's."""
RATE_HZ = 100.0
_PATH_HZ = 10.0  # smoothing of both paths, above the comparison's own
_SHORTEST_S = 1.0


def lifted_figures(found: Filmed) -> dict[str, float]:
    """The figures of people before calibrated cameras."""
    each: list[dict[str, float]] = []
    for p, own in enumerate(found.people):
        time_s = found.videos[own[0][0]].time_s[: found.tracks[0].shape[1]]
        true = motion_from_joints(time_s, agreed(found.views, found.of(p)))
        for v, n in own:
            video = found.videos[v]
            person = video.people[n]
            rows = np.searchsorted(video.time_s, person.time_s - 1e-6)
            inside = rows < time_s.size
            points, guess = person.keypoints_px[inside], video.world_m[person.person][inside]
            try:
                # All cameras show a frame of a number at the same time.
                motion = lift(time_s[rows[inside]], guess, keypoints_px=points)
                each.append(imu_r(motion, true))
            except InputError:  # too short, or never seen whole
                continue
    out = {"video_imu_cases": float(len(each))}
    for key, wanted in (("_acc", "_acc"), ("_gyr", "_gyr"), ("_wrist", "wrist_"), ("", "")):
        values = [r for one in each for name, r in one.items() if name != "mean" and wanted in name]
        if values:
            out[f"video_imu{key}_r"] = float(np.nanmean(values))
    return out


def imu_r(lifted: Motion, true: Motion, sites: Sequence[str] = SITES) -> dict[str, float]:
    """Pearson's correlation of ideal sensors' readings between two motions of one person on one clock.

    For each site "SITE_acc" is that of |specific force| and "SITE_gyr" that of |angular rate|, and "mean" is the mean
    of them all. Both motions are read at the same times, 100 a second, where both are known, and both readings are
    low-passed at `SMOOTHED_HZ`. NaN where either does not change.
    Raises InputError where the motions share less than a second, and for sites that a skeleton lacks.
    """
    start_s, end_s = overlap_s(lifted.time_s, true.time_s)
    at_s = np.arange(start_s, end_s, 1.0 / RATE_HZ)
    bodies = [posture(lifted), posture(true)]
    out: dict[str, float] = {}
    for site in sites:
        ours, theirs = (_sizes(body, site, at_s) for body in bodies) if at_s.size else (np.zeros((0, 2)),) * 2
        known = np.isfinite(ours).all(axis=1) & np.isfinite(theirs).all(axis=1)
        if np.count_nonzero(known) < _SHORTEST_S * RATE_HZ:
            raise InputError(
                f"The {site.replace('_', ' ')} of both motions is known for less than {_SHORTEST_S:g} s.",
                "Give motions on one clock.",
            )
        for k, kind in enumerate(("acc", "gyr")):
            out[f"{site}_{kind}"] = _correlation(ours[known, k], theirs[known, k])
    out["mean"] = float(np.mean(list(out.values())))
    return out


def _sizes(body: Posture, site: str, at_s: FloatArray) -> FloatArray:
    """|specific force| and |angular rate| (U, 2) of an ideal sensor at times (U,), low-passed; NaN where unknown."""
    path = site_trajectory(body, site)
    felt = ideal_kinematics(
        path.time_s, path.position_world[:, None], path.rot_world_from_segment[:, None], at_s, cutoff_hz=_PATH_HZ
    )
    sizes = np.stack([np.linalg.norm(v[:, 0], axis=1) for v in (felt.acc_segment, felt.gyr_segment)], axis=1)
    return np.asarray(over_runs(sizes, lambda run: low_pass(run, RATE_HZ, SMOOTHED_HZ)))


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0.0 else float("nan")
