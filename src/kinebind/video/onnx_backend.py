"""Poses by the user's own ONNX files, run by onnxruntime: a detector of people, and RTMPose on each person.

The detector (`kinebind.video.onnx_detector`) is asked where everybody is looked for; in between, people are looked for
around the places where they are expected. It decides alone who is there when it is asked, which ends ghosts.

The pose model has one input (N, 3, H, W), RGB less its mean, and the outputs `simcc_x` (N, K, W·split) and `simcc_y`
(N, K, H·split), as MMDeploy exports RTMPose. Of 17 (COCO), 26 (Halpe) or 133 (whole body) keypoints the first 17 are
COCO's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kinebind._cache import sha256_of
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.backend import Image, Seen
from kinebind.video.crops import Crop, crop_around, cut_out, widened
from kinebind.video.oks import each_once
from kinebind.video.onnx_detector import ImageModel, Kind, PersonDetector, needs_onnxruntime
from kinebind.video.simcc import decode_simcc

MIN_SCORE = 0.3
"""A joint that is less sure than this is not seen."""
_MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)  # of red, green, blue, as RTMPose was trained
_STD = np.array([58.395, 57.12, 57.375], dtype=np.float32)
_KEYPOINTS = {17: "COCO", 26: "Halpe", 133: "whole body"}
_WIDER = 1.25
"""How much larger a person is than the box around her keypoints, which ends at the eyes and ankles."""
_LEAST_PX = 4.0
_AT_ONCE = 8
"""People in one run of a model that takes any number: what a crowd costs in memory."""
_SAME_PERSON = 0.45
"""Similarity of two sets of keypoints above which they are of one person."""
_TOO_FEW = 5
_VERSION = 1


class OnnxBackend:
    """Poses by a detector and an RTMPose; satisfies `kinebind.video.backend.PoseBackend`. Tells no colours."""

    lag_s = 0.0
    """Single frames are looked at."""

    def __init__(
        self,
        detector: str | Path,
        pose: str | Path,
        *,
        min_score: float = MIN_SCORE,
        detector_kind: Kind | None = None,
        detector_min_score: float = 0.3,
        providers: Sequence[str] | None = None,
    ) -> None:
        """detector, pose: ONNX files. min_score: joints that are less sure, 0..1, are NaN.

        detector_kind: "rtmdet" or "yolox"; by default found out. detector_min_score: people who are less sure are left
        out. providers: onnxruntime's execution providers, the preferred first; by default the CPU's.
        Raises InputError where onnxruntime is missing, or a file is missing, damaged or another model.
        """
        needs_onnxruntime()
        self._min_score = min_score
        self._detector = PersonDetector(
            Path(detector), kind=detector_kind, min_score=detector_min_score, providers=providers
        )
        self._pose = SimccModel(Path(pose), providers)
        settings = _VERSION, min_score, self._detector.kind, detector_min_score, tuple(providers or ())
        self.name = name_of("onnx", (Path(detector), Path(pose)), settings)

    def detect(self, image: Image, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """People in a frame; see `PoseBackend`. Where `search` is True the detector tells, else `around`."""
        boxes = list(self._detector.boxes(image)) if search else boxes_from(around, image)
        points, scores = self._pose.keypoints(image, boxes)
        return people(points, scores, image, self._min_score)

    def forget(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Give back the sessions; the backend cannot be used any more."""
        del self._detector, self._pose


class SimccModel:
    """A pose model of a crop with SimCC's outputs. input_px: width and height of its input."""

    def __init__(self, path: Path, providers: Sequence[str] | None = None) -> None:
        """Runs the model once on a grey image. Raises InputError where it is damaged or another one."""
        self._model = ImageModel(path, providers)
        self._axes = self._axes_by_name()
        self.input_px = self._model.input_px or self._input_by_outputs()
        width, height = self.input_px
        grey = np.zeros((self._model.batch or 1, 3, height, width), dtype=np.float32)
        x, y = self._rows(grey)
        fits = x.ndim == y.ndim == 3 and x.shape[:2] == y.shape[:2] and x.shape[0] == len(grey)
        if not fits or x.shape[2] % width or y.shape[2] % height or x.shape[2] // width != y.shape[2] // height:
            raise self._foreign(f"for an input of {width} × {height} pixels its outputs are {x.shape} and {y.shape}")
        if x.shape[1] not in _KEYPOINTS:
            known = ", ".join(f"{count} ({name})" for count, name in _KEYPOINTS.items())
            raise InputError(
                f"{path} tells {x.shape[1]} keypoints, of which it is not known what they are.",
                f"Give a model of {known} keypoints.",
            )

    def keypoints(self, image: Image, boxes: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """COCO's keypoints (N, 17, 2), pixels of the image, and their scores (N, 17), 0..1, in N boxes (4,)."""
        crops = [crop_around(box, self.input_px) for box in boxes]
        at_once = self._model.batch or _AT_ONCE
        groups = [self._of_crops(image, crops[k : k + at_once]) for k in range(0, len(crops), at_once)]
        points = np.concatenate([np.zeros((0, 17, 2)), *(p for p, _ in groups)])
        return points, np.concatenate([np.zeros((0, 17)), *(s for _, s in groups)])

    def _of_crops(self, image: Image, crops: Sequence[Crop]) -> tuple[FloatArray, FloatArray]:
        width, height = self.input_px
        numbers = np.zeros((self._model.batch or len(crops), height, width, 3), dtype=np.float32)
        for k, crop in enumerate(crops):
            numbers[k] = (cut_out(image, crop) - _MEAN) / _STD
        x, y = (rows[: len(crops), :17] for rows in self._rows(numbers.transpose(0, 3, 1, 2)))
        points, scores = decode_simcc(x, y, self.input_px)
        return np.stack([crop.to_image(p) for crop, p in zip(crops, points, strict=True)]), scores

    def _rows(self, numbers: npt.NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        outputs = self._model.run(numbers)
        x, y = (np.asarray(outputs[name], dtype=np.float64) for name in self._axes)
        return x, y

    def _axes_by_name(self) -> tuple[str, str]:
        """Names of the outputs along x and y; two outputs of other names are x and y in this order."""
        names = self._model.outputs
        if len(names) != 2:
            raise self._foreign(f"its outputs are {', '.join(names)}")
        return ("simcc_x", "simcc_y") if set(names) == {"simcc_x", "simcc_y"} else (names[0], names[1])

    def _input_by_outputs(self) -> tuple[int, int]:
        """Where the file leaves the size of its input open: RTMPose has two bins a pixel."""
        shapes = dict(zip(self._model.outputs, self._model.output_shapes, strict=True))
        x, y = (shapes[name][-1] if shapes[name] else None for name in self._axes)
        if not (isinstance(x, int) and isinstance(y, int)):
            raise InputError(
                f"{self._model.path} does not tell the size of its input.", "Export it for one size, as 192 × 256."
            )
        return x // 2, y // 2

    def _foreign(self, why: str) -> InputError:
        return InputError(
            f"{self._model.path} is no pose model that can be used: {why}.",
            "Expected are simcc_x (N, K, W·split) and simcc_y (N, K, H·split): export RTMPose with MMDeploy.",
        )


def name_of(route: str, files: Sequence[Path], settings: Sequence[object]) -> str:
    """A name that tells models, by what is in their files, and settings apart."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(sha256_of(file).encode())
    digest.update(repr(tuple(settings)).encode())
    return f"{route}-{digest.hexdigest()[:12]}"


def boxes_from(around: Sequence[FloatArray], image: Image) -> list[FloatArray]:
    """People's boxes (4,) from those of their keypoints; without those that are unknown, tiny or outside the image."""
    height, width = image.shape[:2]
    boxes = []
    for box in around:
        left, top, right, bottom = np.asarray(box, dtype=np.float64)
        inside = left < width and top < height and right > 0.0 and bottom > 0.0
        if inside and right >= left and bottom >= top and max(right - left, bottom - top) >= _LEAST_PX:
            boxes.append(widened(box, _WIDER))
    return boxes


def people(points: FloatArray, scores: FloatArray, image: Image, min_score: float) -> list[Seen]:
    """Each person once, the surest of several sightings, from keypoints (N, 17, 2) and scores (N, 17) of an image.

    Joints below the score or outside the image are NaN in all three; whoever shows less than five is left out.
    """
    height, width = image.shape[:2]
    keypoints = np.concatenate([points, np.clip(scores, 0.0, 1.0)[..., None]], axis=-1)  # (N, 17, 3)
    x, y, score = np.moveaxis(keypoints, -1, 0)
    seen = (score >= min_score) & (x >= 0.0) & (y >= 0.0) & (x <= width) & (y <= height)
    keypoints[~seen] = np.nan
    keypoints = keypoints[seen.sum(axis=1) >= _TOO_FEW]
    return [Seen(keypoints[k]) for k in each_once(keypoints, _SAME_PERSON)]
