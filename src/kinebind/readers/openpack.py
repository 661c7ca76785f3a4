"""OpenPack: ATR and Empatica sensors, and the operations and actions that annotate them."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.checks import mean_world
from kinebind.readers.delimited import read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.recording import Label, Recording

_DEFAULT = ImuOptions()
_ATR = ("unixtime", "acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z", "quat_w", "quat_x", "quat_y", "quat_z")
_E4 = ("time", "acc_x", "acc_y", "acc_z")
_SITES = {"atr01": "right_wrist", "atr02": "left_wrist", "atr03": "right_upper_arm", "atr04": "left_upper_arm"}
_HALF_TURNS = {"x": (1.0, 0.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0, 0.0), "z": (0.0, 0.0, 1.0, 0.0)}


def read_openpack_atr(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """An ATR sensor: g, deg/s, UNIX ms, quaternion w first, sensor to world, z up.

    The quaternion is of a sensor frame that is turned half round against acceleration and rate; about which axis
    is found by where mean(R·f) comes out upright, and told. Name and site follow from the folder (`atr01` …).
    Raises InputError as `assemble` does.
    """
    head = read_head(path)
    numbers, notes = _numbers(head, _ATR)
    acc, quat = numbers[:, 1:4], numbers[:, 7:11]
    matched, told = _matched_to_acceleration(quat[:, [1, 2, 3, 0]], acc)
    device = head.path.parent.name
    raw = RawImu(
        acc=acc, gyr=numbers[:, 4:7], quat=matched, time=numbers[:, 0].copy(),
        name=device if device in _SITES else head.path.stem, site=_SITES.get(device), acc_unit="g",
        gyr_unit="deg/s", time_unit="ms", quat_order="xyzw", notes=(*notes, *told),
    )  # fmt: skip
    return assemble(raw, options)


def _matched_to_acceleration(quat: FloatArray, acc: FloatArray) -> tuple[FloatArray | None, tuple[str, ...]]:
    """The quaternions for the acceleration's frame, found among none and the three half turns."""
    norm = np.linalg.norm(quat, axis=1, keepdims=True)
    unit = np.where(np.abs(norm - 1.0) < 0.05, quat / np.where(norm > 0, norm, 1.0), np.nan)
    turned = {"no axis": quat} | {axis: _times(quat, np.array(half)) for axis, half in _HALF_TURNS.items()}
    error = {}
    for axis, half in {"no axis": (0.0, 0.0, 0.0, 1.0), **_HALF_TURNS}.items():
        up = mean_world(_times(unit, np.array(half)), acc)
        error[axis] = float(np.linalg.norm(up / max(float(np.linalg.norm(up)), 1e-9) - [0, 0, 1]))
    best = min(error, key=lambda axis: error[axis])
    if not error[best] < 0.1:
        return None, ("The orientation fits the acceleration in no frame and was left out.",)
    if best == "no axis":
        return quat, ()
    return turned[best], (f"The orientation's sensor frame is turned by 180° about {best}; it was turned back.",)


def _times(p: FloatArray, q: FloatArray) -> FloatArray:
    """Hamilton product of quaternions (N, 4) and (4,), scalar last; keeps the norm of p where q has norm 1."""
    pv, pw, qv, qw = p[:, :3], p[:, 3:], q[:3], q[3]
    vector = pw * qv + qw * pv + np.cross(pv, qv)
    return np.concatenate([vector, pw * qw - (pv * qv).sum(axis=1, keepdims=True)], axis=1)


def read_openpack_e4(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """An Empatica E4's accelerometer, UNIX ms; its numbers are g/9.81, whatever the set's page says.

    Which wrist is not in the file. Raises InputError as `assemble` does.
    """
    head = read_head(path)
    numbers, notes = _numbers(head, _E4)
    raw = RawImu(
        acc=numbers[:, 1:4] * GRAVITY_M_S2, time=numbers[:, 0].copy(), name=head.path.parent.parent.name,
        acc_unit="g", time_unit="ms", notes=(*notes, "The acceleration was in units of g/9.81."),
    )  # fmt: skip
    return assemble(raw, options)


def _numbers(head: Head, names: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    dialect = find_dialect(head)
    table = read_text_columns(head, dialect, names)
    return table.numbers, (*dialect.notes(), *table.notes)


def read_openpack_labels(path: str | Path) -> Recording:
    """The labels of an operations or actions file, seconds of UNIX time, which is the ATR sensors' clock.

    Raises InputError for rows whose times are no dates.
    """
    head = read_head(path)
    labels = []
    with head.path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            name = row.get("action") or row.get("operation")
            try:
                start, end = (datetime.fromisoformat(str(row[key])).timestamp() for key in ("start", "end"))
            except (ValueError, KeyError) as error:
                raise InputError(f"{head.path}, line {number}: {error}.", "Unpack it again.") from error
            labels.append(Label(start, end, str(name)))
    if not labels:
        raise InputError(f"{head.path} holds no labels.", "Unpack it again.")
    return Recording(labels=tuple(labels), name=head.path.stem)


def _header(head: Head) -> tuple[str, ...]:
    return () if head.is_binary or not head.lines else tuple(head.lines[0].strip().split(","))


def _is_atr(head: Head) -> bool:
    return _header(head) == _ATR


def _is_e4(head: Head) -> bool:
    # The header alone could be anybody's; the folders e4/e401/acc are the set's own.
    return _header(head) == _E4 and head.path.parent.name == "acc" and head.path.parent.parent.name.startswith("e4")


def _is_labels(head: Head) -> bool:
    return {"uuid", "user", "session", "operation", "start", "end"} <= set(_header(head))


FORMATS = (
    Format("openpack-atr", "imu", "OpenPack ATR sensor (.csv)", _is_atr, read_openpack_atr),
    Format("openpack-e4", "imu", "OpenPack Empatica acceleration (.csv)", _is_e4, read_openpack_e4),
    Format("openpack-labels", "recording", "OpenPack operations and actions (.csv)", _is_labels, read_openpack_labels),
)
