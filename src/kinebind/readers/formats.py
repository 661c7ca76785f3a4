"""All formats, and the functions that read a file whatever it is, by its content."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.poses import Poses
from kinebind.readers import (
    amc,
    bvh,
    cmu_expmap,
    deepmimic,
    geotec,
    mri,
    mvnx,
    openpack,
    poses_json,
    poses_npz,
    smpl,
    table,
    totalcapture,
    totalcapture_vicon,
    utd_kinect,
    utd_mhad,
    vicon,
    wharf,
    xsens_dot,
    xsens_mtw,
)  # fmt: skip
from kinebind.readers.assemble import ImuOptions
from kinebind.readers.columns import ColumnMap
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.recording import Recording
from kinebind.store import is_recording_file, load


def _is_recording(head: Head) -> bool:
    # A safetensors file starts with the length of its header, eight bytes, and the header's brace.
    return head.data[8:9] == b"{" and is_recording_file(head.path)


FORMATS: tuple[Format, ...] = (
    Format("kinebind", "recording", "a recording that Kinebind saved (.kinebind)", _is_recording, load),
    xsens_mtw.FORMAT, xsens_dot.FORMAT, mvnx.FORMAT, *openpack.FORMATS, utd_mhad.FORMAT, geotec.FORMAT,
    wharf.FORMAT, totalcapture.FORMAT, mri.FORMAT,
    *poses_json.FORMATS, *poses_npz.FORMATS,
    *bvh.FORMATS, *amc.FORMATS, *cmu_expmap.FORMATS, *deepmimic.FORMATS,
    *utd_kinect.FORMATS, *vicon.FORMATS, totalcapture_vicon.FORMAT, smpl.FORMAT,
    table.FORMAT,
)  # fmt: skip
"""Every format, in the order in which they are tried; the table, which fits much, comes last."""


def sniff(path: str | Path) -> Format:
    """The format of a file by its content, or of a folder by its first JSON file.

    Raises InputError that says what the file looks like and lists the formats.
    """
    folder = Path(path)
    if folder.is_dir():
        first = min(folder.glob("*.json"), default=None)
        if first is None:
            raise InputError(f"{folder} is a folder without JSON files.", "Name a file inside it.")
        path = first
    head = read_head(path)
    for fmt in FORMATS:
        if fmt.sniff(head):
            return fmt
    if folder.is_dir():
        raise InputError(f"{folder} is a folder, and {head.path.name} in it holds no poses.", "Name a file inside it.")
    listed = ", ".join(f.name for f in FORMATS)
    raise InputError(f"{head.path} {_looks_like(head)}.", f"Kinebind reads {listed}; --format NAME chooses one.")


def _looks_like(head: Head) -> str:
    """What an unknown file looks like, as the rest of a sentence."""
    if head.mat_variables:
        return f"is a MATLAB file with the variables {', '.join(head.mat_variables)}, which no reader knows"
    for start, name in _MAGIC.items():
        if head.data.startswith(start):
            return f"is {name}, which no reader takes"
    if head.is_binary:
        return "is a binary file of an unknown kind"
    if head.text.lstrip()[:1] in ("{", "["):
        return "is JSON without anything that looks like poses"
    try:
        find_dialect(head)
    except InputError as error:
        return error.what.removeprefix(f"{head.path} ").rstrip(".")
    return "is text that no reader knows"


_MAGIC = {
    b"PK\x03\x04": "a zip archive (or .npz, .xlsx)", b"\x1f\x8b": "a gzip archive", b"\xfd7zXZ": "an xz archive",
    b"\x89HDF": "an HDF5 file", b"%PDF": "a PDF", b"\x00\x00\x00\x18ftyp": "a video", b"\x00\x00\x00 ftyp": "a video",
    b"\x1aE\xdf\xa3": "a video", b"RIFF": "a video or sound", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture",
}  # fmt: skip


def format_named(name: str) -> Format:
    """A format by its name; raises InputError that lists the names."""
    for fmt in FORMATS:
        if fmt.name == name.lower():
            return fmt
    raise InputError(f"'{name}' is no format.", f"Use one of: {', '.join(f.name for f in FORMATS)}.")


def read_imu(
    path: str | Path,
    *,
    format: str | None = None,
    site: str | None = None,
    name: str | None = None,
    clock_id: str | None = None,
    columns: ColumnMap | None = None,
    acc_unit: str | None = None,
    gyr_unit: str | None = None,
    time_unit: str | None = None,
    rate_hz: float | None = None,
    quat_order: str | None = None,
    gravity: Literal["included", "removed"] | None = None,
    check: bool = True,
) -> tuple[Imu, ...]:
    """The sensors of a file: one or several, and several pieces of one where its clock jumped ("NAME#2").

    format: one of `FORMATS` by name, else by content. site, name, clock_id: override what the file tells.
    columns: a table's columns where their names are unusual. acc_unit ("m/s2", "g", "mg", with a minus sign for
    the negative), gyr_unit ("rad/s", "deg/s", "mdeg/s"), time_unit ("s", "ms", "us", "ns"): where the file declares
    none, or a wrong one. rate_hz: nominal samples per second, where there is no time or to straighten it by.
    quat_order: `kinebind.readers.assemble.QUAT_ORDERS`. gravity: whether the acceleration holds it.
    check: whether units and frames are checked on the data.

    What was repaired, derived or assumed stands in `Imu.notes`. Raises InputError for what cannot be read with
    certainty: it says what is wrong and names the option that mends it.
    """
    fmt = _choose(path, format, ("imu", "recording"))
    options = ImuOptions(
        site, name, clock_id, columns, acc_unit, gyr_unit, time_unit, rate_hz, quat_order, gravity, check
    )
    if fmt.kind == "recording":
        imus = _read_recording(path, fmt, _given(options)).imus
        if not imus:
            raise InputError(f"{path} holds no IMU.", "Name the sensor's file.")
        return imus
    return _read_imus(path, fmt, options)


def read_poses(
    path: str | Path,
    *,
    format: str | None = None,
    rate_hz: float | None = None,
    time_s: npt.ArrayLike | str | Path | None = None,
    image_size_px: tuple[int, int] | str | None = None,
    first_frame: int | None = None,
) -> tuple[Poses, ...]:
    """The people of a file of 2D poses, or of a recording; options as in `kinebind.readers.poses_tracks`.

    Raises InputError where the file holds none, or lacks what an option must tell (the frame rate).
    """
    fmt = _choose(path, format, ("poses", "recording"))
    given = {"rate_hz": rate_hz, "time_s": time_s, "image_size": image_size_px, "first_frame": first_frame}
    given = {k: v for k, v in given.items() if v is not None}
    if fmt.kind == "recording":
        people = _read_recording(path, fmt, given).people
        if not people:
            raise InputError(f"{path} holds no poses.", "Name the file of the pose estimator.")
        return people
    poses: tuple[Poses, ...] = _call(fmt, path, given)
    return poses


def read_motion(path: str | Path, *, format: str | None = None, **options: Any) -> Motion:
    """The 3D motion of a file (BVH, AMC, Kinect, Vicon), or of a recording that holds one.

    options: those of the format's reader, such as `rate_hz`, `unit_m`, `up`. Raises InputError where there is none.
    """
    fmt = _choose(path, format, ("motion", "recording"))
    if fmt.kind == "recording":
        motions = _read_recording(path, fmt, options).motions
        if len(motions) != 1:
            raise InputError(f"{path} holds {len(motions)} motions.", "Name the motion's file.")
        return motions[0]
    motion: Motion = _call(fmt, path, options)
    return motion


def read(path: str | Path, *, format: str | None = None, **options: Any) -> Recording:
    """Whatever a file holds, as a recording named after it; options are those of `read_imu`, `read_poses` or the
    format's own reader. Labels of an IMU file stand on its sensor's clock, which `meta["labels_clock"]` names.

    Raises InputError for unknown content and for options that the format does not take.
    """
    fmt = _choose(path, format, ("imu", "poses", "motion", "recording"))
    if fmt.kind == "recording":
        return _read_recording(path, fmt, options)
    stem = Path(path).stem
    if fmt.kind == "poses":
        if "image_size_px" in options:
            options["image_size"] = options.pop("image_size_px")
        return Recording(people=_call(fmt, path, options), name=stem)
    if fmt.kind == "motion":
        return Recording(motions=(_call(fmt, path, options),), name=stem)
    unknown = set(options) - {f.name for f in dataclasses.fields(ImuOptions)}
    if unknown:
        raise _no_such_option(fmt, unknown.pop())
    imus = _read_imus(path, fmt, ImuOptions(**options))
    labels = fmt.labels(Path(path)) if fmt.labels else ()
    return Recording(imus=imus, labels=labels, name=stem, meta={"labels_clock": imus[0].clock_id} if labels else {})


def _choose(path: str | Path, name: str | None, kinds: tuple[str, ...]) -> Format:
    fmt = sniff(path) if name is None else format_named(name)
    if fmt.kind not in kinds:
        raise InputError(
            f"{path} holds {_KINDS[fmt.kind]} ({fmt.describes}), not {_KINDS[kinds[0]]}.", "Name another file."
        )
    return fmt


_KINDS = {"imu": "an IMU", "poses": "2D poses", "motion": "3D motion", "recording": "a recording"}


def _read_imus(path: str | Path, fmt: Format, options: ImuOptions) -> tuple[Imu, ...]:
    if options.columns is not None and fmt is not table.FORMAT:
        if Path(path).suffix.lower() == ".mat":
            raise _no_such_option(fmt, "columns")
        fmt = table.FORMAT  # whoever names columns wants them, whatever the header resembles
    return _guarded(path, fmt.read, path, options)  # type: ignore[no-any-return]


def _read_recording(path: str | Path, fmt: Format, options: dict[str, Any]) -> Recording:
    if options:
        raise _no_such_option(fmt, next(iter(options)))
    return _guarded(path, fmt.read, path)  # type: ignore[no-any-return]


def _given(options: ImuOptions) -> dict[str, Any]:
    default = ImuOptions()
    fields = (f.name for f in dataclasses.fields(options))
    return {n: getattr(options, n) for n in fields if getattr(options, n) != getattr(default, n)}


def _call(fmt: Format, path: str | Path, options: dict[str, Any]) -> Any:
    taken = inspect.signature(fmt.read).parameters
    for name in options:
        if name not in taken:
            raise _no_such_option(fmt, name)
    return _guarded(path, fmt.read, path, **options)


def _no_such_option(fmt: Format, name: str) -> InputError:
    flags = {"rate_hz": "rate" if fmt.kind == "imu" else "fps", "time_s": "frame-times", "asf_path": "asf"}
    flag = flags.get(name, name).replace("_", "-")
    return InputError(f"--{flag} means nothing for the format {fmt.name}.", "Leave it out.")


def _guarded(path: str | Path, function: Any, *args: Any, **options: Any) -> Any:
    """The function's answer; what the disk does becomes an InputError, and every InputError names the file."""
    try:
        return function(*args, **options)
    except InputError as error:
        raise error if str(path) in error.what else error.at(str(path)) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the disk.") from error
