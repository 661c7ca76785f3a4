"""RTMPose's models as the package rtmlib names, fetches and keeps them; they are run by our own backend.

rtmlib is no dependency: it asks for two builds of OpenCV, which do not go together with MediaPipe's. Without its
dependencies (`pip install --no-deps rtmlib tqdm`) it uses what is here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from kinebind.errors import InputError
from kinebind.video.onnx_detector import needs_onnxruntime

RTMLIB = "rtmlib"
_USUAL = "balanced"


def is_rtmlib(word: str | Path | None) -> bool:
    """Whether a word for a pose model means rtmlib's: "rtmlib", or "rtmlib:" and one of its modes."""
    return word is not None and str(word).partition(":")[0] == RTMLIB


def rtmlib_files(word: str | Path) -> tuple[Path, Path]:
    """The detector's and the pose model's ONNX files, fetched by rtmlib where it does not have them yet.

    word: "rtmlib", or "rtmlib:MODE" with lightweight, balanced (the usual one) or performance. Raises InputError where
    rtmlib or onnxruntime is missing, for another mode, and where a file is not to be had.
    """
    needs_onnxruntime()
    if find_spec(RTMLIB) is None:
        raise InputError("The package rtmlib is not installed.", "pip install --no-deps rtmlib tqdm")
    from rtmlib import Body
    from rtmlib.tools.file import download_checkpoint

    mode = str(word).partition(":")[2] or _USUAL
    if mode not in Body.MODE:
        raise InputError(f"rtmlib has no mode '{mode}'.", f"Use one of: {', '.join(sorted(Body.MODE))}.")
    detector, pose = (_fetched(download_checkpoint, Body.MODE[mode][part]) for part in ("det", "pose"))
    return detector, pose


def _fetched(download: Callable[[str], str], url: str) -> Path:
    try:
        return Path(download(url))
    except Exception as error:  # whatever its download raises: no network, no space, a damaged archive
        name = Path(url).with_suffix(".onnx").name
        raise InputError(
            f"rtmlib could not fetch {url} ({error}).",
            f"Fetch it on another machine, and put its end2end.onnx into ~/.cache/rtmlib/hub/checkpoints as {name}; or "
            "give files: --detector det.onnx --pose-model pose.onnx.",
        ) from error
