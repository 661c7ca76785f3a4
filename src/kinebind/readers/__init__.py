"""Readers: files of other programs become Kinebind's types, by content, in SI units, with every repair told."""

from kinebind.readers.columns import ColumnMap
from kinebind.readers.describe import describe_imu, describe_motion, describe_poses
from kinebind.readers.formats import FORMATS, format_named, read, read_imu, read_motion, read_poses, sniff
from kinebind.readers.formats_base import Format, Head

__all__ = [
    "FORMATS", "ColumnMap", "Format", "Head", "describe_imu", "describe_motion", "describe_poses", "format_named",
    "read", "read_imu", "read_motion", "read_poses", "sniff",
]  # fmt: skip
