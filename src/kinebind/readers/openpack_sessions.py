"""OpenPack's sessions: one person's sensors, keypoints and operations on one clock, and its documented splits.

Everything stands on UNIX time in seconds, which sensors, Kinect and annotations share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.readers.openpack import read_openpack_atr, read_openpack_labels
from kinebind.recording import Recording

Split = Mapping[str, Mapping[str, str]]
"""Part of a split (train, val, test, submission) -> user -> digits of its sessions, "13" being S0100 and S0300."""

SPLITS: Mapping[str, Split] = {
    "debug": {"train": {"U0102": "123"}, "val": {"U0102": "4"}, "test": {"U0102": "5"}},
    "pilot": {
        "train": {"U0102": "12345", "U0103": "12345", "U0105": "12345"},
        "val": {"U0106": "24"}, "test": {"U0106": "135"}, "submission": {"U0107": "1235"},
    },
    "challenge-2022": {
        "train": {
            **dict.fromkeys(
                ("U0101", "U0102", "U0103", "U0105", "U0106", "U0107", "U0109", "U0111", "U0202", "U0205", "U0210"),
                "1245",
            )
        },
        "val": dict.fromkeys(("U0101", "U0103", "U0105", "U0107", "U0109", "U0111", "U0205"), "3"),
        "test": dict.fromkeys(("U0102", "U0106", "U0202", "U0210"), "3"),
        "submission": {
            "U0104": "13", "U0108": "1235", "U0110": "12345", "U0203": "12345", "U0204": "234", "U0207": "345",
        },
    },
}  # fmt: skip
OPERATIONS = (
    "Picking", "Relocate Item Label", "Assemble Box", "Insert Items", "Close Box", "Attach Box Label", "Scan Label",
    "Attach Shipping Label", "Put on Back Table", "Fill out Order", "Null",
)  # fmt: skip
_KEYPOINTS = "kinect/2d-kpt/*/single"
_KEYPOINTS_COUNT = 17


def part_of(split: str, user: str, session: str) -> str | None:
    """The part of a split that a session is in, None where it is in none.

    >>> part_of("pilot", "U0106", "S0300"), part_of("pilot", "U0106", "S0200"), part_of("debug", "U0209", "S0500")
    ('test', 'val', None)

    Raises InputError for a split that OpenPack does not have, and for a session's name of another kind.
    """
    if split not in SPLITS:
        raise InputError(f"OpenPack has no split '{split}'.", f"Use one of: {', '.join(SPLITS)}.")
    found = re.fullmatch(r"S0(\d)00", session)
    if found is None:
        raise InputError(f"'{session}' names no session.", "They are called S0100 to S0500.")
    for part, users in SPLITS[split].items():
        if found[1] in users.get(user, ""):
            return part
    return None


def openpack_sessions(root: str | Path) -> Iterator[Recording]:
    """All sessions under a folder, sorted by user and session.

    Each holds the ATR sensors, the operations as labels, and the single person's 2D keypoints where they were unpacked.
    meta: `user`, `session`, and the part in each split that it is in, as `split_pilot`, or "none". Raises InputError
    for what is no folder, where no session is in it, and as the readers do.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name the folder into which OpenPack was unpacked.")
    found = sorted({(p.parents[2], p.stem) for p in folder.rglob("atr/atr0[1-4]/S0[0-9]00.csv")})
    if not found:
        raise InputError(
            f"{folder} holds no sessions of OpenPack.", "It should hold folders U0101/atr/atr01 and so on."
        )
    for user, session in found:
        yield read_openpack_session(user, session)


def read_openpack_session(user: str | Path, session: str) -> Recording:
    """One session (as "S0100") of a user's folder (as U0101)."""
    home = Path(user)
    sensors = sorted(home.glob(f"atr/atr0[1-4]/{session}.csv"))
    if not sensors:
        raise InputError(f"{home} holds no sensors of {session}.", f"There should be atr/atr01/{session}.csv.")
    imus = tuple(imu.replace(clock_id="unix") for path in sensors for imu in read_openpack_atr(path))
    operations = home / "annotation" / "openpack-operations" / f"{session}.csv"
    labels = read_openpack_labels(operations).labels if operations.exists() else ()
    keypoints = sorted(home.glob(f"{_KEYPOINTS}/{session}.json"))
    people = (read_openpack_keypoints(keypoints[0]),) if keypoints else ()
    meta = {"user": home.name, "session": session}
    for split in SPLITS:
        meta[f"split_{split}"] = part_of(split, home.name, session) or "none"
    return Recording(people, imus, labels=labels, name=f"{home.name}-{session}", meta=meta)


def read_openpack_keypoints(path: str | Path) -> Poses:
    """The single person's keypoints of a session: COCO-17 in pixels, about 15 a second, times in UNIX milliseconds.

    Raises InputError for a file of another kind.
    """
    place = Path(path)
    try:
        rows = json.loads(place.read_text(encoding="utf-8"))["annotations"]
        time_ms = np.array([row["image_id"] for row in rows], dtype=np.float64)
        points = np.array([row["keypoints"] for row in rows], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{place} holds no keypoints of OpenPack ({error}).", "Unpack it again.") from error
    if points.ndim != 3 or points.shape[1:] != (_KEYPOINTS_COUNT, 3):
        raise InputError(
            f"{place} holds keypoints of the shape {points.shape}; a person's are ({_KEYPOINTS_COUNT}, 3).",
            "Take the folder 'single' of the set's 2D keypoints.",
        )
    order = np.argsort(time_ms, kind="stable")
    order = order[np.concatenate([[True], np.diff(time_ms[order]) > 0])]
    time_ms, points = time_ms[order], points[order]
    missing = ~np.isfinite(points).all(axis=2) | (points[..., 2] <= 0)
    keypoints = np.where(missing[..., None], np.nan, points[..., :2])
    return Poses(time_ms / 1e3, keypoints, np.where(missing, 0.0, points[..., 2]), person="1")
