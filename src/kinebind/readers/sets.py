"""Data sets as takes of one person each, whatever their files: what windows for training and tests are cut from.

A set's module knows its files; here is what all sets have in common, so that nothing above needs their names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.readers import egohumans, mri, totalcapture
from kinebind.readers.mmfit import mmfit_workouts
from kinebind.readers.openpack_sessions import openpack_sessions
from kinebind.readers.smpl_model import BodyModel, read_body_model
from kinebind.readers.totalcapture_vicon import CalibratedCamera, read_totalcapture_cameras
from kinebind.recording import Recording
from kinebind.store import SUFFIX, load

_log = logging.getLogger("kinebind")


@dataclass(frozen=True, eq=False)
class Channels:
    """Signals that a set publishes and that no sensor feels, so that they can be no `Imu`.

    values (N, C, T) float64, missing is NaN: sample k is at k / rate_hz seconds of the recording's clock.
    sites: of the N signals. names: of the C channels, as `kinebind.nn.IMU_CHANNELS` has them.
    """

    values: FloatArray
    sites: tuple[str, ...]
    names: tuple[str, ...]
    rate_hz: float


@dataclass(frozen=True, eq=False)
class PersonTake:
    """One person in one take.

    recording: with that person's sensors, and either the 2D track or a motion that `camera` filmed. Its meta has what
    a recipe splits by. Where several people were filmed together, their takes share meta["scene"], each has its name
    in meta["person"], and their clocks are one. channels: stand in for the sensors of a set that has none.
    """

    recording: Recording
    camera: CalibratedCamera | None = None
    channels: Channels | None = None


def person_takes(name: str, root: str | Path) -> Iterator[PersonTake]:
    """The takes of a data set under a folder, one person each; name: one of `SETS`.

    Raises InputError for an unknown name, a folder that does not exist or holds nothing of the set, and as the set's
    readers do.
    """
    if name not in SETS:
        raise InputError(f"There is no reader of a data set called '{name}'.", f"Use one of: {', '.join(SETS)}.")
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name the folder into which the data were unpacked.")
    found = False
    for take in SETS[name](folder):
        found = True
        yield take
    if not found:
        raise InputError(
            f"{folder} holds nothing that the reader '{name}' knows.",
            f"Name a folder of .kinebind files, or with [data] reader in the recipe another of: {', '.join(SETS)}."
            if name == "recordings"
            else "`kinebind data check` tells what a folder holds.",
        )


def _recordings(root: Path) -> Iterator[PersonTake]:
    for path in sorted(root.rglob(f"*{SUFFIX}")):
        recording = load(path)
        place = path.parent.relative_to(root).as_posix()
        told = {"file": path.stem, "folder": root.resolve().name if place == "." else place}
        name = path.relative_to(root).with_suffix("").as_posix()
        yield PersonTake(recording.replace(name=name, meta=told | recording.meta))


def _mri(root: Path) -> Iterator[PersonTake]:
    absent = []
    for subject in mri.mri_subjects(root):
        if not subject.sensors and subject.labels is None and subject.poses is None:
            absent.append(str(subject.number))
            continue
        yield PersonTake(mri.read_mri(subject))
    if 0 < len(absent) < len(mri.SUBJECTS):
        _log.warning("Of these subjects there is nothing: %s.", ", ".join(absent))


def _totalcapture(root: Path) -> Iterator[PersonTake]:
    takes = totalcapture.totalcapture_takes(root)
    files = [p for p in sorted(root.rglob("calibration*")) if p.is_file() and p.suffix in (".cal", ".txt")]
    if takes and not files:
        raise InputError(
            f"{root} has no calibration of the cameras, which the bodies are seen through.",
            "Unpack it too; `kinebind data check` tells what else is missing.",
        )
    for take in takes:
        if take.sensors is None or take.vicon is None:
            missing = "no .sensors file" if take.sensors is None else "no Vicon body"
            raise InputError(
                f"{take.subject} {take.name} has {missing}.", "`kinebind data check` tells what is missing."
            )
        # The published pipeline does not say which of the eight cameras it takes; the first is our choice.
        yield PersonTake(totalcapture.read_totalcapture(take), camera=read_totalcapture_cameras(files[0])[0])


_SITE_OF_KNEE = {"left_knee": "left_shank", "right_knee": "right_shank"}
_PUBLISHED = ("acc_x", "acc_y", "acc_z", "quat_w", "quat_x", "quat_y", "quat_z")


def _egohumans(root: Path) -> Iterator[PersonTake]:
    takes = egohumans.egohumans_takes(root)
    models = sorted(p for p in root.glob("*") if p.stem.lower().startswith("smpl") and p.suffix in (".npz", ".pkl"))
    model = read_body_model(models[0]) if takes and models else None
    for take in takes:
        yield from _egohumans_people(take, model)


def _egohumans_people(take: egohumans.Take, model: BodyModel | None) -> Iterator[PersonTake]:
    """All people of a take on the frames from its first to its last, so that their windows stand at the same times."""
    whole = egohumans.read_egohumans(take, body_model=model)
    frames = max(max(take.smpl), max(take.poses))
    sites = tuple(_SITE_OF_KNEE.get(part, part) for part in egohumans.PARTS)
    seen = {track.person for track in whole.people}
    for body in egohumans.read_bodies(take):
        if body.person not in seen:
            continue
        values = np.full((len(sites), len(_PUBLISHED), frames), np.nan)
        values[:, :, body.frame - 1] = egohumans.published_imu(body, model).transpose(1, 2, 0)
        number = egohumans.ACTIVITIES.index(take.activity) + 1
        told = {"scene": take.name, "person": body.person, "activity_number": str(number)}
        yield PersonTake(
            whole.replace(
                people=(whole.person(body.person),), motions=(), name=f"{take.name}_{body.person}",
                meta=whole.meta | told,
            ),
            channels=Channels(values, sites, _PUBLISHED, egohumans.RATE_HZ),
        )  # fmt: skip


def _openpack(root: Path) -> Iterator[PersonTake]:
    blind = []
    for session in openpack_sessions(root):
        if session.people:
            yield PersonTake(session)
        else:
            blind.append(session.name)
    if blind:
        _log.warning("These sessions have no keypoints, and are left out: %s.", ", ".join(blind))


def _mmfit(root: Path) -> Iterator[PersonTake]:
    for workout in mmfit_workouts(root):
        if workout.people:
            yield PersonTake(workout)
        else:
            _log.warning("%s has no 2D poses, and is left out.", workout.name)


SETS: Mapping[str, Callable[[Path], Iterator[PersonTake]]] = {
    "recordings": _recordings, "mri": _mri, "totalcapture": _totalcapture, "egohumans": _egohumans,
    "openpack": _openpack, "mmfit": _mmfit,
}  # fmt: skip
"""Readers by the name that a recipe's [data] reader has; "recordings" are .kinebind files, one person each."""
