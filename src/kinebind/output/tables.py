"""Tables of samples: a sensor's channels as columns, and writing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.store import written_whole


def channels(imu: Imu) -> Iterator[tuple[str, str, FloatArray]]:
    """Name (`acc_x`), unit ("" where it has none) and values (T,) of everything that a sensor measures."""
    for name, value, axes, unit in (
        ("acc", imu.acc_sensor, "xyz", "m/s2"), ("gyr", imu.gyr_sensor, "xyz", "rad/s"),
        ("quat", imu.rot_world_from_sensor, "xyzw", ""), ("mag", imu.mag_sensor, "xyz", ""),
    ):  # fmt: skip
        if value is not None:
            for k, axis in enumerate(axes):
                yield f"{name}_{axis}", unit, value[:, k]


def column(values: FloatArray) -> pa.Array:
    """Measured values (T,) as 32-bit floats, finer than any sensor; NaN becomes empty."""
    return pa.array(values.astype(np.float32), from_pandas=True)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table to a .csv or .parquet, whole or not at all.

    Raises InputError for another ending and a place that cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InputError(f"{path}: a table of samples is .csv or .parquet.", "Choose another ending.")
    with written_whole(path) as part:
        if suffix == ".csv":
            pa.csv.write_csv(table, part)
        else:
            # Hardly two samples are alike, so a dictionary would only cost time.
            pa.parquet.write_table(table, part, compression="zstd", compression_level=1, use_dictionary=["piece"])
