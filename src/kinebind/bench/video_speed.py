"""How fast a video is looked through, and in how much memory, however long it is.

`mediapipe_fps_720p`: frames a second of 720×1280 with a person who walks and one at the picture's edge, from the file
to their tracks, loading included; `decode_share`: the time that decoding alone takes, in parts of that. `peak_mb`: the
most memory of a process that does so. `…_two`: the same of a video in which an athlete jumps and somebody walks by.
`hour_peak_mb` of an hour at 30 frames/s, a clip looped, and `minute_peak_mb` of its first minute, with poses that were
found before in the clip (180 pixels wide, so that an hour takes minutes); the hour's own poses are in it. `hour_seen`:
in how many of its frames somebody is seen, counted for each person.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kinebind.bench.made_video import write_video
from kinebind.bench.processes import workers
from kinebind.clock import FloatArray
from kinebind.video.backend import Image, Seen
from kinebind.video.frames import frames
from kinebind.video.mediapipe_backend import MediaPipeBackend
from kinebind.video.video_people import video_people

_SHORT_PX, _SMALL_PX = 720, 180
_RATE_HZ = 30.0
_HOUR_S, _MINUTE_S = 3600.0, 60.0


def speed(video: Path, folder: Path, suffix: str = "") -> dict[str, float]:
    """The figures of a video at 720p, `suffix` behind their names; what is made of it is left in the folder."""
    path = write_video(
        _there_and_back([_short(f.image, _SHORT_PX) for f in frames(video)]), folder / f"720p{suffix}.mp4", _RATE_HZ
    )
    with workers(1) as fresh:
        fps, decode_share, peak_mb = fresh.submit(_looked_through, path).result()
    return {f"mediapipe_fps_720p{suffix}": fps, f"decode_share{suffix}": decode_share, f"peak_mb{suffix}": peak_mb}


def memory(video: Path, folder: Path, *, hour: bool = True) -> dict[str, float]:
    """The figures of a long video made of a short one, left in the folder. hour: not only a minute."""
    small = _there_and_back([_short(frame.image, _SMALL_PX) for frame in frames(video)])
    write_video(small, folder / "small.mp4", _RATE_HZ)
    lasts_s = len(small) / _RATE_HZ
    out: dict[str, float] = {}
    for name, long_s in (("minute", _MINUTE_S), ("hour", _HOUR_S))[: 1 + hour]:
        path = write_video(small, folder / f"{name}.mp4", _RATE_HZ, loops=round(long_s / lasts_s))
        with workers(1) as fresh:
            out[f"{name}_peak_mb"], count = fresh.submit(_by_heart, path, folder / "small.mp4").result()
        out[f"{name}_seen"] = float(count)
    return out


class ByHeart:
    """Knows what is seen in frames by what they look like; satisfies `kinebind.video.backend.PoseBackend`."""

    name, lag_s = "by-heart", 0.0

    def __init__(self, known: dict[int, list[Seen]]) -> None:
        self._known = known

    def detect(self, image: Image, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """People in a frame that was seen before; nobody in any other."""
        return self._known.get(_look(image), [])

    def forget(self) -> None:
        """Nothing is remembered of frames before."""

    def close(self) -> None:
        """Nothing is held."""


def _look(image: Image) -> int:
    return zlib.crc32(np.ascontiguousarray(image).tobytes())


def _looked_through(path: Path) -> tuple[float, float, float]:
    """Frames a second, the share of decoding, and the peak of memory, MB, in a process of its own."""
    began_s = time.perf_counter()
    backend = MediaPipeBackend()
    count = video_people(path, backend, cache=False).time_s.size
    took_s = time.perf_counter() - began_s
    backend.close()
    peak_mb = _peak_mb()
    began_s = time.perf_counter()
    for _ in frames(path):
        pass
    return count / took_s, (time.perf_counter() - began_s) / took_s, peak_mb


def _by_heart(path: Path, clip: Path) -> tuple[float, int]:
    """The peak of memory, MB, and how many frames have somebody, of a video that is a clip over and over."""
    backend = MediaPipeBackend()
    found = video_people(clip, backend, cache=False, camera=False)
    backend.close()
    known: dict[int, list[Seen]] = {}
    for time_s, frame in zip(found.time_s, frames(clip), strict=True):
        own = [(p, int(np.searchsorted(p.time_s, time_s - 1e-6))) for p in found.people]
        known[_look(frame.image)] = [
            Seen(np.column_stack([p.keypoints_px[k], p.scores[k]]))
            for p, k in own
            if k < p.time_s.size and abs(p.time_s[k] - time_s) < 1e-3
        ]
    long = video_people(path, ByHeart(known), cache=False)
    return _peak_mb(), sum(p.time_s.size for p in long.people)


def _peak_mb() -> float:
    """The most memory that this process has held."""
    import resource  # which Windows lacks

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _there_and_back(images: list[Image]) -> list[Image]:
    """Images played forwards and backwards, so that nobody jumps where they begin again."""
    return images + images[::-1]


def _short(image: Image, side_px: int) -> Image:
    """An image whose shorter side is so long."""
    scale = side_px / min(image.shape[:2])
    width, height = (2 * round(0.5 * scale * side) for side in (image.shape[1], image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
