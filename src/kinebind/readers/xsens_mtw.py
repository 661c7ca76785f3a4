"""Xsens MTw text exports (MT Manager), and text files that imitate them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble, with_site_in_name
from kinebind.readers.delimited import read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.readers.repair import unwrap

_DEFAULT = ImuOptions()
_ACC, _GYR, _MAG = (tuple(f"{kind}_{axis}" for axis in "XYZ") for kind in ("Acc", "Gyr", "Mag"))
_FREE = (tuple(f"FreeAcc_{axis}" for axis in "ENU"), tuple(f"FreeAcc_{axis}" for axis in "XYZ"))
_QUAT = (tuple(f"Quat_q{i}" for i in range(4)), tuple(f"Quat_{axis}" for axis in "wxyz"))
_MATRIX = tuple(f"Mat[{i}][{j}]" for i in (1, 2, 3) for j in (1, 2, 3))
_COUNTER, _FINE = "PacketCounter", "SampleTimeFine"


def read_xsens_mtw(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The sensor of an MTw text export: m/s², rad/s, orientation as quaternion or matrix, sensor to world, z up.

    Time is SampleTimeFine (µs, or 100 µs by the declared rate; wraps at 2³²), else PacketCounter (wraps at 2¹⁶)
    over the declared update rate. Rows of lost packets are put back as missing. Files of one export share a
    clock: its name is the file's without the device. The device does not tell the site.
    Raises InputError where acceleration or both clocks are missing.
    """
    head = read_head(path)
    dialect = find_dialect(head)
    columns = dialect.names
    acc_names = next((n for n in (_ACC, *_FREE) if set(n) <= set(columns)), None)
    if acc_names is None:
        raise InputError(
            f"{head.path} has no acceleration.", f"Export Acc_X, Acc_Y, Acc_Z; it has: {', '.join(columns)}."
        )
    quat_names = next((n for n in _QUAT if set(n) <= set(columns)), ())
    matrix_names = _MATRIX if set(_MATRIX) <= set(columns) and not quat_names else ()
    gyr_names, mag_names = (n if set(n) <= set(columns) else () for n in (_GYR, _MAG))
    clock_names = [n for n in (_COUNTER, _FINE) if n in columns]
    groups = (tuple(clock_names), acc_names, gyr_names, mag_names, quat_names, matrix_names)
    wanted = [name for group in groups for name in group]
    table = read_text_columns(head, dialect, wanted)
    notes = [*dialect.notes(), *table.notes]

    def pick(names: Sequence[str]) -> FloatArray | None:
        return table.numbers[:, [wanted.index(n) for n in names]] if names else None

    clocks = {name: table.numbers[:, wanted.index(name)] for name in clock_names}
    acc, gyr, mag, quat = pick(acc_names), pick(gyr_names), pick(mag_names), pick(quat_names)
    assert acc is not None
    matrix = pick(matrix_names)
    by_rows = bool(matrix_names) and columns.index("Mat[1][2]") == columns.index("Mat[1][1]") + 1
    free = acc_names is not _ACC or (by_rows and _is_free(acc))
    if matrix is not None:
        quat = _from_matrix(matrix.reshape(-1, 3, 3))
        if by_rows and free:
            # Undoes a known converter, which handed (w, x, y, z) to a routine that takes (x, y, z, w).
            quat = quat[:, [1, 2, 3, 0]]
            notes.append("The file was converted from Xsens DOT with its quaternion's parts displaced; they were "
                         "put back in place.")  # fmt: skip
    time, rate_hz, told = _time(clocks, _declared_rate_hz(head) if options.rate_hz is None else options.rate_hz)
    notes += told
    place, time = _with_lost_packets(clocks.get(_COUNTER), time, notes)
    stem = head.path.stem
    match = re.fullmatch(r"(.+)_([^_]+)", stem)
    export, device = (match[1], match[2]) if match else (stem, stem)
    raw = with_site_in_name(RawImu(
        acc=_placed(acc, place), time=time, gyr=_placed(gyr, place), quat=_placed(quat, place),
        mag=_placed(mag, place), name=device, clock_id=export, acc_unit="m/s2",
        gyr_unit="rad/s", time_unit="s", rate_hz=rate_hz, quat_order="xyzw" if matrix_names else "wxyz",
        gravity="removed" if free else "included", free_world=free, notes=tuple(notes),
    ), device)  # fmt: skip
    return assemble(raw, options)


def _declared_rate_hz(head: Head) -> float | None:
    match = re.search(r"Update Rate:\s*([\d.]+)\s*Hz", head.text)
    return float(match[1]) if match and match[1].count(".") <= 1 and float(match[1]) > 0 else None


def _time(clocks: dict[str, FloatArray], declared_hz: float | None) -> tuple[FloatArray, float | None, list[str]]:
    """Seconds of the rows, the rate where the counter needs it, and what should be told."""
    fine, counter = clocks.get(_FINE), clocks.get(_COUNTER)
    if fine is not None and np.isfinite(fine).sum() > 0.5 * fine.size:
        ticks = unwrap(fine, 2.0**32)
        step = np.diff(ticks[np.isfinite(ticks)])
        step = step[step > 0]
        # MT Manager counts 100 µs, newer software 1 µs: the step is nearer to the one or the other by the rate,
        # which may be declared wrongly, but not by a factor of ten. Without it: no body sensor samples at 1.1 kHz.
        limit = 1e5 / declared_hz if declared_hz else 900.0
        coarse = step.size > 0 and float(np.median(step)) < limit
        told = ["SampleTimeFine counts 100 µs here."] if coarse else []
        return ticks * (1e-4 if coarse else 1e-6), declared_hz, told
    if counter is None or not np.isfinite(counter).any():
        raise InputError("Neither PacketCounter nor SampleTimeFine is filled.", "Export one of them.")
    if declared_hz is None:
        raise InputError("The file does not declare its update rate.", "Add --rate HZ.")
    told = [f"Time is PacketCounter over {declared_hz:g} Hz."]
    return unwrap(counter, 65536.0) / declared_hz, declared_hz, told


def _with_lost_packets(
    counter: FloatArray | None, time: FloatArray, notes: list[str]
) -> tuple[np.ndarray | None, FloatArray]:
    """Where each row stands among all packets that were sent, and the times of them all; None where none was lost.

    Only between rows in order, and at most as many lost as received: more is a pause, which stays a gap.
    """
    if counter is None:
        return None, time
    number = unwrap(counter, 65536.0)
    step = np.diff(number)
    if number.size < 2 or not np.isfinite(number).all() or not np.isfinite(time).all() or (step < 1).any():
        return None, time
    lost = int(number[-1] - number[0]) + 1 - number.size
    if not 0 < lost <= number.size or (np.diff(time) <= 0).any():
        return None, time
    notes.append(f"Packets were lost ({lost}); their samples are missing.")
    place = (number - number[0]).astype(np.intp)
    return place, np.interp(np.arange(place[-1] + 1), place, time)


def _placed(values: FloatArray | None, place: np.ndarray | None) -> FloatArray:
    if values is None or place is None:
        return values  # type: ignore[return-value]
    out = np.full((int(place[-1]) + 1, values.shape[1]), np.nan)
    out[place] = values
    return out


def _from_matrix(matrix: FloatArray) -> FloatArray:
    """Quaternions (x, y, z, w) of rotation matrices (N, 3, 3); NaN for what is no rotation."""
    quat = np.full((matrix.shape[0], 4), np.nan)
    good = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    good[good] = np.abs(np.linalg.det(matrix[good]) - 1.0) < 0.05
    if good.any():
        quat[good] = Rotation.from_matrix(matrix[good]).as_quat()
    return quat


def _is_free(acc: FloatArray) -> bool:
    """Whether acceleration, m/s², lacks gravity."""
    norm = np.linalg.norm(acc, axis=1)
    norm = norm[np.isfinite(norm)]
    return bool(norm.size and np.median(norm) < 0.35 * GRAVITY_M_S2)


def _is_xsens_mtw(head: Head) -> bool:
    lines = head.lines[:60]
    header = next((line for line in lines if _COUNTER in line and "Acc_" in line), None)
    return header is not None and lines[0].lstrip().startswith("//")


FORMAT = Format("xsens-mtw", "imu", "Xsens MTw text export (MT Manager, .txt)", _is_xsens_mtw, read_xsens_mtw)
