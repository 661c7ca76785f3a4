"""WHARF's wrist recordings: three columns of codes 0 … 63 at 32 Hz, activity and person in the file's name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.recording import Label

RATE_HZ = 32.0
_DEFAULT = ImuOptions()
_CODES = 63
_RANGE_G = 1.5  # code 0 is −1.5 g, code 63 is 1.5 g
_NAME = re.compile(r"Accelerometer-\d{4}(?:-\d{2}){5}-(?P<activity>[a-z_]+)-(?P<person>[fm]\d+)")


def read_wharf(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The accelerometer of a recording, on the right wrist; sample k is at k/32 s. There is no gyroscope.

    Raises InputError where the file is damaged, or as `assemble` does.
    """
    head = read_head(path)
    try:
        codes = np.loadtxt(head.path, dtype=np.float64, ndmin=2)
    except (ValueError, OSError) as error:
        raise InputError(f"{head.path} is damaged: {error}.", "Unpack it again.") from error
    if codes.shape[1] != 3 or codes.min() < 0 or codes.max() > _CODES:
        raise InputError(f"{head.path} holds no three columns of codes 0 … {_CODES}.", "Unpack it again.")
    acc = (2.0 * codes / _CODES - 1.0) * _RANGE_G * GRAVITY_M_S2
    raw = RawImu(acc=acc, name=head.path.stem, site="right_wrist", acc_unit="m/s2", rate_hz=RATE_HZ)
    return assemble(raw, options)


def read_wharf_labels(path: str | Path) -> tuple[Label, ...]:
    """The one activity of a whole recording, as its file's name tells it, seconds of the sensor's clock."""
    found = _NAME.match(Path(path).name)
    (imu,) = read_wharf(path)
    return () if found is None else (Label(0.0, float(imu.time_s[-1]) + 1.0 / RATE_HZ, found["activity"]),)


def wharf_person(path: str | Path) -> str | None:
    """Who moves in a recording (`f4`), as its file's name tells."""
    found = _NAME.match(Path(path).name)
    return found["person"] if found else None


def _is_wharf(head: Head) -> bool:
    if head.is_binary or not _NAME.match(head.path.name) or not head.lines:
        return False
    cells = head.lines[0].split()
    return len(cells) == 3 and all(cell.isdigit() and int(cell) <= _CODES for cell in cells)


FORMAT = Format(
    "wharf", "imu", "WHARF wrist recordings (.txt, codes 0 … 63)", _is_wharf, read_wharf, labels=read_wharf_labels
)
