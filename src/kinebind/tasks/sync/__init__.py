"""Synchronisation of clocks: which IMU time is which video time."""

from kinebind.tasks.sync.estimate import Hint, sync
from kinebind.tasks.sync.result import (
    ClockAnswer,
    Curve,
    Method,
    Piece,
    Reason,
    Residuals,
    SensorFinding,
    SyncResult,
)

__all__ = [
    "ClockAnswer", "Curve", "Hint", "Method", "Piece", "Reason", "Residuals", "SensorFinding", "SyncResult", "sync",
]  # fmt: skip
