"""Kinebind binds what body-worn IMUs feel to what a camera sees."""

from typing import TYPE_CHECKING, Any

from kinebind.clock import ClockMap
from kinebind.errors import InputError, KinebindError
from kinebind.imu import Imu
from kinebind.motion import Motion, Skeleton
from kinebind.poses import Poses
from kinebind.recording import Label, Recording
from kinebind.store import load, save

if TYPE_CHECKING:
    from kinebind.readers import read
    from kinebind.tasks.sync import SyncResult, sync

__version__ = "0.1.0"

__all__ = [
    "ClockMap", "Imu", "InputError", "KinebindError", "Label", "Motion", "Poses", "Recording", "Skeleton",
    "SyncResult", "load", "read", "save", "sync",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What is loaded when it is first asked for: readers and estimator take longer to import than all types."""
    if name == "read":
        from kinebind.readers import read

        return read
    if name in ("sync", "SyncResult"):
        from kinebind.tasks import sync as task

        return getattr(task, name)
    raise AttributeError(f"module 'kinebind' has no attribute '{name}'")
