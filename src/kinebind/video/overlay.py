"""A video with skeletons, sensors and their signals drawn into it, to see by eye whether they belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.parts import COCO17, COCO17_EDGES, site_place
from kinebind.poses import Poses
from kinebind.store import written_whole
from kinebind.video.backend import Image
from kinebind.video.frames import frames, video_info

Colour = tuple[int, int, int]
COLOURS: tuple[Colour, ...] = (
    (255, 176, 0), (100, 143, 255), (220, 38, 127), (120, 220, 120), (254, 97, 0), (120, 94, 240), (0, 200, 200),
)  # fmt: skip
"""RGB of people in the order of their names, told apart by most colour-blind people too."""
MAX_SIDE_PX = 1280
_TRACE_S = 4.0
"""How much of a signal is shown, half of it before the moment."""
_PANEL_SHARE, _MOST_SHARE = 0.085, 0.5
"""Height of a signal's panel, of the image's height, and of all of them together."""
_TICKS = 90_000  # a second: what frame times are written in


@dataclass(frozen=True, eq=False)
class Trace:
    """A sensor to draw. label: words beside it. person, site: where; None where that is not known.

    time_s (N,), value (N,): a signal on the video's clock, such as |specific force|; empty where there is no clock.
    """

    label: str
    person: str | None
    site: str | None
    time_s: FloatArray
    value: FloatArray


def write_overlay(
    video: str | Path,
    people: Sequence[Poses],
    traces: Sequence[Trace],
    path: str | Path,
    *,
    progress: Callable[[float, int], None] | None = None,
) -> None:
    """Write the video with people and sensors drawn into it as MP4 (H.264), whole or not at all; without its sound.

    people: keypoints in the video's own pixels and on its clock. Frames keep their times.
    Raises InputError where the video cannot be read, or the place not be written.
    """
    import av

    info = video_info(video)
    scale = min(1.0, MAX_SIDE_PX / max(info.size_px))
    names = sorted({p.person for p in people}, key=lambda n: (len(n), n))
    colour = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}
    drawn = [_Person(p, colour[p.person]) for p in people]
    panels = [_Panel(t, colour.get(t.person or "", (200, 200, 200))) for t in traces if t.time_s.size]
    where = [_Marker(t, colour[t.person]) for t in traces if t.person in colour and t.site is not None]
    with written_whole(path) as part, av.open(str(part), "w", format="mp4") as out:
        stream = None
        for number, frame in enumerate(frames(video, max_side_px=MAX_SIDE_PX)):
            image = _with_room(frame.image, len(panels))
            if stream is None:
                rate = Fraction(info.rate_hz or 30.0).limit_denominator(1001)
                stream = out.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
                stream.width, stream.height, stream.pix_fmt = image.shape[1], image.shape[0], "yuv420p"
                stream.codec_context.time_base = Fraction(1, _TICKS)
            seen = {p.name: at for p in drawn if (at := p.at(frame.time_s)) is not None}
            for person in drawn:
                if person.name in seen:
                    _skeleton(image, seen[person.name] * scale, person.name, person.colour)
            for marker in where:
                if marker.person in seen:
                    marker.draw(image, seen[marker.person] * scale)
            _draw_panels(image, panels, frame.image.shape[0], frame.time_s)
            shown = av.VideoFrame.from_ndarray(image, format="rgb24")
            shown.pts, shown.time_base = round(frame.time_s * _TICKS), Fraction(1, _TICKS)
            out.mux(stream.encode(shown))
            if progress is not None:
                progress(frame.time_s, number + 1)
        if stream is None:
            raise InputError(f"{video} holds no frame that can be decoded.", "Copy the file from the camera again.")
        out.mux(stream.encode(None))


def draw_people(image: Image, people: Sequence[Poses], time_s: float, scale: float) -> Image:
    """A copy of a frame with the skeletons at its time drawn into it; scale: its pixels per pixel of the video."""
    image = image.copy()
    names = sorted({p.person for p in people}, key=lambda n: (len(n), n))
    for poses in people:
        person = _Person(poses, COLOURS[names.index(poses.person) % len(COLOURS)])
        at = person.at(time_s)
        if at is not None:
            _skeleton(image, at * scale, person.name, person.colour)
    return image


class _Person:
    """A track, asked for frame by frame."""

    def __init__(self, poses: Poses, colour: Colour) -> None:
        self.name, self.colour, self._poses = poses.person, colour, poses

    def at(self, time_s: float) -> FloatArray | None:
        """Keypoints (17, 2) of the frame at a time, or None where the person is not seen."""
        k = int(np.searchsorted(self._poses.time_s, time_s - 1e-4))
        if k >= self._poses.time_s.size or self._poses.time_s[k] - time_s > 1e-3:
            return None
        points = self._poses.keypoints_px[k]
        return points if np.isfinite(points[:, 0]).any() else None


class _Marker:
    """The place of a sensor on a person."""

    def __init__(self, trace: Trace, colour: Colour) -> None:
        assert trace.person is not None
        assert trace.site is not None
        self.person, self._label, self._colour = trace.person, trace.label, colour
        self._site = trace.site

    def draw(self, image: Image, points: FloatArray) -> None:
        place = site_place(points, self._site)
        if place is not None:
            radius = max(4, round(0.008 * max(image.shape)))
            centre = _pixel(place)
            cv2.circle(image, centre, radius, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(image, centre, radius, self._colour, 2, cv2.LINE_AA)
            _words(image, self._label, (centre[0] + radius + 3, centre[1] + 4), 0.4)


class _Panel:
    """A signal as it runs past the moment that is shown."""

    def __init__(self, trace: Trace, colour: Colour) -> None:
        self.label, self.colour = trace.label, colour
        self._time_s, self._value = trace.time_s, trace.value
        known = trace.value[np.isfinite(trace.value)]
        self._low, self._high = (float(v) for v in np.percentile(known, [1.0, 99.0])) if known.size else (0.0, 1.0)

    def draw(self, image: Image, top: int, height: int, time_s: float) -> None:
        width = image.shape[1]
        first, stop = np.searchsorted(self._time_s, [time_s - _TRACE_S / 2, time_s + _TRACE_S / 2])
        x = (self._time_s[first:stop] - time_s) / _TRACE_S * width + 0.5 * width
        span = max(self._high - self._low, 1e-9)
        y = top + height - 4 - (height - 8) * np.clip((self._value[first:stop] - self._low) / span, 0.0, 1.0)
        line = np.column_stack([x, y])
        whole = np.isfinite(line).all(axis=1)
        for piece in np.split(np.arange(line.shape[0]), np.flatnonzero(~whole)):
            piece = piece[whole[piece]]
            if piece.size > 1:
                cv2.polylines(image, [np.round(line[piece]).astype(np.int32)], False, self.colour, 1, cv2.LINE_AA)
        _words(image, self.label, (6, top + 14), 0.4)


def _draw_panels(image: Image, panels: Sequence[_Panel], top: int, time_s: float) -> None:
    """The signals below the picture, which ends at the row `top`."""
    if not panels:
        return
    height = _panel_height(top, len(panels))
    image[top:] = 24  # over what was drawn beyond the picture's edge
    for k, panel in enumerate(panels):
        panel.draw(image, top + k * height, height, time_s)
    middle = image.shape[1] // 2
    cv2.line(image, (middle, top), (middle, image.shape[0] - 1), (255, 255, 255), 1)
    _words(image, f"{time_s:.2f} s", (middle + 5, image.shape[0] - 6), 0.4)


def _skeleton(image: Image, points: FloatArray, name: str, colour: Colour) -> None:
    thick = max(2, round(0.003 * max(image.shape)))
    for a, b in COCO17_EDGES:
        if np.isfinite(points[[a, b]]).all():
            cv2.line(image, _pixel(points[a]), _pixel(points[b]), colour, thick, cv2.LINE_AA)
    for k, point in enumerate(points):
        if np.isfinite(point).all():
            # The right side is filled dark, so that swapped sides are seen.
            right = COCO17[k].startswith("right")
            cv2.circle(image, _pixel(point), thick + 1, (30, 30, 30) if right else (255, 255, 255), -1, cv2.LINE_AA)
    seen = points[np.isfinite(points[:, 0])]
    left, top = seen.min(axis=0)
    _words(image, name, (int(left), max(14, int(top) - 8)), 0.6)


def _words(image: Image, text: str, at: tuple[int, int], size: float) -> None:
    """White words with a dark edge; what OpenCV's letters do not have becomes a question mark."""
    plain = text.encode("ascii", "replace").decode()
    for across, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        edge = (at[0] + across, at[1] + down)
        cv2.putText(image, plain, edge, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)


def _pixel(point: FloatArray) -> tuple[int, int]:
    x, y = np.clip(np.round(point), -30_000, 30_000)
    return int(x), int(y)


def _panel_height(picture_height: int, count: int) -> int:
    return max(18, round(picture_height * min(_PANEL_SHARE, _MOST_SHARE / count)))


def _with_room(image: Image, panels: int) -> Image:
    """A copy that may be drawn into, with room for the signals below it, and with an even number of rows and columns,
    as the encoder needs.
    """
    height, width = image.shape[:2]
    whole = height + (panels * _panel_height(height, panels) if panels else 0)
    out: Image = np.zeros((whole // 2 * 2, width // 2 * 2, 3), dtype=np.uint8)
    out[: min(height, out.shape[0])] = image[: out.shape[0], : out.shape[1]]
    return out
