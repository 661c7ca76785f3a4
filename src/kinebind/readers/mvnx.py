"""Xsens MVNX: the XML of MVN Analyze, with its sensors and the body that the suite fitted to them.

The file holds no gyroscope and no gravity: per sensor the free acceleration in the world's frame and the orientation.
Specific force and angular rate are derived from these, which the notes tell. The body is derived from the sensors as
well, so it is no independent reference for them. Frames are read one after another; the tree is never held whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import rotations_to_parents
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.recording import Recording

_SITES = {
    "Pelvis": "pelvis", "T8": "chest", "Sternum": "chest", "Head": "head",
    **{
        f"{side}{segment}": f"{side.lower()}_{site}"
        for side in ("Left", "Right")
        for segment, site in (
            ("UpperArm", "upper_arm"), ("ForeArm", "wrist"), ("UpperLeg", "thigh"), ("LowerLeg", "shank"),
            ("Foot", "foot"),
        )
    },
}  # fmt: skip
_STREAMS = {
    "orientation": 4, "position": 3, "sensorOrientation": 4, "sensorFreeAcceleration": 3, "sensorMagneticField": 3,
}  # fmt: skip
_SENSOR_STREAMS = ("sensorOrientation", "sensorFreeAcceleration")
_LARGEST_DRIFT_S = 0.002  # times are whole milliseconds
_FIX = "Export it again from MVN, as MVNX with its frames."


@dataclass
class _File:
    """What a file holds. points: (segment, point) to its place in the segment, metres. joints: connected points.

    frames: per stream one text a normal frame; index, time_ms, unix_ms: what the frames say of their time.
    """

    rate_hz: float = float("nan")
    segments: list[str] = field(default_factory=list)
    sensors: list[str] = field(default_factory=list)
    points: dict[tuple[str, str], str] = field(default_factory=dict)
    joints: list[tuple[str, str]] = field(default_factory=list)
    index: list[str | None] = field(default_factory=list)
    time_ms: list[str | None] = field(default_factory=list)
    unix_ms: list[str | None] = field(default_factory=list)
    frames: dict[str, list[FloatArray]] = field(default_factory=lambda: {name: [] for name in _STREAMS})


def read_mvnx(path: str | Path) -> Recording:
    """The sensors of a file as `imus`, on one clock, and the fitted body as its motion, in metres, world z up.

    Time counts from the first frame; `meta["start_unix_s"]` is its UNIX time where the file has it. Sensors on
    shoulder blades and hands have no site. Raises InputError for damaged XML, frames of unequal length, and files
    that hold neither sensors nor a body.
    """
    head = read_head(path)
    try:
        found = _parse(head.path)
        time_s = _times(found)
        imus = _sensors(found, time_s)
        motions = _body(found, time_s, head.path.stem)
    except InputError as error:
        raise error if str(path) in error.what else error.at(str(path)) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.", "Check the path and the disk.") from error
    except (ElementTree.ParseError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path} is not a whole MVNX file: {error}.", _FIX) from error
    if not imus and not motions:
        raise InputError(f"{path} holds neither sensor data nor segments.", "Export it with sensor data.")
    start = found.unix_ms[0]
    return Recording(
        imus=imus, motions=motions, name=head.path.stem,
        meta={"start_unix_s": f"{float(start) / 1000:.3f}"} if start is not None else {},
    )  # fmt: skip


def _parse(path: Path) -> _File:
    found = _File()
    frames: ElementTree.Element | None = None
    with path.open("rb") as stream:
        for event, element in ElementTree.iterparse(stream, ("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "frames":
                    frames = element
                elif tag == "subject":
                    found.rate_hz = float(element.get("frameRate", "nan"))
            elif tag == "frame":
                if element.get("type", "normal") == "normal":
                    _add_frame(found, element)
                if frames is not None:
                    frames.clear()  # what was read is not kept
            elif frames is None:
                _add_description(found, tag, element)
    return found


def _add_description(found: _File, tag: str, element: ElementTree.Element) -> None:
    label = element.get("label", "")
    if tag == "segment":
        found.segments.append(label)
        for point in element.iter():
            if point.tag.endswith("point"):
                for place in point:
                    found.points[label, point.get("label", "")] = place.text or ""
    elif tag == "sensor":
        found.sensors.append(label)
    elif tag == "joint":
        ends = [child.text or "" for child in element if "connector" in child.tag]
        if len(ends) == 2:
            found.joints.append((ends[0], ends[1]))


def _add_frame(found: _File, element: ElementTree.Element) -> None:
    for name, values in (("index", found.index), ("time", found.time_ms), ("ms", found.unix_ms)):
        values.append(element.get(name))
    for child in element:
        stream = found.frames.get(child.tag.rpartition("}")[2])
        if stream is not None:
            stream.append(np.array((child.text or "").split(), dtype=np.float64))


def _stream(found: _File, name: str, labels: Sequence[str]) -> FloatArray | None:
    """(T, labels, columns) of one stream, None where no frame has it; raises InputError where only some have it."""
    rows = found.frames[name]
    if not rows or not labels:
        return None
    wanted = len(labels) * _STREAMS[name]
    if len(rows) != len(found.index) or any(row.size != wanted for row in rows):
        odd = next((row.size for row in rows if row.size != wanted), wanted)
        raise InputError(
            f"'{name}' has {len(rows)} rows in {len(found.index)} frames, and {odd} numbers where {len(labels)} "
            f"need {wanted}.", _FIX,
        )  # fmt: skip
    return np.stack(rows).reshape(len(rows), len(labels), _STREAMS[name])


def _times(found: _File) -> FloatArray:
    """Seconds since the first frame (T,): the frame's number at the file's rate, or its whole milliseconds."""
    if len(found.index) < 2:
        raise InputError(f"It has {len(found.index)} frames of movement.", _FIX)
    told = _numbers(found.time_ms) / 1000.0
    counted = _numbers(found.index) / found.rate_hz if found.rate_hz > 0 else told
    if np.isfinite(counted).all():
        counted = counted - counted[0]
        drift = np.abs(counted - (told - told[0]))
        # Where the milliseconds tell another story, frames were dropped and numbered through.
        if not (drift > _LARGEST_DRIFT_S).any():
            return np.asarray(counted)
    if not np.isfinite(told).all():
        raise InputError("Its frames have neither numbers at a frame rate nor times.", _FIX)
    return np.asarray(told - told[0])


def _numbers(texts: Sequence[str | None]) -> FloatArray:
    return np.array([np.nan if text is None else float(text) for text in texts])


def _sensors(found: _File, time_s: FloatArray) -> tuple[Imu, ...]:
    quat, acc = (_stream(found, name, found.sensors) for name in _SENSOR_STREAMS)
    mag = _stream(found, "sensorMagneticField", found.sensors)
    if quat is None or acc is None:
        return ()
    imus: list[Imu] = []
    for k, label in enumerate(found.sensors):
        raw = RawImu(
            acc=acc[:, k], quat=quat[:, k], mag=None if mag is None else mag[:, k], time=time_s.copy(), name=label,
            site=_SITES.get(label), clock_id="xsens-mvn", acc_unit="m/s2", time_unit="s", quat_order="wxyz",
            gravity="removed", free_world=True,
        )  # fmt: skip
        imus += assemble(raw, ImuOptions())
    return tuple(imus)


def _body(found: _File, time_s: FloatArray, name: str) -> tuple[Motion, ...]:
    quat, position = (_stream(found, stream, found.segments) for stream in ("orientation", "position"))
    if quat is None or position is None:
        return ()
    order, parents, offsets = _tree(found)
    notes = ["The body was fitted to the sensors by MVN: it is no independent reference for them."]
    if len(order) < len(found.segments):
        loose = ", ".join(s for k, s in enumerate(found.segments) if k not in order)
        notes.append(f"Segments that no joint connects are left out: {loose}.")
    rot_world = quat[:, order][..., [1, 2, 3, 0]]
    return (
        Motion(
            time_s=time_s, skeleton=Skeleton(tuple(found.segments[k] for k in order), parents, offsets),
            rot_parent_from_joint=rotations_to_parents(rot_world, parents),
            root_position_world=position[:, order[0]], position_world=position[:, order], name=name,
            notes=tuple(notes),
        ),
    )  # fmt: skip


def _tree(found: _File) -> tuple[list[int], tuple[int, ...], FloatArray]:
    """Segments from the first one outwards (indices into the file's), their parents and offsets, metres."""
    children: dict[str, list[tuple[str, str]]] = {}
    for near, far in found.joints:
        segment, _, point = near.partition("/")
        children.setdefault(segment, []).append((far.partition("/")[0], point))
    order, parents, offsets = [0], [-1], [np.zeros(3)]
    for parent, at in enumerate(order):  # grows while it is walked
        for child, point in children.get(found.segments[at], ()):
            if child not in found.segments or found.segments.index(child) in order:
                raise InputError(f"A joint leads to '{child}', which is no segment or has a parent already.", _FIX)
            place: Any = found.points.get((found.segments[at], point), "nan nan nan").split()
            order.append(found.segments.index(child))
            parents.append(parent)
            offsets.append(np.array(place, dtype=np.float64))
    return order, tuple(parents), np.stack(offsets)


def _is_mvnx(head: Head) -> bool:
    return "<mvnx" in head.text[:4000]


FORMAT = Format("mvnx", "recording", "Xsens MVN export with sensors and body (.mvnx)", _is_mvnx, read_mvnx)
