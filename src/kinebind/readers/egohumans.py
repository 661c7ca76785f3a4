"""EgoHumans: several people seen by fixed cameras at 20 Hz, with SMPL bodies fitted to them. There is no real IMU.

A take is `{activity}/{take}/processed_data/` with one file a frame in `smpl/` (a dict person → global_orient,
body_pose, transl, betas) and in `poses2d/cam03/rgb/` (a list of human_name, keypoints). The inertial signals that were
published with MoBind are made from the bodies' skin by `published_imu`; they are no specific force and no rate, so
they are an array of channels, never an `Imu`. The bodies themselves, for a better simulation, are `Recording.motions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.poses import Poses
from kinebind.readers.pickles import read_npy
from kinebind.readers.smpl import smpl_motion
from kinebind.readers.smpl_model import JOINTS, PARENTS, BodyModel
from kinebind.recording import Label, Recording

RATE_HZ = 20.0
IMAGE_SIZE_PX = (3840, 2160)
ACTIVITIES = ("tagging", "lego", "fencing", "basketball", "volleyball", "badminton", "tennis")
PARTS = ("left_wrist", "right_wrist", "left_knee", "right_knee", "head")
"""Parts of the published signals, in their order."""
VERTICES = (1961, 5424, 1176, 4662, 411)
"""SMPL's vertices at which they are felt."""
BONES = (18, 19, 4, 5, 15)
"""SMPL's joints whose orientation they hold."""
STENCIL_FRAMES = 4

_SMPL, _POSES = "smpl", "poses2d/cam03/rgb"
_KEYS = {"global_orient": 3, "body_pose": 69, "transl": 3}
_Y_UP_FROM_Z_UP = Rotation.from_euler("x", -90, degrees=True)  # (x, y, z) becomes (x, z, −y)
_FIX = "Unpack the take again."


def split_of_take(number: int) -> str:
    """The split of a take by its number within its activity: 1–4 test, 5 val, 6 and up train.

    >>> [split_of_take(n) for n in (4, 5, 6)]
    ['test', 'val', 'train']
    """
    if number < 1:
        raise InputError(f"Take {number} cannot be.", "Takes are numbered from 1.")
    return "test" if number <= 4 else "val" if number == 5 else "train"


@dataclass(frozen=True)
class Take:
    """A take's folders. activity: one of `ACTIVITIES`. number: of the take in its activity. smpl, poses: frame files,
    by frame number."""

    activity: str
    number: int
    folder: Path
    smpl: Mapping[int, Path]
    poses: Mapping[int, Path]

    @property
    def name(self) -> str:
        """As "tagging_004"."""
        return f"{self.activity}_{self.number:03d}"


def egohumans_takes(root: str | Path) -> tuple[Take, ...]:
    """The takes under a folder, by activity and number; raises InputError where two folders are the same take."""
    takes: dict[tuple[int, int], Take] = {}
    for processed in sorted(Path(root).rglob("processed_data")):
        folder = processed.parent
        activity = next((a for a in ACTIVITIES if a in folder.parent.name.lower() or a in folder.name.lower()), None)
        number = re.match(r"0*(\d+)", folder.name)
        if activity is None or number is None or not processed.is_dir():
            continue
        key = ACTIVITIES.index(activity), int(number[1])
        if key in takes:
            raise InputError(f"{takes[key].folder} and {folder} are the same take.", "Remove one.")
        takes[key] = Take(activity, key[1], folder, _frames(processed / _SMPL), _frames(processed / _POSES))
    return tuple(takes[key] for key in sorted(takes))


def _frames(folder: Path) -> dict[int, Path]:
    return {int(f.stem): f for f in sorted(folder.glob("*.npy")) if f.stem.isdigit()}


@dataclass(frozen=True, eq=False)
class Body:
    """One person's SMPL body. frame (T,): numbers, from 1, with gaps where the person was not fitted. rotvec
    (T, 24, 3) radians, trans (T, 3) metres, betas (10,). joints (T, 24, 3) and points (T, 5, 3): metres, the skin
    at `VERTICES`; None where the files do not hold them."""

    person: str
    frame: np.ndarray
    rotvec: FloatArray
    trans: FloatArray
    betas: FloatArray
    joints: FloatArray | None
    points: FloatArray | None


def read_bodies(take: Take) -> tuple[Body, ...]:
    """The people of a take who are fitted in two frames or more; the shape is that of their first frame, as published.

    Raises InputError for damaged frames (naming the file), and where nobody is fitted.
    """
    rows: dict[str, list[tuple[int, dict[str, FloatArray]]]] = {}
    for number, path in take.smpl.items():
        content = read_npy(path)
        if not isinstance(content, dict):
            raise InputError(f"{path} holds no people by name.", _FIX)
        for person, values in content.items():
            rows.setdefault(str(person), []).append((number, _one_fit(values, path)))
    bodies = tuple(_body(person, seen) for person, seen in sorted(rows.items()) if len(seen) > 1)
    if not bodies:
        raise InputError(f"{take.folder} has no person with SMPL fits in two frames.", _FIX)
    return bodies


def _one_fit(values: Any, path: Path) -> dict[str, FloatArray]:
    try:
        fit = {name: np.asarray(values[name], dtype=np.float64).ravel() for name in (*_KEYS, "betas")}
        for name, size in _KEYS.items():
            if fit[name].size != size:
                raise ValueError(f"{name} has {fit[name].size} numbers, not {size}")
        for name, index in (("joints", range(len(JOINTS))), ("vertices", VERTICES)):
            if name in values:
                fit[name] = np.asarray(values[name], dtype=np.float64).reshape(-1, 3)[list(index)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not hold a person's SMPL fit: {error}.", _FIX) from error
    if fit["betas"].size < 10:
        raise InputError(f"{path} has {fit['betas'].size} shape coefficients, not 10.", _FIX)
    return fit


def _body(person: str, seen: Sequence[tuple[int, dict[str, FloatArray]]]) -> Body:
    fits = [fit for _, fit in seen]

    def stacked(name: str) -> FloatArray | None:
        return np.stack([fit[name] for fit in fits]) if all(name in fit for fit in fits) else None

    rotvec = np.stack([np.concatenate([fit["global_orient"], fit["body_pose"]]) for fit in fits])
    return Body(
        person, np.array([number for number, _ in seen]), rotvec.reshape(-1, len(JOINTS), 3),
        np.stack([fit["transl"] for fit in fits]), fits[0]["betas"][:10], stacked("joints"), stacked("vertices"),
    )  # fmt: skip


def published_imu(body: Body, body_model: BodyModel | None = None) -> FloatArray:
    """The inertial channels as published, (T, 5, 7): acceleration m/s² without gravity, quaternion w first.

    Rows are the body's frames, columns of the second axis `PARTS`. Both are in a world with y up, (x, y, z) →
    (x, z, −y) of the file's. The acceleration is the second difference of a vertex over `STENCIL_FRAMES` each way
    (`published_acceleration`), run by run of consecutive frames: gaps are not joined. Quaternions have w ≥ 0.
    Vertices come from the body model, or from the files where none is given and they hold them.
    Raises InputError where there are neither.
    """
    if body_model is not None:
        points = body_model.vertices(body.rotvec, body.trans, body.betas, VERTICES)
    elif body.points is not None:
        points = body.points
    else:
        raise InputError(
            f"The files of '{body.person}' hold no vertices.", "Give the SMPL body model (smpl_model.read_body_model)."
        )
    acc = np.empty_like(points)
    for run in np.split(np.arange(body.frame.size), np.flatnonzero(np.diff(body.frame) != 1) + 1):
        acc[run] = published_acceleration(points[run])
    out = np.empty((body.frame.size, len(PARTS), 7))
    out[..., :3] = _Y_UP_FROM_Z_UP.apply(acc.reshape(-1, 3)).reshape(acc.shape)
    world: list[Rotation] = []
    for joint, parent in enumerate(PARENTS):
        own = Rotation.from_rotvec(body.rotvec[:, joint])
        world.append(own if parent < 0 else world[parent] * own)
    for k, joint in enumerate(BONES):
        quat = (_Y_UP_FROM_Z_UP * world[joint]).as_quat()
        out[:, k, 3:] = np.where(quat[:, 3:] < 0, -quat, quat)[:, [3, 0, 1, 2]]
    return out


def published_acceleration(points: FloatArray) -> FloatArray:
    """Second differences of points (T, ..., 3) at 20 Hz as published: over 4 frames each way, near the ends over 1.

    Units of the points per s². The first and the last frame are zero, as in the published arrays.
    """
    acc, n = np.zeros_like(points), STENCIL_FRAMES
    acc[1:-1] = (points[2:] - 2 * points[1:-1] + points[:-2]) * RATE_HZ**2
    if len(points) > 2 * n:
        acc[n:-n] = (points[2 * n :] - 2 * points[n:-n] + points[: -2 * n]) * (RATE_HZ / n) ** 2
    return acc


def read_egohumans(take: Take, *, body_model: BodyModel | None = None, up: str | None = None) -> Recording:
    """A take: 2D tracks of camera 3 as `people`, SMPL bodies as `motions`, the activity as a label.

    Names are those of the data set. Frame k of a file is at (k − 1)/20 s; frames without a person are absent from
    that person's streams, not zeros. body_model, up: as in `kinebind.readers.smpl.read_smpl`.
    Raises InputError for damaged frames, and where nobody is seen or fitted in two frames.
    """
    people = _people(take)
    motions = tuple(_motion(body, take, body_model, up) for body in read_bodies(take))
    end_s = max(float(stream.time_s[-1]) for stream in (*people, *motions))
    return Recording(
        people=people, motions=motions, labels=(Label(0.0, end_s, take.activity),), name=take.name,
        meta={"activity": take.activity, "take": str(take.number), "split": split_of_take(take.number)},
    )  # fmt: skip


def _motion(body: Body, take: Take, model: BodyModel | None, up: str | None) -> Motion:
    motion = smpl_motion(
        (body.frame - 1) / RATE_HZ, body.rotvec, body.trans, betas=body.betas, joints=body.joints, up=up,
        body_model=model, name=body.person,
        notes=(f"SMPL fits to the cameras of {take.name}, in a world taken to have z up.",),
    )  # fmt: skip
    return motion


def _people(take: Take) -> tuple[Poses, ...]:
    rows: dict[str, list[tuple[int, FloatArray]]] = {}
    for number, path in take.poses.items():
        content = read_npy(path)
        # numpy stores an empty list as an array of numbers.
        nobody = isinstance(content, np.ndarray) and content.size == 0
        for person in content if isinstance(content, list) else [] if nobody else [content]:
            try:
                points = np.asarray(person["keypoints"], dtype=np.float64)
                name = str(person["human_name"])
                if points.ndim != 2 or len(points) < 17 or points.shape[1] not in (2, 3):
                    raise ValueError(f"keypoints have the shape {points.shape}")
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise InputError(f"{path} does not hold people with keypoints: {error}.", _FIX) from error
            rows.setdefault(name, []).append((number, points[:17]))
    out = []
    for name, seen in sorted(rows.items()):
        frame, points = np.array([number for number, _ in seen]), np.stack([p for _, p in seen])
        if frame.size < 2 or (np.diff(frame) == 0).any():
            continue
        xy = points[..., :2].copy()
        xy[(xy == 0).all(axis=-1) | ~np.isfinite(xy).all(axis=-1)] = np.nan
        scores = points[..., 2].clip(0.0) if points.shape[2] == 3 else np.ones(xy.shape[:2])
        out.append(Poses((frame - 1) / RATE_HZ, xy, scores, IMAGE_SIZE_PX, name))
    if not out:
        raise InputError(f"{take.folder} shows nobody in two frames of {_POSES}.", _FIX)
    return tuple(out)
