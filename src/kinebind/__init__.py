"""Kinebind binds what body-worn IMUs feel to what a camera sees."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

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
    from kinebind.tasks.sync import SyncResult, sync

__version__ = "0.1.0"

__all__ = [
    "ClockMap", "Imu", "InputError", "KinebindError", "Label", "Motion", "Poses", "Recording", "Skeleton",
    "SyncResult", "load", "read", "save", "sync",
]  # fmt: skip


@overload
def load(path: str | Path, recipe: None = None) -> Recording | Any: ...
@overload
def load(path: str | Path, recipe: str | Path) -> "Model": ...
def load(path: str | Path, recipe: str | Path | None = None) -> Any:
    """A recording that `save` wrote, or a trained model (`kinebind.nn.Model`) with its input contract.

    A model comes from a `.safetensors` file of Kinebind, or from a `.pt` state dict of MoBind's authors, of which only
    tensors are read. recipe: the name of one that comes with Kinebind (mobind-mri-stage2) or a .toml file; needed for
    the authors' files, which do not say what their input was, and otherwise checked against the model's contract.
    Raises InputError where the file is missing, damaged, of another kind or version, would run code, or does not fit
    the recipe (naming the tensors or values that differ).
    """
    if recipe is None and (Path(path).suffix not in _MODEL_SUFFIXES or store.is_recording_file(path)):
        return store.load(path)
    from kinebind.training.models import load_model

    return load_model(path, recipe)


_MODEL_SUFFIXES = (".safetensors", ".pt", ".pth")


def __getattr__(name: str) -> Any:
    """What is loaded when it is first asked for: readers and estimator take longer to import than all types."""
    if name == "read":
        from kinebind.readers import read

        return read
    if name in ("sync", "SyncResult"):
        from kinebind.tasks import sync as task

        return getattr(task, name)
    raise AttributeError(f"module 'kinebind' has no attribute '{name}'")
