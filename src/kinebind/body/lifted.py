"""Joints of the body that a camera has seen in 3D, as motion: from a pose model's guess, or from several cameras.

A pose model guesses where the joints are, in metres about the middle of the hips (`lift`). That guess has no place in
the room. Where the 2D keypoints are known too, the size of the 3D body against the 2D one gives the metres of a pixel,
and with them how the body moves sideways, up and down. Towards the camera and away from it the body stays where it
is, since that would need the camera's focal length. The picture's down is taken as gravity's, turned by the camera's
tilt where that is told. Bones are as long as the model thinks: of an average adult more than of this one.

Both ways end in joint positions alone. So the head has no turn but where it points, feet turn with the shanks
(COCO-17 has no toes), and limbs do not twist (`kinebind.body.segments`).
"""

from __future__ import annotations

import numpy as np

from kinebind.clock import FloatArray, check_time, floats
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.parts import COCO17
from kinebind.resample import default_max_gap_s, low_pass, over_runs, resample_vectors, whole_rows

SMOOTHED_HZ = 5.0
"""−3 dB point of the smoothing. A pose model's guess jitters by some 5 mm, which at 30 frames/s comes out as 1.7 m/s²
of acceleration noise at 5 Hz, and as 10 m/s² at 10 Hz (`kinebind.body.imu_geometry.smoothing_cutoff_hz` has the
rule); limbs have little above 5 Hz."""
BRIDGED_S = 0.25
"""Longest time without a joint that is bridged: little longer than half a period of what the smoothing leaves."""
LIMB_JOINTS: tuple[str, ...] = COCO17[5:]
"""The twelve joints without which there is no motion: shoulders, elbows, wrists, hips, knees, ankles."""
JOINTS: tuple[str, ...] = ("pelvis", "neck", *LIMB_JOINTS, "head")
"""Joints of a lifted motion; the head is left out where it is not always known."""

_PARENT = {
    "neck": "pelvis", "head": "neck",
    **{f"{side}_{joint}": parent if parent in ("neck", "pelvis") else f"{side}_{parent}"
       for side in ("left", "right")
       for joint, parent in (("shoulder", "neck"), ("elbow", "shoulder"), ("wrist", "elbow"),
                             ("hip", "pelvis"), ("knee", "hip"), ("ankle", "knee"))},
}  # fmt: skip
_ORDER = 2  # of the low-pass, run forwards and backwards: little ringing at an impact, as gait laboratories have it
_SCALE_HZ = 0.5
"""How fast the metres of a pixel may change: with the distance to the camera, not with each frame's error."""
_FEWEST = 6  # joints of a frame that tell its scale


def motion_from_joints(
    time_s: FloatArray, coco17_world_m: FloatArray, name: str = "motion", *, smoothed_hz: float = SMOOTHED_HZ
) -> Motion:
    """The motion of joints (T, 17, 3) in metres, world z up, at times (T,), as triangulation gives them.

    Evenly spaced at the median rate and low-passed at `smoothed_hz`, without delay. A joint that is missing for up to
    `BRIDGED_S` is bridged; where it is missing for longer all joints are NaN, and so motion is cut there.
    Raises InputError for other shapes, and where no joint of a limb is ever known.
    """
    t = check_time(time_s)
    points = floats(coco17_world_m, "coco17_world_m")
    if points.shape != (t.size, len(COCO17), 3):
        raise InputError(f"The joints of '{name}' have shape {points.shape}.", f"It must be ({t.size}, 17, 3).")
    step_s = float(np.median(np.diff(t)))
    even_s = t[0] + step_s * np.arange(int((t[-1] - t[0]) / step_s + 1e-6) + 1)
    even = resample_vectors(t, points, even_s, max_gap_s=max(BRIDGED_S + step_s, default_max_gap_s(t)))
    limbs, ears = even[:, 5:], even[:, [COCO17.index("left_ear"), COCO17.index("right_ear")]].mean(axis=1)
    whole = whole_rows(limbs)
    if not whole.any():
        raise InputError(f"'{name}' has no time at which all twelve limb joints are known.", "Film the whole body.")
    at = dict(zip(LIMB_JOINTS, np.moveaxis(limbs, 1, 0), strict=True))
    at["pelvis"] = 0.5 * (at["left_hip"] + at["right_hip"])
    at["neck"] = 0.5 * (at["left_shoulder"] + at["right_shoulder"])
    at["head"] = ears
    notes = [
        f"Joint positions are smoothed at {smoothed_hz:g} Hz; gaps of up to {BRIDGED_S:g} s are bridged.",
        "The base of the neck is taken as the middle between the shoulders.",
    ]
    joints = JOINTS if whole_rows(ears)[whole].all() else JOINTS[:-1]
    position = np.stack([at[joint] for joint in joints], axis=1)
    position[~whole] = np.nan
    smooth = over_runs(position, lambda run: low_pass(run, 1.0 / step_s, smoothed_hz, order=_ORDER))
    parents = tuple(joints.index(_PARENT[joint]) if joint in _PARENT else -1 for joint in joints)
    skeleton = Skeleton(joints, parents, np.full((len(joints), 3), np.nan))
    return Motion(even_s, skeleton, position_world=smooth, name=name, notes=tuple(notes))


def lift(
    time_s: FloatArray,
    world_m: FloatArray,
    name: str = "motion",
    *,
    keypoints_px: FloatArray | None = None,
    tilt_deg: float = 0.0,
    smoothed_hz: float = SMOOTHED_HZ,
) -> Motion:
    """The motion of one person whom one camera has seen, from a pose model's guess in 3D; see the module's head.

    world_m (T, 17, 3): metres about the middle of the hips, x to the picture's right, y down, z away from the camera.
    keypoints_px (T, 17, 2): the same joints in pixels; a joint that is missing there was not seen, and its guess is
    dropped, save the head's. tilt_deg: how far the camera looks down. Smoothing and gaps as in `motion_from_joints`.
    The world has x to the picture's right, y away from the camera and z up.
    Raises InputError for other shapes, and where the twelve limb joints are never known together.
    """
    t, points = check_time(time_s), floats(world_m, "world_m")
    if points.shape != (t.size, len(COCO17), 3):
        raise InputError(f"world_m of '{name}' has shape {points.shape}.", f"It must be ({t.size}, 17, 3).")
    note = "There were no 2D keypoints: the hips stay in place."
    if keypoints_px is not None:
        pixels = floats(keypoints_px, "keypoints_px")
        if pixels.shape != (t.size, len(COCO17), 2):
            raise InputError(f"keypoints_px of '{name}' has shape {pixels.shape}.", f"It must be ({t.size}, 17, 2).")
        points[:, 5:][np.isnan(pixels[:, 5:, 0])] = np.nan
        points[..., :2] += _translation_m(t, points, pixels)[:, None]
        note = "Sideways, up and down the body moves as in the picture; towards the camera it stays in place."
    motion = motion_from_joints(t, _z_up(points, tilt_deg), name, smoothed_hz=smoothed_hz)
    return motion.replace(notes=(*motion.notes, note))


def _z_up(camera: FloatArray, tilt_deg: float) -> FloatArray:
    """Points (..., 3) of the axes of a camera that looks down by `tilt_deg`, in a world with z up."""
    sine, cosine = np.sin(np.deg2rad(tilt_deg)), np.cos(np.deg2rad(tilt_deg))
    right, down, away = np.moveaxis(camera, -1, 0)
    return np.stack([right, cosine * away - sine * down, -(cosine * down + sine * away)], axis=-1)


def _translation_m(t: FloatArray, points: FloatArray, pixels: FloatArray) -> FloatArray:
    """Where the hips are (T, 2), metres to the right of and below where they usually are; NaN where unknown.

    Weak perspective: pixels = (points + hips) / scale. The scale, metres of a pixel, is that of the joints about
    their middle, slowly changing.
    """
    known = np.isfinite(points[:, 5:]).all(axis=2) & np.isfinite(pixels[:, 5:]).all(axis=2)  # (T, 12)
    enough = known.sum(axis=1) >= _FEWEST
    weight = np.where(known & enough[:, None], 1.0, np.nan)[..., None]
    with np.errstate(invalid="ignore"):
        flat, seen = _mean(weight * points[:, 5:, :2]), _mean(weight * pixels[:, 5:])
        in_m = np.linalg.norm(weight * points[:, 5:, :2] - flat[:, None], axis=2)
        in_px = np.linalg.norm(weight * pixels[:, 5:] - seen[:, None], axis=2)
        ratio = np.sqrt(np.nansum(in_m**2, axis=1) / np.nansum(in_px**2, axis=1))
    good = np.isfinite(ratio)
    if np.count_nonzero(good) < 2:
        return np.full((t.size, 2), np.nan)
    # Where nothing is seen the scale stays between what it was before and what it is afterwards.
    rate_hz = float(1.0 / np.median(np.diff(t)))
    even_s = np.linspace(t[0], t[-1], max(round((t[-1] - t[0]) * rate_hz) + 1, 2))
    slow = np.exp(low_pass(np.log(np.interp(even_s, t[good], ratio[good])), rate_hz, _SCALE_HZ, order=_ORDER))
    scale = np.interp(t, even_s, slow)
    centre_px = np.nanmedian(seen, axis=0)
    return np.asarray((seen - centre_px) * scale[:, None] - flat)


def _mean(values: FloatArray) -> FloatArray:
    """The mean of values (T, K, D) over those that are known, (T, D); NaN where none is."""
    count = np.isfinite(values).sum(axis=1)
    return np.asarray(np.nansum(values, axis=1) / np.where(count > 0, count, np.nan))
