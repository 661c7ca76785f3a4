"""Decoding a video: upright frames with their true presentation times.

Times are those at which a player shows a frame, seconds on the video's own clock: edit lists are applied, a variable
frame rate stays as it is, and frames that were dropped when filming remain gaps. Needs the extra `video` (PyAV).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinebind.errors import InputError
from kinebind.video.backend import Image
from kinebind.video.extra import needs_video

if TYPE_CHECKING:
    from av.container import InputContainer

MAX_SIDE_PX = 1920
"""Longer side of decoded frames: larger ones are made smaller, since pose estimators see 256 pixels of a person."""
_EXPOSURE_KEYS = ("exposure_time", "exposuretime", "com.apple.quicktime.exposure-time")
_MOST_EXPOSURE_S = 0.25


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself.

    size_px: width and height as shown, after turning. turned_deg: by how much frames are turned to be upright,
    counter-clockwise. frames: expected number, or None where the file does not say. rate_hz: mean frame rate, or None.
    duration_s: or None. exposure_s: of a frame, where the file tells. codec: as FFmpeg calls it.
    """

    path: Path
    size_px: tuple[int, int]
    turned_deg: int
    frames: int | None
    rate_hz: float | None
    duration_s: float | None
    exposure_s: float | None
    codec: str


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame. time_s: when it is shown, seconds. image: RGB, upright. scale: image pixels per pixel of the video."""

    time_s: float
    image: Image
    scale: float


@dataclass
class Damage:
    """What was wrong while frames were read: packets that could not be decoded, frames whose time did not go on."""

    packets: int = 0
    out_of_order: int = 0
    without_time: int = 0
    ended_at_s: float | None = None

    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing."""
        found = []
        if self.packets:
            found.append(f"{self.packets} damaged parts of the video could not be decoded; they are gaps.")
        if self.out_of_order:
            found.append(f"{self.out_of_order} frames whose time does not go on are left out.")
        if self.without_time:
            found.append(f"{self.without_time} frames without a time are left out.")
        if self.ended_at_s is not None:
            found.append(f"The file breaks off at {self.ended_at_s:.2f} s; what was before is used.")
        return tuple(found)


def video_info(path: str | Path) -> VideoInfo:
    """What a video file says of itself. Decodes its first frame.

    Raises InputError where the file is missing, empty, no video, sound alone, or where no frame can be decoded.
    """
    with _opened(Path(path)) as container:
        stream = container.streams.video[0]
        first = _first_frame(container, Path(path))
        turned = _turned(first)
        width, height = _square_size(first, _aspect(stream))
        if turned in (90, 270):
            width, height = height, width
        rate = stream.average_rate
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / 1e6
        rate_hz = float(rate) if rate else None
        count: int | None = stream.frames or None
        if count is None and rate_hz and duration:
            count = round(rate_hz * duration)
        exposure_s = _exposure_s(container.metadata | stream.metadata)
        return VideoInfo(
            Path(path), (width, height), turned, count, rate_hz, duration, exposure_s, stream.codec_context.name
        )


def frames(
    path: str | Path, *, after_s: float | None = None, max_side_px: int = MAX_SIDE_PX, damage: Damage | None = None
) -> Iterator[Frame]:
    """The frames of a video in the order in which they are shown.

    after_s: start behind this time, by seeking. max_side_px: longer side of the images; larger ones are made smaller.
    damage: counts what had to be left out. A file that breaks off ends the frames without an error.
    Raises InputError as `video_info` does.
    """
    import av

    damage = Damage() if damage is None else damage
    last_s = -math.inf if after_s is None else after_s
    with _opened(Path(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if after_s is not None and stream.time_base is not None:
            container.seek(int(after_s / stream.time_base), stream=stream, backward=True)
        scaled = _Scaled(max_side_px, _aspect(stream))
        started = False
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                decoded = packet.decode()
            except StopIteration:
                break
            except av.error.InvalidDataError:
                damage.packets += 1
                if damage.packets <= _MOST_DAMAGED:
                    continue
                damage.ended_at_s = max(last_s, 0.0)
                break
            except av.error.FFmpegError:  # nothing more can be read
                damage.ended_at_s = max(last_s, 0.0)
                break
            for frame in decoded:
                stamp: float | None = frame.time
                if stamp is None:
                    damage.without_time += 1
                    continue
                time_s = float(stamp)
                if time_s <= last_s:
                    # What lies before the place that was sought is no damage.
                    damage.out_of_order += started or after_s is None
                    continue
                started = True
                last_s = time_s
                image, scale = scaled(frame)
                yield Frame(time_s, image, scale)


_MOST_DAMAGED = 10_000


class _Scaled:
    """Decoded frames as upright RGB images that are not too large."""

    def __init__(self, max_side_px: int, aspect: float) -> None:
        from av.video.reformatter import VideoReformatter

        self._most, self._aspect = max_side_px, aspect
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> tuple[Image, float]:
        width, height = _square_size(frame, self._aspect)
        scale = min(1.0, self._most / max(width, height))
        size = {"width": max(2, round(scale * width)), "height": max(2, round(scale * height))}
        plain = self._reformatter.reformat(frame, format="rgb24", interpolation="AREA", **size)
        image: Image = np.asarray(plain.to_ndarray(), dtype=np.uint8)
        turns = _turned(frame) // 90
        return (np.ascontiguousarray(np.rot90(image, turns)) if turns else image), scale


def _aspect(stream: Any) -> float:
    """Width of a stored pixel in units of its height."""
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return float(ratio) if ratio else 1.0


def _square_size(frame: Any, aspect: float) -> tuple[int, int]:
    """Width and height in square pixels, before turning."""
    return round(frame.width * aspect), int(frame.height)


def _turned(frame: Any) -> int:
    """By how much a frame has to be turned counter-clockwise to be upright: 0, 90, 180 or 270 degrees."""
    return round(float(getattr(frame, "rotation", 0) or 0) / 90.0) * 90 % 360


def _first_frame(container: InputContainer, path: Path) -> Any:
    import av

    try:
        for packet in container.demux(container.streams.video[0]):
            with contextlib.suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    return frame
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: no frame can be decoded ({_reason(error)}).", _AGAIN) from error
    raise InputError(f"{path} holds no frame that can be decoded.", _AGAIN)


_AGAIN = "Copy the file from the camera again, or convert it to MP4 with H.264."


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """A container with a video stream."""
    needs_video()
    import av

    if not path.exists():
        raise InputError(f"There is no file {path}.", "Check the path.")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video.", "Name the video's file.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty.", "Copy the file from the camera again.")
    try:
        # Behind "file:", a name is never taken for an address; playlists cannot name addresses either.
        container = av.open(f"file:{path}", metadata_errors="replace", options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a video ({_reason(error)}).",
            f"It may be another kind of file, or be cut off before its table of contents. {_AGAIN}",
        ) from error
    with container:
        if not container.streams.video:
            kinds = "sound" if container.streams.audio else "no pictures"
            raise InputError(f"{path} holds {kinds} only, no video.", "Name the file with the pictures.")
        yield container


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _exposure_s(metadata: dict[str, str]) -> float | None:
    """How long a frame was exposed, seconds, where the file's facts tell: "0.01" or "1/100"."""
    for key, value in metadata.items():
        if key.lower() in _EXPOSURE_KEYS:
            above, _, below = value.partition("/")
            try:
                exposure_s = float(above) / float(below or 1.0)
            except (ValueError, ZeroDivisionError):
                return None
            return exposure_s if 0.0 < exposure_s <= _MOST_EXPOSURE_S else None
    return None
