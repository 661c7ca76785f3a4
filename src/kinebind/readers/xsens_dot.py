"""Xsens DOT csv exports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble, with_site_in_name
from kinebind.readers.delimited import read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.readers.repair import unwrap

_DEFAULT = ImuOptions()
_ACC, _FREE, _GYR, _MAG = (
    tuple(f"{kind}_{axis}" for axis in "XYZ") for kind in ("Acc", "FreeAcc", "Gyr", "Mag")
)  # fmt: skip
_QUAT = tuple(f"Quat_{axis}" for axis in "WXYZ")
_FINE = "SampleTimeFine"


def read_xsens_dot(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The sensor of a DOT csv: acceleration in m/s² (free and in the world's frame, or with gravity), rate in deg/s.

    Time is SampleTimeFine, µs, which wraps at 2³² (71.6 min). From free acceleration, f = Rᵀ(a + (0, 0, 9.81));
    without a gyroscope the rate is derived from the orientation. Sensors that the header calls synced share a
    clock, named by the recording's date and time in the file's name.
    Raises InputError where there is no acceleration, or free acceleration without a quaternion.
    """
    head = read_head(path)
    dialect = find_dialect(head)
    columns = set(dialect.names)
    acc_names = next((n for n in (_ACC, _FREE) if set(n) <= columns), None)
    if acc_names is None or _FINE not in columns:
        raise InputError(
            f"{head.path} has no acceleration or no SampleTimeFine.",
            f"Export in a mode with free acceleration and quaternion; it has: {', '.join(dialect.names)}.",
        )
    gyr_names, mag_names, quat_names = (n if set(n) <= columns else () for n in (_GYR, _MAG, _QUAT))
    wanted = [_FINE, *acc_names, *gyr_names, *mag_names, *quat_names]
    table = read_text_columns(head, dialect, wanted)

    def pick(names: Sequence[str]) -> FloatArray | None:
        return table.numbers[:, [wanted.index(n) for n in names]] if names else None

    facts = dict(re.findall(r"^([A-Za-z ]+?):[\s,;]*([^\r\n]*)$", "\n".join(dialect.preamble), re.MULTILINE))
    rate = re.match(r"[\d.]+", facts.get("OutputRate", ""))
    stem = head.path.stem
    match = re.fullmatch(r"(.+?)_(\d{8}_\d{6})(_\d+)?", stem)
    name, when = (match[1], match[2]) if match else (stem, None)
    synced = facts.get("SyncStatus", "").lower().startswith("synced")
    acc = pick(acc_names)
    assert acc is not None
    raw = with_site_in_name(RawImu(
        acc=acc, time=unwrap(table.numbers[:, 0], 2.0**32), gyr=pick(gyr_names), quat=pick(quat_names),
        mag=pick(mag_names), name=name,
        clock_id=f"xsens-dot {when}" if synced and when else None, acc_unit="m/s2", gyr_unit="deg/s", time_unit="us",
        rate_hz=float(rate[0]) if rate and rate[0].count(".") <= 1 and float(rate[0]) > 0 else None,
        quat_order="wxyz", gravity="included" if acc_names is _ACC else "removed", free_world=True,
        notes=(*dialect.notes(), *table.notes),
    ), name)  # fmt: skip
    return assemble(raw, options)


def _is_xsens_dot(head: Head) -> bool:
    lines = head.lines[:60]
    header = next((line for line in lines if _FINE in line and "Acc_X" in line), None)
    return header is not None and any(line.startswith(("DeviceTag", "sep=", "MeasurementMode")) for line in lines)


FORMAT = Format("xsens-dot", "imu", "Xsens DOT export (.csv)", _is_xsens_dot, read_xsens_dot)
