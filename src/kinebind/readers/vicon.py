"""Vicon joint centres of the Neura walk: as recorded, one MATLAB file with a matrix (rows, 3) in millimetres a marker
or joint; as processed, a table in metres with three columns a joint."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import read_mat
from kinebind.readers.delimited import read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head

# Joint, its parent, and the variables whose mean it is. The pelvis is the middle of the two front markers, as in
# the data set's own processed table (PELV).
_TREE = (
    ("pelvis", "", ("LASI", "RASI")),
    ("left_hip", "pelvis", ("LHJC",)), ("left_knee", "left_hip", ("LKJC",)),
    ("left_ankle", "left_knee", ("LAJC",)), ("left_toe", "left_ankle", ("LTOE",)),
    ("right_hip", "pelvis", ("RHJC",)), ("right_knee", "right_hip", ("RKJC",)),
    ("right_ankle", "right_knee", ("RAJC",)), ("right_toe", "right_ankle", ("RTOE",)),
)  # fmt: skip
_JOINTS = tuple(joint for joint, _, _ in _TREE)
_PARENTS = tuple(_JOINTS.index(parent) if parent else -1 for _, parent, _ in _TREE)
_VARIABLES = tuple(variable for _, _, variables in _TREE for variable in variables)


def read_vicon(path: str | Path, *, rate_hz: float | None = None) -> Motion:
    """Positions of the pelvis and the leg joints, metres, in the laboratory's frame (z up).

    rate_hz: rows per second; 100 by default, as the set was recorded. Row 0 is time zero, which is the clock of
    the set's inertial files too: the IMU sample in row k belongs to k/100 s.
    Raises InputError unless the file holds every joint centre with the same number of rows.
    """
    rate = 100.0 if rate_hz is None else rate_hz
    if not 0 < rate < np.inf:
        raise InputError(f"A rate of {rate} rows/s cannot be.", "Give a positive rate_hz.")
    variables = dict(zip(_VARIABLES, read_mat(path, *_VARIABLES), strict=True))
    rows = variables["LHJC"].shape[0]
    odd = [f"{name} {array.shape}" for name, array in variables.items() if array.shape != (rows, 3)]
    if odd:
        raise InputError(f"{path}: {', '.join(odd)} instead of ({rows}, 3).", "Export all joints of one recording.")
    position = 1e-3 * np.stack([np.mean([variables[v] for v in names], axis=0) for _, _, names in _TREE], axis=1)
    return Motion(
        time_s=np.arange(rows) / rate,
        skeleton=Skeleton(_JOINTS, _PARENTS, np.full((len(_JOINTS), 3), np.nan)),
        position_world=position,
        name=Path(path).stem,
        notes=(
            f"{rate:g} rows/s{' as the set was recorded' if rate_hz is None else ' as given'}; millimetres, z up.",
            "The pelvis is the middle of the front hip markers (LASI, RASI).",
        ),
    )


_TABLE_JOINTS = ("PELV", "LFEP", "LFEO", "LTIO", "LTOE", "RFEP", "RFEO", "RTIO", "RTOE")  # in the order of _JOINTS
_TABLE_COLUMNS = tuple(f"{joint}_{axis}" for joint in _TABLE_JOINTS for axis in (1, 2, 3))


def read_vicon_table(path: str | Path, *, rate_hz: float | None = None) -> Motion:
    """Positions of the pelvis and the leg joints from the set's processed table, metres, world z up.

    rate_hz: rows per second; by default the table's own `fs`. Time counts from the first row of the recording that
    the table was cut from (its `idx`), which is the clock of the set's raw files.
    Raises InputError where the rate, the unit or a column is missing, and for damaged rows.
    """
    head = read_head(path)
    told = dict(re.findall(r"(\w+)=(\S+)", " ".join(line for line in head.lines[:20] if line.startswith("//"))))
    if told.get("posUnit") != "m":
        raise InputError(f"{path} does not say that its positions are in metres (posUnit=m).", "Export it again.")
    try:
        rate = float(told["fs"]) if rate_hz is None else rate_hz
        first_row = int(told.get("idx", "1").split(",")[0]) - 1
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} does not say its rate (fs=100).", "Give rate_hz.") from error
    if not 0 < rate < np.inf:
        raise InputError(f"A rate of {rate} rows/s cannot be.", "Give a positive rate_hz.")
    dialect = find_dialect(head)
    lacking = [name for name in _TABLE_COLUMNS if name not in dialect.names]
    if lacking:
        raise InputError(f"{path} has no column {lacking[0]}.", "Export all joints.")
    position = read_text_columns(head, dialect, _TABLE_COLUMNS).numbers.reshape(-1, len(_JOINTS), 3)
    return Motion(
        time_s=(first_row + np.arange(len(position))) / rate,
        skeleton=Skeleton(_JOINTS, _PARENTS, np.full((len(_JOINTS), 3), np.nan)),
        position_world=position,
        name=Path(path).stem,
        notes=(f"{rate:g} rows/s, metres, z up; the first row is row {first_row} of the recording.",),
    )


def _is_vicon_table(head: Head) -> bool:
    header = next((line for line in head.lines[:20] if not line.startswith("//")), "")
    return head.lines[:1] != () and head.lines[0].startswith("//") and header.startswith("PELV_1,PELV_2,PELV_3,LFEP_1")


def _is_vicon(head: Head) -> bool:
    return set(_VARIABLES) <= head.mat_variables.keys()


FORMATS = (
    Format(
        "vicon-mat", "motion", "Vicon joint centres of the Neura walk (.mat, LHJC, LKJC ...)", _is_vicon, read_vicon
    ),
    Format(
        "vicon-table",
        "motion",
        "Vicon joint centres of the Neura walk, processed (.csv, PELV_1 ...)",
        _is_vicon_table,
        read_vicon_table,
    ),
)
