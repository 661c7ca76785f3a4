"""Files that Kinebind writes and reads again: sensors as tables, recording.toml."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.output.tables import channels, column, write_table
from kinebind.store import written_whole


def write_imu_table(imus: Sequence[Imu], path: Path) -> None:
    """Write sensors to a .csv or .parquet, whole or not at all.

    One sensor gives the columns `acc_x (m/s2)`, `gyr_x (rad/s)`, `quat_x`, `mag_x`; several that share their times
    stand side by side with their names in front. Missing values are empty.
    Raises InputError for another ending, sensors whose times differ, and a place that cannot be written.
    """
    first = imus[0]
    if any(not np.array_equal(imu.time_s, first.time_s) for imu in imus):
        names = ", ".join(imu.name for imu in imus)
        raise InputError(
            f"The sensors {names} are not sampled at the same times, so one table cannot hold them.",
            "Convert to a .kinebind file, or choose one sensor with --sensor NAME.",
        )
    columns = {"time (s)": pa.array(first.time_s)}
    for imu in imus:
        prefix = f"{imu.name}_" if len(imus) > 1 else ""
        for name, unit, values in channels(imu):
            columns[f"{prefix}{name}{f' ({unit})' if unit else ''}"] = column(values)
    write_table(pa.table(columns), path)


def write_toml(path: Path, facts: dict[str, object], sensors: Sequence[dict[str, object]]) -> None:
    """Write a recording.toml of keys and values, and of a table for each sensor."""
    lines = [_line(*item) for item in facts.items()]
    for sensor in sensors:
        lines += ["", "[[imu]]", *(_line(*item) for item in sensor.items())]
    with written_whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(key: str, value: object) -> str:
    # JSON's words, numbers, booleans and lists of them are TOML's too.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"
