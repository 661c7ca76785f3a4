"""Takes for a window store, from a data set or a folder of recordings, brought to a recipe's contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kinebind._cache import user_cache
from kinebind.body.keypoints import coco17_world
from kinebind.body.quaternions import rotate
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.nn.channels import pose_array
from kinebind.nn.contract import Contract
from kinebind.nn.sentences import Remembered, sentence_encoder
from kinebind.poses import Poses
from kinebind.readers.sets import Channels, PersonTake, person_takes
from kinebind.readers.totalcapture_vicon import CalibratedCamera
from kinebind.recording import Recording
from kinebind.training.motion_takes import MOTION, motion_takes
from kinebind.training.recipe import Recipe
from kinebind.training.store import WindowStore, store_from_recordings
from kinebind.training.takes import Take, take_from_recording

RECORDINGS = "recordings"
"""The reader of a recipe that names none."""


def takes_from(reader: str, root: str | Path, contract: Contract) -> Iterator[Take]:
    """The takes of a data set under a folder, as `store_from_recordings` wants them.

    reader: one of `kinebind.readers.sets.SETS`; "" are recordings. Raises InputError as the set's readers do, and
    where a take cannot be brought to the contract.
    """
    for person in person_takes(reader or RECORDINGS, root):
        seen = seen_recording(person)
        if person.channels is None:
            yield take_from_recording(seen, contract)
        else:
            yield _take_from_channels(seen, person.channels, contract)


def store_for(recipe: Recipe, data: str | Path, folder: str | Path, *, jobs: int = 1) -> WindowStore:
    """A store of a data set's windows for a recipe, with the labels' sentences where its model learns text.

    jobs: processes that simulate, where anything is. Raises InputError where a reader that simulates nothing should
    draw several times, and as `takes_from`, `store_from_recordings` and, for text, `sentence_encoder` do.
    """
    encoder = Remembered(sentence_encoder(), user_cache() / "sentences") if recipe.sentence_size else None
    if recipe.data.reader == MOTION:
        takes = motion_takes(data, recipe.contract, recipe.sensor_sites, draws=recipe.data.draws, jobs=jobs)
    else:
        if recipe.data.draws > 1:
            raise InputError(
                f"[data] draws = {recipe.data.draws}, but reader '{recipe.data.reader}' simulates nothing.",
                f'Leave draws out, or read motion capture (reader = "{MOTION}").',
            )
        takes = takes_from(recipe.data.reader, data, recipe.contract)
    return store_from_recordings(takes, recipe.contract, folder, encoder)


def seen_recording(take: PersonTake) -> Recording:
    """The recording with its 2D track; where there is none, the motion as the take's camera sees it."""
    recording = take.recording
    if recording.people or take.camera is None:
        return recording
    return recording.replace(people=tuple(seen_by(motion, take.camera) for motion in recording.motions), motions=())


def seen_by(motion: Motion, camera: CalibratedCamera) -> Poses:
    """A motion's COCO-17 keypoints in a calibrated camera's image, on the motion's clock; outside it they are missing.

    The lens is taken to be without distortion, as pose estimators are trained on images without it.
    Raises InputError where the skeleton's joint names are unknown.
    """
    points = rotate(camera.rot_camera_from_world, coco17_world(motion) - camera.position_world)  # (T, 17, 3)
    depth = np.where(points[..., 2:] > 0.0, points[..., 2:], np.nan)
    pixels: FloatArray = camera.centre_px + camera.focal_px * points[..., :2] / depth
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels < camera.image_size_px)).all(axis=-1)
    pixels[~inside] = np.nan
    return Poses(
        motion.time_s, pixels, np.ones(pixels.shape[:2]), camera.image_size_px,
        notes=(*motion.notes, "3D motion, projected into a calibrated camera."),
    )  # fmt: skip


def _take_from_channels(recording: Recording, channels: Channels, contract: Contract) -> Take:
    """A take of published channels as they are: nothing of them is resampled, turned or scaled."""
    place = recording.name
    if contract.acc_unit != "file":
        raise InputError(
            f"{place}: the signals of this data set are no specific force; the contract wants {contract.acc_unit}.",
            'Use a recipe with acc_unit = "file", or simulate sensors from the set\'s motions (docs/datasets.md).',
        )
    if contract.imu_rate_hz != channels.rate_hz:
        raise InputError(
            f"{place}: the published signals have {channels.rate_hz:g} Hz, the contract {contract.imu_rate_hz:g}.",
            f"Set imu_rate_hz = {channels.rate_hz:g}.",
        )
    lacking = [name for name in contract.imu_channels if name not in channels.names]
    lacking += [part for part in contract.parts if part not in channels.sites]
    if lacking:
        raise InputError(
            f"{place}: the published signals have no {', '.join(lacking)}.",
            f"There are {', '.join(channels.names)} of {', '.join(channels.sites)}.",
        )
    rows = [channels.sites.index(part) for part in contract.parts]
    columns = [channels.names.index(name) for name in contract.imu_channels]
    imu = channels.values[np.ix_(rows, columns)].astype(np.float32)  # (N, C, T)
    (person,) = recording.people
    pose_s = np.arange(int(imu.shape[2] / channels.rate_hz * contract.pose_rate_hz + 1e-6)) / contract.pose_rate_hz
    pose = pose_array(contract, person.resample(pose_s).keypoints_px, person.image_size_px)
    return Take(place, imu, pose, recording.labels, recording.meta)
