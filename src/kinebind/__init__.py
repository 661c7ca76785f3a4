"""Kinebind binds what body-worn IMUs feel to what a camera sees."""

from kinebind.clock import ClockMap
from kinebind.errors import InputError, KinebindError
from kinebind.imu import Imu
from kinebind.motion import Motion, Skeleton
from kinebind.poses import Poses
from kinebind.recording import Label, Recording
from kinebind.store import load, save
from kinebind.tasks.sync import SyncResult, sync

__version__ = "0.1.0"

__all__ = [
    "ClockMap", "Imu", "InputError", "KinebindError", "Label", "Motion", "Poses", "Recording", "Skeleton",
    "SyncResult", "load", "save", "sync",
]  # fmt: skip
