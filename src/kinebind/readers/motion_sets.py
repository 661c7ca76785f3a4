"""Sets of motion capture: which files belong to each, what they are called, on what terms, and who may look.

Whole sources are held out, never files of one: `use` says for what. A set's knowledge of its files stays here, so that
nothing above needs its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kinebind.errors import InputError

Use = Literal["train", "validate", "test"]


@dataclass(frozen=True)
class Doing:
    """What is done from start_s to end_s of a file, seconds from its first frame, in one or more phrases."""

    start_s: float
    end_s: float
    phrases: tuple[str, ...]


@dataclass(frozen=True)
class MotionFile:
    """One file of motion and what its set knows of it.

    group: who or what moves, as far as that is told. label: what is done, in plain words; "" where nobody says.
    options: for `kinebind.readers.read_motion`. doings: what is done when, where captions say it; then only these
    stretches are taken, in place of the whole file and its label.
    """

    path: Path
    source: str
    group: str
    name: str
    label: str
    options: Mapping[str, Any] = field(default_factory=dict)
    doings: tuple[Doing, ...] = ()


@dataclass(frozen=True)
class MotionSet:
    """A set of motion capture. use: for what it may be used. terms: of use. files: those under its folder."""

    name: str
    use: Use
    terms: str
    files: Callable[[Path], Iterator[MotionFile]]


def motion_files(name: str, folder: str | Path) -> Iterator[MotionFile]:
    """The files of a set under its folder, sorted; of a name that is not in `MOTION_SETS`, all that may hold motion.

    Raises InputError for what is no folder, and where nothing of the set is in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"There is no folder {root}.", "Name the folder into which the motion was unpacked.")
    found = False
    for file in MOTION_SETS[name].files(root) if name in MOTION_SETS else _any_motion(name, root):
        found = True
        yield file
    if not found:
        raise InputError(f"{root} holds no files of {name}.", "Name the folder into which its motion was unpacked.")


def plain_words(name: str, *left_out: str) -> str:
    """What a file's name says in words: "walk-turn-left_active_012" gives "walk turn left active"."""
    words = re.split(r"[\W_]+", re.sub(r"\d+", " ", name).lower())
    return " ".join(word for word in words if word and word not in left_out)


def _bandai_namco(root: Path) -> Iterator[MotionFile]:
    for path in sorted(root.glob("*/data/*.bvh")):
        part, _, doing = path.stem.partition("_")  # dataset-1_walk_happy_001; no file names its actor
        yield MotionFile(path, "bandai-namco", part, path.stem, plain_words(doing))


def _cmu_expmap(root: Path) -> Iterator[MotionFile]:
    for path in sorted(root.glob("cmu_mocap/*/*/*.txt")):
        label = plain_words(path.parent.name, "extra")
        name = path.relative_to(root / "cmu_mocap").with_suffix("").as_posix()
        yield MotionFile(path, "cmu-expmap", label, name, label)


def _deepmimic(root: Path) -> Iterator[MotionFile]:
    for path in sorted(root.glob("motions/**/*.txt")):
        if not _is_person(path):
            continue
        words = plain_words(path.stem, "humanoid", "d", "sie", "mirror")
        name = path.relative_to(root / "motions").with_suffix("").as_posix()
        # A clip and its mirror image are one recording.
        group = re.sub(r"_mirror$", "", name)
        yield MotionFile(path, "deepmimic", group, name, words)


def _is_person(path: Path) -> bool:
    """Whether a DeepMimic file is a person's (44 values a frame), not a dog's; its reader says what is damaged."""
    try:
        return len(json.loads(path.read_text(encoding="utf-8"))["Frames"][0]) == 44
    except (ValueError, KeyError, IndexError, TypeError, OSError):
        return True


def _cmu_asfamc(root: Path) -> Iterator[MotionFile]:
    for path in sorted(root.rglob("*.amc")):
        yield MotionFile(path, "cmu-asfamc", path.parent.name, path.stem, "")


def _cmu_mocap6(root: Path) -> Iterator[MotionFile]:
    # The six sequences come without a skeleton; any CMU subject's serves, with bones not quite their own.
    asf = next(iter(sorted((root.parent / "cmu-asfamc").rglob("*.asf"))), None)
    for path in sorted(root.rglob("*.amc")):
        options = {} if asf is None else {"asf_path": asf}
        yield MotionFile(path, "cmu-mocap6", path.stem.partition("_")[0], path.stem, "", options)


def _reactidle(root: Path) -> Iterator[MotionFile]:
    for path in _idle(root)[:-_IDLE_TEST]:
        yield MotionFile(path, "reactidle", path.stem, path.stem, "stand idle")


def _reactidle_test(root: Path) -> Iterator[MotionFile]:
    for path in _idle(root)[-_IDLE_TEST:]:
        yield MotionFile(path, "reactidle-test", path.stem, path.stem, "stand idle")


_IDLE_TEST = 5  # files at the end, which are kept for the test


def _idle(root: Path) -> list[Path]:
    return sorted(root.rglob("*.bvh"))


def _amass(root: Path) -> Iterator[MotionFile]:
    for path in sorted(root.rglob("*.npz")):
        if path.stem in ("shape", "neutral_stagei", "male_stagei", "female_stagei"):
            continue  # a subject's body, which holds no motion
        place = path.relative_to(root)
        name = place.with_suffix("").as_posix()
        yield MotionFile(path, "amass", place.parent.as_posix(), name, plain_words(path.stem, "poses", "stageii"))


_MOTION_SUFFIXES = (".bvh", ".amc", ".npz", ".txt", ".json", ".mvnx", ".mat", ".kinebind")


def _any_motion(name: str, root: Path) -> Iterator[MotionFile]:
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in _MOTION_SUFFIXES and p.is_file()):
        place = path.relative_to(root).with_suffix("")
        group = place.parent.as_posix() if place.parent != Path() else place.name
        yield MotionFile(path, name, group, place.as_posix(), plain_words(path.stem))


_CMU_TERMS = "CMU Graphics Lab Motion Capture Database: free for all uses, not for resale."

MOTION_SETS: Mapping[str, MotionSet] = {
    s.name: s
    for s in (
        MotionSet(
            "bandai-namco", "train", "Bandai-Namco Research Motiondataset: CC BY-NC 4.0, non-commercial.", _bandai_namco
        ),
        MotionSet("cmu-expmap", "train", _CMU_TERMS, _cmu_expmap),
        MotionSet("amass", "train", "AMASS: non-commercial research under its licence, no redistribution.", _amass),
        MotionSet(
            "deepmimic", "validate",
            "DeepMimic: MIT; clips in sie/ CC BY-NC 4.0; clips in amass/ under AMASS's terms.", _deepmimic,
        ),
        MotionSet("reactidle", "validate", "ReActIdle: MIT.", _reactidle),
        MotionSet("reactidle-test", "test", "ReActIdle: MIT.", _reactidle_test),
        MotionSet("cmu-asfamc", "test", _CMU_TERMS, _cmu_asfamc),
        MotionSet("cmu-mocap6", "test", _CMU_TERMS, _cmu_mocap6),
    )
}  # fmt: skip
"""Sets by name, which is also the folder that they are unpacked into."""
