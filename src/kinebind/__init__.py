"""Kinebind binds what body-worn IMUs feel to what a camera sees."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from kinebind import store
from kinebind.clock import ClockMap
from kinebind.errors import InputError, KinebindError
from kinebind.imu import Imu
from kinebind.motion import Motion, Skeleton
from kinebind.poses import Poses
from kinebind.recording import Label, Recording
from kinebind.store import save

if TYPE_CHECKING:
    from kinebind.nn import Model
    from kinebind.readers import read
    from kinebind.tasks.binder import Binder
    from kinebind.tasks.sync import SyncResult, sync

__version__ = "0.1.0"

__all__ = [
    "ClockMap", "Imu", "InputError", "KinebindError", "Label", "Motion", "Poses", "Recording", "Skeleton",
    "SyncResult", "load", "read", "save", "sync",
]  # fmt: skip


@overload
def load(path: Literal["universal"] = "universal", recipe: None = None) -> "Binder": ...
@overload
def load(path: str | Path, recipe: None = None) -> Recording | Any: ...
@overload
def load(path: str | Path, recipe: str | Path) -> "Model": ...
def load(path: str | Path = "universal", recipe: str | Path | None = None) -> Any:
    """The universal model that comes with Kinebind; or, by a path, a recording that `save` wrote, or a trained model.

    Without a path, or for "universal": a `kinebind.tasks.binder.Binder` with model, input contract, model card and
    licence (CC BY 4.0; logged once). Nothing is fetched. Universal models from elsewhere come from a `.safetensors`
    file, or from a folder that `kinebind export` wrote and onnxruntime runs.

    Any other model (`kinebind.nn.Model`) comes from a `.safetensors` file of Kinebind, or from a `.pt` state dict of
    MoBind's authors, of which only tensors are read. recipe: the name of one that comes with Kinebind
    (mobind-mri-stage2) or a .toml file; needed for the authors' files, which do not say what their input was, and
    otherwise checked against the model's contract.

    Raises InputError where the file is missing, damaged, of another kind or version, would run code, or does not fit
    the recipe (naming the tensors or values that differ).
    """
    if recipe is None and (binder := _universal(path)) is not None:
        return binder
    if recipe is None and (Path(path).suffix not in _MODEL_SUFFIXES or store.is_recording_file(path)):
        return store.load(path)
    from kinebind.training.models import load_model

    return load_model(path, recipe)


_MODEL_SUFFIXES = (".safetensors", ".pt", ".pth")


def _universal(path: str | Path) -> "Binder | None":
    """The universal model that a word, a file or a folder stands for; None where it is something else."""
    if path == "universal":
        from kinebind.tasks.binder import shipped

        return shipped()
    if (Path(path) / "contract.json").is_file():
        from kinebind.tasks.onnx_binder import load_onnx

        return load_onnx(path)
    if Path(path).suffix == ".safetensors" and Path(path).is_file() and not store.is_recording_file(path):
        from kinebind.nn.universal_file import is_universal_file
        from kinebind.tasks.binder import from_file

        return from_file(path) if is_universal_file(path) else None
    return None


def __getattr__(name: str) -> Any:
    """What is loaded when it is first asked for: readers and estimator take longer to import than all types."""
    if name == "read":
        from kinebind.readers import read

        return read
    if name in ("sync", "SyncResult"):
        from kinebind.tasks import sync as task

        return getattr(task, name)
    raise AttributeError(f"module 'kinebind' has no attribute '{name}'")
