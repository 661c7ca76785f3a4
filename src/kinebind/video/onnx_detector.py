"""Finding people with an ONNX file of the user's own: RTMDet or YOLOX, as MMDeploy and YOLOX export them.

Three kinds of outputs are read:
- `dets` (1, N, 5), left, top, right, bottom, score in pixels of the input, with `labels` (1, N): overlapping boxes are
  taken out by the file itself (MMDeploy, RTMDet as well as YOLOX).
- one output (1, N, 5): the same without labels.
- one output (1, A, 5 + classes): YOLOX' own, A anchors with x, y, width, height, how sure an object is there, and how
  sure it is of each class; overlapping boxes are taken out here. The first class is a person.

How pixels become numbers is no part of such files: RTMDet takes them less their mean, YOLOX as they are, both in the
order blue, green, red. Which of the two a file is, its outputs tell, or its name, or else how it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.backend import Image
from kinebind.video.oks import overlap

Kind = Literal["rtmdet", "yolox"]
_MEAN_STD = {
    "rtmdet": np.array([[103.53, 116.28, 123.675], [57.375, 57.12, 58.395]], dtype=np.float32),
    "yolox": np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], dtype=np.float32),
}  # of blue, green, red
MIN_SCORE = 0.3
_SAME_BOX = 0.45
"""Overlap (intersection over union) of two boxes above which they are of one person."""
_SIDE_PX = 640
"""Of the input where the file leaves it open."""
_PAD = 114
_STRIDES = (8, 16, 32)
_EXPECTED = (
    "A detector has the outputs dets (1, N, 5) and labels (1, N), or one output (1, N, 5) or, for its input, YOLOX' "
    "(1, anchors, 5 + classes): export RTMDet or YOLOX with MMDeploy."
)


def needs_onnxruntime() -> None:
    """Raises InputError where onnxruntime is not installed."""
    if find_spec("onnxruntime") is None:
        raise InputError(
            "ONNX models need the package onnxruntime, which is not installed.", "pip install 'kinebind[onnx]'"
        )


def opened(path: Path, providers: Sequence[str] | None = None) -> Any:
    """An onnxruntime session of a file, on one thread.

    providers: names of onnxruntime's execution providers, the preferred first; by default the CPU's.
    Raises InputError where onnxruntime or a provider is missing, or the file is missing, damaged or no ONNX model.
    """
    needs_onnxruntime()
    import onnxruntime

    chosen = list(providers) if providers is not None else ["CPUExecutionProvider"]
    there = onnxruntime.get_available_providers()
    unknown = [name for name in chosen if name not in there]
    if unknown or not chosen:
        raise InputError(f"onnxruntime has no provider {', '.join(unknown)} here.", f"It has: {', '.join(there)}.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the path of the ONNX model.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise InputError(
            f"{path} cannot be read as an ONNX model ({str(error).splitlines()[0]}).",
            "It is damaged or another kind of file: copy it again, or export the model again.",
        ) from error


class ImageModel:
    """An ONNX file whose only input is a batch of images (N, 3, H, W).

    batch: how many images at once, or None for any number. input_px: W and H, or None where the file leaves them open.
    """

    def __init__(self, path: Path, providers: Sequence[str] | None = None) -> None:
        """Raises InputError as `opened` does, and where the inputs are others."""
        self.path = path
        self._session = opened(path, providers)
        inputs = self._session.get_inputs()
        self.outputs: list[str] = [output.name for output in self._session.get_outputs()]
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or shape[1] != 3 or inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            told = "; ".join(f"{i.name} {tuple(i.shape)} {i.type}" for i in inputs) or "none"
            raise InputError(
                f"{path} does not look at images: its inputs are {told}.",
                "Expected is one input (N, 3, height, width) of floating point numbers.",
            )
        self._input = inputs[0].name
        self._dtype = np.float16 if inputs[0].type == "tensor(float16)" else np.float32
        self.batch: int | None = shape[0] if isinstance(shape[0], int) else None
        fixed = isinstance(shape[2], int) and isinstance(shape[3], int)
        self.input_px: tuple[int, int] | None = (shape[3], shape[2]) if fixed else None
        self.output_shapes: list[list[Any]] = [list(output.shape) for output in self._session.get_outputs()]

    def run(self, images: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name for images (N, 3, H, W). Raises InputError where the model cannot be run."""
        try:
            given = {self._input: np.ascontiguousarray(images, dtype=self._dtype)}
            return dict(zip(self.outputs, self._session.run(None, given), strict=True))
        except Exception as error:
            raise InputError(
                f"{self.path} cannot be run on images of {images.shape[3]} × {images.shape[2]} pixels "
                f"({str(error).splitlines()[0]}).",
                "Export the model again.",
            ) from error


class PersonDetector:
    """People's boxes in an image. kind: "rtmdet" or "yolox", which tells how pixels become numbers."""

    def __init__(
        self,
        path: Path,
        *,
        kind: Kind | None = None,
        min_score: float = MIN_SCORE,
        providers: Sequence[str] | None = None,
    ) -> None:
        """kind: by default found out. min_score: boxes that are less sure, 0..1, are left out.

        Runs the model once on a grey image. Raises InputError where the file is missing, damaged or of another kind.
        """
        if kind is not None and kind not in get_args(Kind):
            raise InputError(f"There is no kind of detector '{kind}'.", "Choose rtmdet or yolox.")
        self._model = ImageModel(path, providers)
        self._min_score = min_score
        self.input_px = self._model.input_px or (_SIDE_PX, _SIDE_PX)
        width, height = self.input_px
        self._style, pixel_boxes = _style(self._model, np.full((1, 3, height, width), float(_PAD)), self.input_px)
        self._decoded = pixel_boxes
        self.kind: Kind = kind or ("yolox" if self._style == "raw" else _kind_of(path))

    def boxes(self, image: Image) -> FloatArray:
        """(N, 4) left, top, right, bottom of each person in pixels of the image, the surest first."""
        padded, scale = letterboxed(image, self.input_px)
        mean, std = _MEAN_STD[self.kind]
        numbers = (padded[..., ::-1].astype(np.float32) - mean) / std
        outputs = self._model.run(numbers.transpose(2, 0, 1)[None])
        if self._style == "raw":
            (table,) = outputs.values()
            boxes, score = yolox_boxes(table[0], self.input_px, decoded=self._decoded)
        else:
            boxes, score = _finished(outputs)
        sure = np.isfinite(boxes).all(axis=1) & (score >= self._min_score)
        boxes, score = boxes[sure], score[sure]
        kept = each_once(boxes, score) if self._style == "raw" else np.argsort(-score, kind="stable")
        boxes = boxes[kept] / np.tile(scale, 2)
        height, width = image.shape[:2]
        boxes = np.clip(boxes, 0.0, np.tile([float(width), float(height)], 2))
        return np.asarray(boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])])


def letterboxed(image: Image, input_px: tuple[int, int]) -> tuple[Image, FloatArray]:
    """An image scaled to fit into width and height, in the upper left of grey 114; and the scale (2,) along x and y.

    A point of the image times the scale is its point in what comes out.
    """
    height, width = image.shape[:2]
    ratio = min(input_px[0] / width, input_px[1] / height)
    size = (max(1, int(width * ratio + 1e-6)), max(1, int(height * ratio + 1e-6)))
    padded = np.full((input_px[1], input_px[0], 3), _PAD, dtype=np.uint8)
    padded[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return padded, np.array([size[0] / width, size[1] / height])


def yolox_boxes(
    table: npt.ArrayLike, input_px: tuple[int, int], *, decoded: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Boxes (A, 4) left, top, right, bottom in pixels of the input, and how sure each is of a person (A,).

    table (A, 5 + classes): x, y, width, height, object, classes. x and y are cells from the anchor's own, width and
    height the logarithm of cells; or all four are pixels where they are decoded.
    """
    rows = np.asarray(table, dtype=np.float64)
    centre, size = rows[:, :2], rows[:, 2:4]
    if not decoded:
        cells, strides = _anchors(input_px)
        # Without a limit a foreign file's numbers overflow.
        centre, size = (centre + cells) * strides, np.exp(np.minimum(size, 20.0)) * strides
    return np.concatenate([centre - 0.5 * size, centre + 0.5 * size], axis=1), rows[:, 4] * rows[:, 5]


def each_once(boxes: FloatArray, score: FloatArray, same: float = _SAME_BOX) -> npt.NDArray[np.intp]:
    """Indices of the boxes (N, 4) that no surer one overlaps by more than `same`, the surest first."""
    kept: list[int] = []
    left = np.argsort(-score, kind="stable")
    while left.size:
        first, rest = left[0], left[1:]
        kept.append(int(first))
        left = rest[overlap(boxes[first][None], boxes[rest])[0] <= same]
    return np.array(kept, dtype=np.intp)


def _anchors(input_px: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Cells (A, 2), x and y, and strides (A, 1) of YOLOX' anchors: fine to coarse, row by row."""
    cells, strides = [], []
    for stride in _STRIDES:
        across, down = input_px[0] // stride, input_px[1] // stride
        y, x = np.divmod(np.arange(across * down), max(across, 1))
        cells.append(np.stack([x, y], axis=1))
        strides.append(np.full((across * down, 1), stride))
    return np.concatenate(cells).astype(np.float64), np.concatenate(strides).astype(np.float64)


def _finished(outputs: dict[str, npt.NDArray[Any]]) -> tuple[FloatArray, FloatArray]:
    """Boxes (N, 4) in pixels of the input and scores (N,) of people, where the file takes out overlaps itself."""
    dets = outputs["dets"] if "dets" in outputs else next(iter(outputs.values()))
    rows = np.asarray(dets, dtype=np.float64)[0]
    if "labels" in outputs:
        rows = rows[np.asarray(outputs["labels"])[0] == 0]
    return rows[:, :4], rows[:, 4]


def _style(model: ImageModel, grey: FloatArray, input_px: tuple[int, int]) -> tuple[str, bool]:
    """ "finished" or "raw", and whether raw boxes are in pixels; told by what comes out for a grey image."""
    outputs = model.run(grey)
    shapes = {name: tuple(np.shape(values)) for name, values in outputs.items()}
    first = next(iter(shapes.values()))
    if set(shapes) == {"dets", "labels"}:
        dets, labels = shapes["dets"], shapes["labels"]
        if len(dets) == 3 and dets[0] == 1 and dets[2] == 5 and labels == dets[:2]:
            return "finished", False
    elif len(shapes) == 1 and len(first) == 3 and first[0] == 1:
        if first[2] == 5:
            return "finished", False
        cells, _ = _anchors(input_px)
        if first[2] > 5 and first[1] == len(cells):
            # Offsets are about a cell, places in pixels are spread over the whole input.
            (table,) = outputs.values()
            return "raw", bool(np.median(np.abs(table[0, :, :2])) > 8.0)
    told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    raise InputError(
        f"{model.path} is no detector of people that can be used: for an input of {input_px[0]} × {input_px[1]} pixels "
        f"its outputs are {told}.",
        _EXPECTED,
    )


def _kind_of(path: Path) -> Kind:
    """Whose file it is, by its name, that of its folder, or how it begins."""
    for name in (path.name.lower(), path.absolute().parent.name.lower()):
        named = [kind for kind in get_args(Kind) if kind in name]
        if len(named) == 1:
            return "rtmdet" if named[0] == "rtmdet" else "yolox"
    if find_spec("onnx") is not None:
        import onnx

        graph = onnx.load(path, load_external_data=False).graph
        images = {given.name for given in graph.input} - {weights.name for weights in graph.initializer}
        first = {node.op_type for node in graph.node if images & set(node.input)}
        # YOLOX first takes every second pixel apart; RTMDet folds the image at once.
        if first == {"Slice"}:
            return "yolox"
        if first == {"Conv"}:
            return "rtmdet"
    raise InputError(
        f"{path} does not tell whether it is RTMDet or YOLOX, which take pixels in different ways.",
        "Put rtmdet or yolox into the file's name, or give detector_kind.",
    )
