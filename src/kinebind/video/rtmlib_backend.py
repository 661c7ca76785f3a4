"""Poses through the package rtmlib, where the user has it: the same files, prepared and read by rtmlib itself.

`kinebind.video.onnx_backend` needs no such package and places keypoints between bins; this route is for those who want
exactly what rtmlib gives. rtmlib takes images in the order blue, green, red.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.backend import Image, Seen
from kinebind.video.onnx_backend import MIN_SCORE, boxes_from, name_of, people
from kinebind.video.onnx_detector import Kind

_DETECTORS = {"rtmdet": "RTMDet", "yolox": "YOLOX"}


class RtmlibBackend:
    """Poses by rtmlib; satisfies `kinebind.video.backend.PoseBackend`. Tells no colours."""

    lag_s = 0.0
    """Single frames are looked at."""

    def __init__(
        self,
        detector: str | Path,
        pose: str | Path,
        *,
        detector_kind: Kind,
        detector_px: tuple[int, int] = (640, 640),
        pose_px: tuple[int, int] = (192, 256),
        min_score: float = MIN_SCORE,
        device: str = "cpu",
    ) -> None:
        """detector, pose: ONNX files. detector_kind: "rtmdet" or "yolox". detector_px: height and width of its input.

        pose_px: width and height of the pose model's input. min_score: joints that are less sure, 0..1, are NaN.
        device: as rtmlib calls it. Raises InputError where rtmlib or a file is missing, or rtmlib cannot read it.
        """
        try:
            rtmlib: Any = importlib.import_module("rtmlib")
        except ImportError as error:
            raise InputError(
                f"rtmlib cannot be imported ({error}).", "pip install rtmlib, or use the onnx route, which needs none."
            ) from error
        if detector_kind not in _DETECTORS:
            raise InputError(f"There is no kind of detector '{detector_kind}'.", "Choose rtmdet or yolox.")
        files = Path(detector), Path(pose)
        for path in files:  # rtmlib takes a path that is not there for an address
            if not path.is_file():
                raise InputError(f"There is no file {path}.", "Check the path of the ONNX model.")
        self._detector = _made(getattr(rtmlib, _DETECTORS[detector_kind]), files[0], detector_px, device)
        self._pose = _made(rtmlib.RTMPose, files[1], pose_px, device)
        self._min_score = min_score
        version = getattr(rtmlib, "__version__", "")
        self.name = name_of("rtmlib", files, (version, detector_kind, detector_px, pose_px, min_score, device))

    def detect(self, image: Image, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """People in a frame; see `PoseBackend`. Where `search` is True the detector tells, else `around`."""
        bgr = np.ascontiguousarray(image[..., ::-1])
        boxes = list(np.reshape(self._detector(bgr), (-1, 4))) if search else boxes_from(around, image)
        if not boxes:  # for none at all rtmlib takes the whole image
            return []
        keypoints, scores = self._pose(bgr, bboxes=[[float(v) for v in box] for box in boxes])
        points, scores = np.asarray(keypoints, dtype=np.float64), np.asarray(scores, dtype=np.float64)
        if points.ndim != 3 or points.shape[1] not in (17, 26, 133):
            raise InputError(f"rtmlib tells keypoints {points.shape}.", "Give a model of 17, 26 or 133 keypoints.")
        return people(points[:, :17, :2], scores[:, :17], image, self._min_score)

    def close(self) -> None:
        """Give back the models; the backend cannot be used any more."""
        del self._detector, self._pose


def _made(kind: Any, path: Path, size: tuple[int, int], device: str) -> Any:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
            return kind(str(path), model_input_size=size, backend="onnxruntime", device=device)
    except Exception as error:  # rtmlib's and onnxruntime's errors share no base
        raise InputError(f"rtmlib cannot use {path} ({str(error) or error!r}).", "Give another ONNX file.") from error
