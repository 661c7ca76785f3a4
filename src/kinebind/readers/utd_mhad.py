"""UTD-MHAD inertial files: `d_iner` (N, 6) in a .mat file, acceleration in g and angular rate in deg/s at 50 Hz."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.formats_base import Format, Head, read_head

_DEFAULT = ImuOptions()
_RATE_HZ = 50.0
_THIGH_FROM_ACTION = 22  # the sensor sits on the right wrist before, on the right thigh from here on


def read_utd_inertial(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The sensor of a UTD-MHAD clip; sample k is at k/50 s.

    The site follows from the action in the file's name (`a22_s1_t1_inertial.mat`): the right wrist for actions
    1–21, the right thigh for 22–27. Raises InputError where the file is damaged or not of this shape.
    """
    head = read_head(path)
    if "d_iner" not in head.mat_variables:
        raise InputError(f"{head.path} holds no variable d_iner.", "Name a file of the set's Inertial folder.")
    try:
        data = np.asarray(loadmat(str(head.path), variable_names=["d_iner"])["d_iner"], dtype=np.float64)
    except Exception as error:  # scipy raises whatever a damaged file leads to
        raise InputError(f"{head.path} is damaged: {error}.", "Unpack it again.") from error
    if data.ndim != 2 or data.shape[1] != 6:
        raise InputError(f"{head.path}: d_iner has shape {data.shape}, not (N, 6).", "Unpack it again.")
    match = re.search(r"a(\d+)_s\d+_t\d+", head.path.stem)
    site = None
    if match:
        site = "right_thigh" if int(match[1]) >= _THIGH_FROM_ACTION else "right_wrist"
    raw = RawImu(
        acc=data[:, :3], gyr=data[:, 3:], name=head.path.stem, site=site, acc_unit="g", gyr_unit="deg/s",
        rate_hz=_RATE_HZ,
    )  # fmt: skip
    return assemble(raw, options)


def _is_utd_inertial(head: Head) -> bool:
    return "d_iner" in head.mat_variables


FORMAT = Format("utd-mhad", "imu", "UTD-MHAD inertial (.mat, d_iner)", _is_utd_inertial, read_utd_inertial)
