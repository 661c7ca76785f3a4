"""ASF/AMC: Acclaim's skeleton file and its motion file, as the CMU motion capture database uses them.

After the Acclaim skeleton file definition 1.10 (1995): a bone has a direction in the world of the rest pose and an
axis C in which its rotation M is written, so that it turns by C·M·C⁻¹ against its parent (all frames coincide with
the world in the rest pose). C is turned about fixed axes in the order of its letters, M in the order of the bone's
`dof`, the root in that of its `order`.

In Kinebind's skeleton the joint X stands at the near end of bone X and turns with it: `lfemur` is the left hip. A
joint's offset is its parent's bone; the far ends of the last bones are in `Skeleton.ends_m`. Joint frames have y up
in the rest pose, the world has z up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import (
    BODY_REACH_M,
    longest_way,
    points_z_up_from_y_up,
    read_text,
    rotation_z_up_from_y_up,
)
from kinebind.readers.formats_base import Format, Head

INCH_M = 0.0254
_FIX_ASF = "Check that the ASF is whole and belongs to this motion."


@dataclass(frozen=True)
class _Bone:
    """One bone of an ASF. vector: from its near to its far end in the rest pose, file units. axis: the rotation C.

    dof: what an AMC row gives, of tx ty tz (root only) rx ry rz; the rotations in the order in which they are turned.
    """

    vector: FloatArray
    axis: Rotation
    dof: tuple[str, ...]


@dataclass(frozen=True)
class _Asf:
    """An ASF: bones by name, "root" first and every parent before its children. unit_m: metres in a length unit."""

    bones: dict[str, _Bone]
    parents: dict[str, str]
    unit_m: float
    root_position: FloatArray


def read_amc(
    path: str | Path, *, asf_path: str | Path | None = None, rate_hz: float | None = None, unit_m: float | None = None
) -> Motion:
    """The motion of an AMC file: joint rotations and the root's position in a world with z up, metres.

    asf_path: the skeleton; by default looked for beside the motion (01_02.amc: 01_02.asf, 01.asf, or the only
    ASF in the folder). rate_hz: frames per second, which no AMC says; 120 by default, as CMU recorded.
    unit_m: metres in the ASF's length unit; by default 0.0254 over its `length` (0.056444 for CMU's 0.45).
    Raises InputError where the skeleton is missing or does not fit, and for incomplete or irregular frames.
    """
    rate = 120.0 if rate_hz is None else rate_hz
    if not 0 < rate < np.inf:
        raise InputError(f"A rate of {rate} frames/s cannot be.", "Give a positive rate_hz.")
    found = _beside(Path(path)) if asf_path is None else Path(asf_path)
    asf = _parse_asf(read_text(found), str(found))
    unit = asf.unit_m if unit_m is None else unit_m
    names = tuple(asf.bones)
    parents = tuple(names.index(asf.parents[name]) if name in asf.parents else -1 for name in names)
    offset = unit * np.array([asf.bones[asf.parents.get(name, name)].vector for name in names])
    reach = longest_way(parents, offset)
    if not BODY_REACH_M[0] <= reach <= BODY_REACH_M[1]:
        raise InputError(
            f"{found}: the skeleton's longest way along its bones is {reach:.3g} m, no human size.",
            "Give the length of the file's unit in metres (unit_m).",
        )

    frame, values, in_degrees = _parse_amc(read_text(path), asf, str(path))
    rot = np.zeros((frame.size, len(names), 4))
    rot[..., 3] = 1.0
    root = np.tile(asf.root_position, (frame.size, 1))
    for name, columns in values.items():
        bone = asf.bones[name]
        turns = [k for k, dof in enumerate(bone.dof) if dof[0] == "r"]
        if turns:
            order = "".join(bone.dof[k][1] for k in turns)
            turned = Rotation.from_euler(order, columns[:, turns], degrees=in_degrees)
            rot[:, names.index(name)] = (bone.axis * turned * bone.axis.inv()).as_quat()
        for k, dof in enumerate(bone.dof):
            if dof[0] == "t":
                root[:, "xyz".index(dof[1])] += columns[:, k]
    rot[:, 0] = rotation_z_up_from_y_up(Rotation.from_quat(rot[:, 0])).as_quat()
    leaves = set(names) - set(asf.parents.values())
    tips = {name: unit * asf.bones[name].vector for name in names if name in leaves}
    notes = [
        f"Skeleton from {found.name}, {unit:.6g} m in a length unit; the y axis of the file points up.",
        f"{rate:g} frames/s{' as CMU records' if rate_hz is None else ' as given'}: the file has no rate.",
    ]
    return Motion(
        time_s=(frame - frame[0]) / rate,
        skeleton=Skeleton(names, parents, offset, {name: (tip[0], tip[1], tip[2]) for name, tip in tips.items()}),
        rot_parent_from_joint=rot,
        root_position_world=unit * points_z_up_from_y_up(root),
        name=Path(path).stem,
        notes=tuple(notes),
    )


def _beside(amc: Path) -> Path:
    """The ASF that belongs to an AMC by its name, or the only one in the folder."""
    folder = {p.name.lower(): p for p in amc.parent.glob("*") if p.suffix.lower() == ".asf"}
    for stem in (amc.stem, amc.stem.partition("_")[0]):
        if f"{stem.lower()}.asf" in folder:
            return folder[f"{stem.lower()}.asf"]
    if len(folder) == 1:
        return next(iter(folder.values()))
    raise InputError(
        f"{amc}: no skeleton file ({amc.stem.partition('_')[0]}.asf) lies beside it.",
        "Name the ASF that was recorded with it (asf_path).",
    )


def _parse_asf(text: str, place: str) -> _Asf:
    try:
        return _asf(_sections(text))
    except (ValueError, IndexError, KeyError) as error:
        if isinstance(error, InputError):
            raise error.at(place) from error
        raise InputError(f"{place} cannot be read as a skeleton (ASF): {error}.", _FIX_ASF) from error


def _sections(text: str) -> dict[str, list[list[str]]]:
    """The lines of an ASF as words, by the keyword above them; what follows the keyword is its first line."""
    sections: dict[str, list[list[str]]] = {}
    lines: list[list[str]] = []
    for line in text.splitlines():
        words = re.sub("[(),]", " ", line.partition("#")[0]).split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words.pop(0)[1:].lower(), [])
        if words:
            lines.append(words)
    return sections


def _asf(sections: dict[str, list[list[str]]]) -> _Asf:
    for needed in ("root", "bonedata", "hierarchy"):
        if needed not in sections:
            raise InputError(f"The section :{needed} is missing.", _FIX_ASF)
    units = {words[0].lower(): words[1] for words in sections.get("units", [])}
    in_degrees = units.get("angle", "deg").lower().startswith("deg")
    root = {words[0].lower(): words[1:] for words in sections["root"]}
    if any(float(w) != 0 for w in root.get("orientation", ())):
        raise InputError("The root has a preset orientation, whose meaning differs between programs.", _FIX_ASF)
    bones = {"root": _Bone(np.zeros(3), Rotation.identity(), _dof(root["order"], ("t", "r")))}
    entry: dict[str, list[str]] = {}
    for words in sections["bonedata"]:
        key = words[0].lower()
        if key == "begin":
            entry = {}
        elif key == "end":
            vector = float(entry["length"][0]) * np.array([float(w) for w in entry["direction"][:3]])
            angles, letters = [float(w) for w in entry["axis"][:3]], entry["axis"][3].lower()
            axis = Rotation.from_euler(letters, angles, degrees=in_degrees)
            bones[entry["name"][0]] = _Bone(vector, axis, _dof(entry.get("dof", []), ("r",)))
        else:
            entry[key] = words[1:]
    parents = {
        child: words[0]
        for words in sections["hierarchy"]
        if words[0].lower() not in ("begin", "end")
        for child in words[1:]
    }
    return _Asf(
        _from_root(bones, parents),
        parents,
        INCH_M / float(units.get("length", "1")),
        np.array([float(w) for w in root.get("position", ["0", "0", "0"])]),
    )


def _dof(words: list[str], kinds: tuple[str, ...]) -> tuple[str, ...]:
    dof = tuple(w.lower() for w in words)
    odd = [d for d in dof if len(d) != 2 or d[0] not in kinds or d[1] not in "xyz"]
    if odd or len(set(dof)) < len(dof):
        raise InputError(f"The degrees of freedom {' '.join(dof)} are not supported.", "Export with rx, ry, rz only.")
    return dof


def _from_root(bones: dict[str, _Bone], parents: dict[str, str]) -> dict[str, _Bone]:
    """The bones that hang on the root, every parent before its children."""
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    out: dict[str, _Bone] = {}
    waiting = ["root"]
    while waiting:
        name = waiting.pop(0)
        out[name] = bones[name]
        waiting.extend(children.get(name, ()))
    if set(out) != set(bones):
        raise InputError(f"{', '.join(sorted(set(bones) - set(out)))} do not hang on the root.", _FIX_ASF)
    return out


def _parse_amc(text: str, asf: _Asf, place: str) -> tuple[FloatArray, dict[str, FloatArray], bool]:
    """Frame numbers (T,), values (T, D) of each bone that the frames name, and whether angles are degrees."""
    text = re.sub("#.*", "", text)
    keywords = re.findall(r"^\s*(:\S+)", text, re.MULTILINE)
    words = re.sub(r"^\s*:.*", "", text, flags=re.MULTILINE).split()
    layout: list[tuple[str, int]] = []  # bone and its first column in a frame
    at = 1
    while at < len(words) and words[at] in asf.bones:
        layout.append((words[at], at + 1))
        at += 1 + len(asf.bones[words[at]].dof)
    if not layout:
        raise InputError(f"{place} holds no frame whose bones are in the skeleton.", _FIX_ASF)
    whole = len(words) // at
    table = np.array(words[: whole * at]).reshape(whole, at)
    for name, column in layout:
        odd = table[:, column - 1] != name
        if odd.any():
            k = int(np.argmax(odd))
            raise InputError(
                f"{place}: the frame '{table[k, 0]}' or the one before it has not the bones of the first frame; "
                f"'{table[k, column - 1]}' stands in place of '{name}'.",
                _FIX_ASF,
            )
    if whole * at != len(words):
        raise InputError(
            f"{place}: the last frame is incomplete after {whole} complete ones.",
            "Export it again, or delete the incomplete frame.",
        )
    try:
        frame = table[:, 0].astype(np.int64).astype(np.float64)
        values = {name: table[:, c : c + len(asf.bones[name].dof)].astype(np.float64) for name, c in layout}
    except ValueError as error:
        raise InputError(f"{place} holds something else than a number in a frame: {error}.", _FIX_ASF) from error
    if not all(np.isfinite(v).all() for v in values.values()):
        raise InputError(f"{place} holds values that are no finite numbers.", "Cut the frames without data.")
    if (np.diff(frame) <= 0).any():
        k = int(np.argmax(np.diff(frame) <= 0))
        raise InputError(f"{place}: frame {frame[k + 1]:.0f} follows frame {frame[k]:.0f}.", "Export the file again.")
    return frame, values, ":radians" not in (k.lower() for k in keywords)


def _is_amc(head: Head) -> bool:
    words = {word.lower() for word in head.text[:2000].split()}
    return bool(words & {":fully-specified", ":degrees", ":radians"}) and ":bonedata" not in words


FORMATS = (Format("amc", "motion", "Acclaim AMC motion with the ASF skeleton beside it (CMU)", _is_amc, read_amc),)
