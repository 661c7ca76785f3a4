"""Pieces of single frames as pictures for a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.video.frames import frames

_MARGIN_S = 0.5
_QUALITY = 80


class Stills:
    """Pictures from a video, in the pixels of its steady picture.

    video: the file. time_s (F,), steady_from_image (F, 2, 3): all frames and the maps of their pixels, as
    `kinebind.video.video_people.VideoPeople` has them. later_s: by how much those times are later than the file's.
    """

    def __init__(
        self, video: str | Path, time_s: FloatArray, steady_from_image: FloatArray, *, later_s: float = 0.0
    ) -> None:
        self._video, self._time_s, self._maps, self._later_s = Path(video), time_s, steady_from_image, later_s

    def pieces(self, times_s: Sequence[float], boxes: Sequence[FloatArray], height: int = 240) -> list[str | None]:
        """Pieces of frames as JPEG in `data:` addresses; None for a frame that is not there.

        times_s: of frames, in order. boxes: (4,) left, top, right, bottom in steady pixels, one each. height: of the
        pictures, pixels. Raises InputError where the video cannot be read any more.
        """
        found: list[str | None] = [None] * len(times_s)
        if not times_s:
            return found
        wanted = np.asarray(times_s, dtype=np.float64) - self._later_s
        next_one = 0
        for frame in frames(self._video, after_s=float(wanted[0]) - _MARGIN_S):
            while next_one < wanted.size and frame.time_s > wanted[next_one] + 1e-3:
                next_one += 1  # that frame is not in the file
            if next_one == wanted.size:
                break
            if abs(frame.time_s - wanted[next_one]) <= 1e-3:
                found[next_one] = self._piece(frame.image, frame.scale, times_s[next_one], boxes[next_one], height)
                next_one += 1
        return found

    def _piece(self, image: np.ndarray, scale: float, time_s: float, box: FloatArray, height: int) -> str:
        k = int(np.argmin(np.abs(self._time_s - time_s)))
        left, top, right, bottom = box
        zoom = height / max(bottom - top, 1e-9)
        steady = np.vstack([self._maps[k], [0.0, 0.0, 1.0]])
        shrink = np.diag([1.0 / scale, 1.0 / scale, 1.0])
        piece = np.array([[zoom, 0.0, -zoom * left], [0.0, zoom, -zoom * top], [0.0, 0.0, 1.0]])
        matrix = (piece @ steady @ shrink)[:2]
        size = (max(1, round(zoom * (right - left))), height)
        cut = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(cut, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
