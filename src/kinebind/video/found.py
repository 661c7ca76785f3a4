"""What was found in a video frame by frame, before anybody is followed: arrays that can be kept on disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.store import written_whole
from kinebind.video.appearance import BINS
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import Step

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FrameFound:
    """One frame: when it is shown, who was seen, how the camera had moved, and whether a new shot begins.

    later: for each of `seen`, whether it was found by going back from a later frame.
    """

    time_s: float
    seen: tuple[Seen, ...]
    later: tuple[bool, ...]
    camera: Step
    cut: bool = False


@dataclass
class Found:
    """All frames of a video, in order."""

    frames: list[FrameFound] = field(default_factory=list)

    @property
    def time_s(self) -> FloatArray:
        """(F,) seconds."""
        return np.array([f.time_s for f in self.frames], dtype=np.float64)

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """(F,) whether a new shot begins with the frame."""
        return np.array([f.cut for f in self.frames], dtype=bool)


def write_part(path: Path, frames: Sequence[FrameFound]) -> None:
    """Some frames as one file, whole or not at all; coordinates in single precision."""
    seen = [(k, person, later) for k, f in enumerate(frames) for person, later in zip(f.seen, f.later, strict=True)]
    with written_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            time_s=np.array([f.time_s for f in frames]),
            cut=np.array([f.cut for f in frames], dtype=bool),
            camera_key=np.array([f.camera.key for f in frames], dtype=np.int64),
            camera=np.array([f.camera.from_key for f in frames]).reshape(-1, 2, 3),
            frame=np.array([k for k, _, _ in seen], dtype=np.int64),
            later=np.array([later for _, _, later in seen], dtype=bool),
            keypoints=_stacked((p.keypoints for _, p, _ in seen), (17, 3)),
            world_m=_stacked((p.world_m for _, p, _ in seen), (17, 3)),
            colours=_stacked((p.colours for _, p, _ in seen), (BINS,)),
        )


def _stacked(rows: Iterable[FloatArray | None], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Rows of one shape; NaN for those that are not there."""
    filled = [np.full(shape, np.nan) if row is None else row for row in rows]
    return np.array(filled, dtype=np.float32).reshape(-1, *shape)


def read_part(path: Path) -> list[FrameFound]:
    """The frames of a file that `write_part` wrote; raises ValueError where it is another, or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        count = arrays["time_s"].size
        seen: list[list[Seen]] = [[] for _ in range(count)]
        later: list[list[bool]] = [[] for _ in range(count)]
        rows = zip(
            arrays["frame"], arrays["keypoints"], arrays["world_m"], arrays["colours"], arrays["later"], strict=True
        )
        for frame, keypoints, world_m, colours, late in rows:
            seen[frame].append(Seen(keypoints.astype(np.float64), _there(world_m), _there(colours)))
            later[frame].append(bool(late))
        return [
            FrameFound(
                float(arrays["time_s"][k]), tuple(seen[k]), tuple(later[k]),
                Step(int(arrays["camera_key"][k]), arrays["camera"][k]), bool(arrays["cut"][k]),
            )
            for k in range(count)
        ]  # fmt: skip
    except (OSError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: {error}") from error


def _there(row: npt.NDArray[np.float32]) -> FloatArray | None:
    return None if np.isnan(row).all() else row.astype(np.float64)
