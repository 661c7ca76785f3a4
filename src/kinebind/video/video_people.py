"""Everything that a video is turned into: its people, the camera's motion, and the file that holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind._cache import sha256_of, user_cache
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.readers.poses_npz import write_npz
from kinebind.video.backend import PoseBackend
from kinebind.video.camera_motion import apply, steady_from_image
from kinebind.video.found import FrameFound
from kinebind.video.frames import Damage, VideoInfo, video_info
from kinebind.video.look_through import VERSION, Progress, forget, look_through
from kinebind.video.people import Person, people_of, poses_of

NOBODY_FIX = (
    "Check that people are in the picture, large enough (a tenth of its height) and lit; "
    "--pose-model takes another model's file."
)


@dataclass(frozen=True, eq=False)
class VideoPeople:
    """The people of a video, as pose files keep them.

    people: tracks in the video's own pixels, longest first. world_m: by name, (T, 17, 3) of each track's frames,
    metres about the middle of the hips as the backend guesses them. time_s (F,): all frames. steady_from_image
    (F, 2, 3): maps of their pixels to those of one steady picture. cuts_s: when new shots begin. later_s:
    by how much all these times are later than the file's.
    """

    info: VideoInfo
    people: tuple[Poses, ...]
    world_m: Mapping[str, FloatArray]
    time_s: FloatArray
    steady_from_image: FloatArray
    cuts_s: tuple[float, ...]
    backend: str
    later_s: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether the camera moved."""
        return bool((self.steady_from_image != np.eye(2, 3)).any())

    def steady(self) -> tuple[Poses, ...]:
        """The tracks with the camera's own motion taken out, as an aligner needs them."""
        if not self.moved:
            return self.people
        out = []
        for person in self.people:
            maps = self.steady_from_image[np.searchsorted(self.time_s, person.time_s - 1e-9)]
            notes = (*person.notes, "The camera's own motion is taken out.")
            out.append(person.replace(keypoints_px=apply(maps, person.keypoints_px), notes=notes))
        return tuple(out)


def video_people(
    path: str | Path,
    backend: PoseBackend,
    *,
    cache: bool = True,
    merge: Sequence[tuple[str, str]] = (),
    split: Sequence[tuple[str, float]] = (),
    camera: bool = True,
    later_s: float = 0.0,
    progress: Progress | None = None,
) -> VideoPeople:
    """Find and follow the people of a video.

    cache: keep what is seen in the frames in the user's cache, by the file's content: a second run takes it from
    there, and one that was stopped goes on. merge: pairs of people who are one. split: people and the time, seconds,
    from which a track is somebody else. camera: take out the camera's own motion. later_s: added to the frames'
    times, for a camera whose times are known to be early.
    Raises InputError where the video cannot be read, nobody is found, or a person that is named does not exist.
    """
    path = Path(path)
    info = video_info(path)
    damage = Damage()
    kept = _folder(path, backend) if cache else None
    found = look_through(path, backend, kept=kept, damage=damage, progress=progress)
    if kept is not None:
        damage = _with_damage(kept, damage)
    if not found.sightings:
        raise InputError(f"Nobody was found in the {len(found)} frames of {path}.", NOBODY_FIX)
    persons, told = people_of(found, merge=merge, split=split)
    if not persons:
        raise InputError(f"Nobody is seen in {path} long enough to be followed.", NOBODY_FIX)
    time_s = found.time_s
    # The middle of the exposure is when the body was where it is seen.
    exposure_s = info.exposure_s or 0.0
    later_s += 0.5 * exposure_s - backend.lag_s
    notes = [*damage.notes(), *told]
    if exposure_s:
        notes.append(f"Times are those of the middle of the exposure, {1e3 * exposure_s:.1f} ms.")
    maps = np.tile(np.eye(2, 3), (time_s.size, 1, 1))
    if camera:
        maps = steady_from_image(found.steps, time_s, found.cut, info.size_px)
    cuts_s = tuple(float(t) + later_s for t in time_s[found.cut])
    if cuts_s:
        notes.append(
            f"{len(cuts_s)} cuts, at {', '.join(f'{t:.2f} s' for t in cuts_s[:10])}: people behind one are others."
        )
    people = poses_of(persons, found, info.size_px)
    world_m = {p.person: _world(own, found) for p, own in zip(people, persons, strict=True)}
    shifted = tuple(p.replace(time_s=p.time_s + later_s) for p in people)
    return VideoPeople(info, shifted, world_m, time_s + later_s, maps, cuts_s, backend.name, later_s, tuple(notes))


def _world(person: Person, frames: Sequence[FrameFound]) -> FloatArray:
    """(T, 17, 3) of a person's frames; NaN where the backend guesses nothing."""
    rows = [frames[f].seen[k].world_m for f, k in zip(person.frame, person.index, strict=True)]
    return np.array([np.full((17, 3), np.nan) if row is None else row for row in rows])


def _folder(path: Path, backend: PoseBackend) -> Path:
    return user_cache() / "video" / f"{sha256_of(path)[:24]}-{backend.name}-{VERSION}"


def forget_video(path: Path, backend: PoseBackend) -> None:
    """Throw away what is kept of a video."""
    forget(_folder(path, backend))


def _with_damage(kept: Path, damage: Damage) -> Damage:
    """The damage that was met when the frames were read, which may have been in an earlier run."""
    path = kept / "damage.json"
    before = Damage(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Damage()
    whole = Damage(
        before.packets + damage.packets, before.out_of_order + damage.out_of_order,
        before.without_time + damage.without_time,
        damage.ended_at_s if damage.ended_at_s is not None else before.ended_at_s,
    )  # fmt: skip
    path.write_text(json.dumps(vars(whole)), encoding="utf-8")
    return whole


def write_pose_file(found: VideoPeople, path: str | Path) -> None:
    """Write a video's people as .npz, whole or not at all: what `kinebind.readers.poses_npz` reads, and more.

    Beside the keypoints in the video's pixels: `steady_from_image` where the camera moved, `world_m` (T, P, 17, 3),
    `cuts_s`, `notes`, `backend`.
    """
    time_s = np.unique(np.concatenate([p.time_s for p in found.people]))
    world_m = np.full((time_s.size, len(found.people), 17, 3), np.nan, dtype=np.float32)
    for k, person in enumerate(found.people):
        world_m[np.searchsorted(time_s, person.time_s), k] = found.world_m[person.person]
    further: dict[str, npt.NDArray[Any]] = {
        "world_m": world_m, "cuts_s": np.array(found.cuts_s), "backend": np.array(found.backend),
        "notes": np.array([*dict.fromkeys(n for p in found.people for n in p.notes), *found.notes], dtype=str),
    }  # fmt: skip
    if found.moved:
        further["steady_from_image"] = found.steady_from_image[np.searchsorted(found.time_s, time_s - 1e-9)]
    people = [replace(p, notes=()) for p in found.people]
    write_npz(people, path, **further)
