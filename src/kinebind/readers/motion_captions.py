"""Captions of motion capture, as people have written them about AMASS and their own files: what is done when.

Read are HumanML3D (its folder, with index.csv and the unpacked texts), KIT-ML (its folder of NNNNN_annotations.json
beside a .json that says which motion of AMASS each number is), one JSON of paths, seconds and texts in which such sets
are commonly unified, and tables as `kinebind.readers.captions` reads them. Nothing of these sets comes with Kinebind.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kinebind.errors import InputError
from kinebind.readers.captions import Caption, read_captions
from kinebind.readers.motion_sets import Doing, MotionFile

_FRAMES_PER_S = 20.0  # of HumanML3D's index
_CUT_BEFORE_S = {
    "Eyes_Japan_Dataset": 3.0, "MPI_HDM05": 3.0, "TotalCapture": 1.0, "MPI_Limits": 1.0, "Transitions_mocap": 0.5,
}  # fmt: skip
"""Sets of whose files HumanML3D leaves out so much before it counts."""
_SAME_S = 0.05
"""Stretches whose ends lie so close are one, described more than once."""
_ENDINGS = re.compile(r"(_poses|_stageii)?(\.npz|\.npy)?$")
_KNOWN = "HumanML3D's or KIT-ML's folder, a .json of paths and annotations, or a table with the columns file and text."


def read_motion_captions(path: str | Path) -> tuple[Caption, ...]:
    """All captions of one of the sources that the module's head names; `file` is a motion's path below its set's root.

    Raises InputError for what is none of them, where texts or the index are missing, and for damaged lines.
    """
    place = Path(path)
    if place.is_file():
        return tuple(_unified(place)) if place.suffix.lower() == ".json" else _of_one_person(read_captions(place))
    if not place.is_dir():
        raise InputError(f"There is no {place}.", f"Name {_KNOWN}")
    if next(place.glob("*_annotations.json"), None) is not None:
        return tuple(_kit_ml(place))
    if (place / "index.csv").exists() or next(_texts_of(place), None) is not None:
        return tuple(_human_ml3d(place))
    raise InputError(f"{place} holds no captions that are known.", f"Name {_KNOWN}")


def captions_below(folder: Path) -> tuple[Caption, ...]:
    """The captions of all sources that lie in a folder, or none where there is no such folder."""
    if not folder.is_dir():
        return ()
    places = sorted(place for place in folder.iterdir() if not place.name.startswith("."))
    return tuple(own for place in places for own in read_motion_captions(place))


def with_captions(files: Iterable[MotionFile], captions: Sequence[Caption]) -> tuple[list[MotionFile], int]:
    """The files with what the captions say is done in them, and how many captions are about none of the files.

    A caption is about the files that end as its path does, in person and file, or in as much as both tell; endings,
    blanks, _poses and _stageii do not count, and neither does how a set is called, which releases differ in. Files
    that no caption is about stay as they are.
    """
    by_name: dict[str, list[tuple[tuple[str, ...], Caption]]] = collections.defaultdict(list)
    for caption in captions:
        parts = _parts(caption.file)
        by_name[parts[-1]].append((parts, caption))
    used: set[int] = set()
    out = []
    for file in files:
        parts = _parts(file.name)
        own = [caption for of, caption in by_name.get(parts[-1], []) if _ends_alike(of, parts)]
        used.update(map(id, own))
        doings = _merged(own)
        out.append(dataclasses.replace(file, doings=doings) if doings else file)
    return out, sum(id(caption) not in used for caption in captions)


def _of_one_person(captions: tuple[Caption, ...]) -> tuple[Caption, ...]:
    for caption in captions:
        if caption.person is not None:
            raise InputError(
                f"{caption.place} names the person '{caption.person}', but a file of motion shows one only.",
                "Leave the column person out.",
            )
    return captions


def _parts(path: str) -> tuple[str, ...]:
    name = _ENDINGS.sub("", path.replace("\\", "/").replace(" ", "_"))
    return tuple(part for part in PurePosixPath(name).parts if part not in (".", "/")) or ("",)


def _ends_alike(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    told = min(2, len(a), len(b))
    return a[-told:] == b[-told:]


def _merged(captions: Sequence[Caption]) -> tuple[Doing, ...]:
    """What is done when, in its order; texts about the same stretch together."""
    out: list[tuple[float, float, list[str]]] = []
    for caption in sorted(captions, key=lambda own: (own.start_s, own.end_s)):
        for start_s, end_s, texts in out:
            if _near(start_s, caption.start_s) and _near(end_s, caption.end_s):
                if caption.text not in texts:
                    texts.append(caption.text)
                break
        else:
            out.append((caption.start_s, caption.end_s, [caption.text]))
    return tuple(Doing(start_s, end_s, tuple(texts)) for start_s, end_s, texts in out)


def _near(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= _SAME_S


def _texts_of(folder: Path) -> Iterator[Path]:
    for place in (folder / "texts", folder / "HumanML3D" / "texts"):
        if place.is_dir():
            yield place


def _human_ml3d(folder: Path) -> Iterator[Caption]:
    texts = next(_texts_of(folder), None)
    if texts is None:
        raise InputError(f"{folder} has an index.csv but no folder texts.", "Unpack its texts.zip there.")
    index = folder / "index.csv"
    if not index.exists():
        raise InputError(
            f"{folder} has texts but no index.csv, which says what motions they are about.",
            "It lies in the repository of HumanML3D: put it there.",
        )
    for place, row in _rows(index):
        try:
            source, first, stop = row["source_path"], float(row["start_frame"]), float(row["end_frame"])
            name = Path(row["new_name"]).stem
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{place} is no line of HumanML3D's index.", "It has source_path, start_frame, end_frame and new_name."
            ) from error
        file = re.sub(r"^(\./)?pose_data/", "", source)
        if file.startswith("humanact12/"):
            continue  # is no motion of AMASS
        before_s = next((cut_s for own, cut_s in _CUT_BEFORE_S.items() if own in file), 0.0)
        start_s, end_s = before_s + first / _FRAMES_PER_S, before_s + stop / _FRAMES_PER_S
        path = texts / f"{name}.txt"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            raise InputError(f"{path} cannot be read ({error}).", "Unpack texts.zip whole.") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _piece(line, file, start_s, end_s, f"{path}, line {number}")


def _piece(line: str, file: str, start_s: float, end_s: float, place: str) -> Caption:
    """The caption of a line "text#its words#from#to", seconds from where the index begins; 0 and 0 are all of it."""
    cells = line.split("#")
    try:
        text, (a, b) = " ".join(cells[0].split()), sorted(_seconds(cell) for cell in cells[2:4])
    except ValueError as error:
        raise InputError(f"{place} is no caption of HumanML3D.", "Lines read text#words#from#to.") from error
    if not text:
        raise InputError(f"{place} has no text.", "Lines read text#words#from#to.")
    if a == b:
        return Caption(file, text, start_s, end_s, None, place)
    return Caption(file, text, start_s + a, min(start_s + b, end_s), None, place)


def _seconds(cell: str) -> float:
    number = float(cell)
    return 0.0 if math.isnan(number) else number


def _kit_ml(folder: Path) -> Iterator[Caption]:
    """Texts about whole motions, of those that are told to be of AMASS."""
    motions: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        if not path.stem.endswith(("_annotations", "_meta")):
            motions |= {key: own for key, value in _json_object(path).items() if (own := _path_in(value))}
    if not motions:
        raise InputError(
            f"{folder} has KIT-ML's texts, but nothing that says which motions of AMASS they are about.",
            'Put a .json beside them: {"00001": "KIT/3/walk_01_poses", …}.',
        )
    for path in sorted(folder.glob("*_annotations.json")):
        key = path.stem.removesuffix("_annotations")
        if key in motions:
            texts = _json(path)
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise InputError(f"{path} is no list of texts.", "KIT-ML's annotations are.")
            for text in texts:
                if text.strip():
                    yield Caption(motions[key], " ".join(text.split()), place=str(path))


def _path_in(value: Any) -> str | None:
    """A motion's path: the value, or what it calls path."""
    found = value.get("path") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def _unified(path: Path) -> Iterator[Caption]:
    """{id: {"path": ..., "annotations": [{"text": ..., "start": ..., "end": ...}]}}, or paths in place of ids."""
    for key, value in _json_object(path).items():
        place = f"{path}, {key}"
        if not isinstance(value, dict) or not isinstance(value.get("annotations"), list):
            raise InputError(f"{place} has no annotations.", 'Write {"path": …, "annotations": [{"text": …}]}.')
        for own in value["annotations"]:
            try:
                text = " ".join(own["text"].split())
                start_s, end_s = float(own.get("start", -math.inf)), float(own.get("end", math.inf))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise InputError(
                    f"{place} has an annotation without a text, or with times that are no numbers.",
                    'Write {"text": "a kick", "start": 1.5, "end": 3.0}, in seconds.',
                ) from error
            if not text or not start_s < end_s:
                raise InputError(f"{place}: '{text}' from {start_s:g} to {end_s:g} s is no caption.", "Correct it.")
            yield Caption(_path_in(value) or key, text, start_s, end_s, None, place)


def _json_object(path: Path) -> Mapping[str, Any]:
    found = _json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object.", f"Name {_KNOWN}")
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}).", f"Name {_KNOWN}") from error


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield f"{path}, line {reader.line_num}", row
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Fetch it again.") from error
