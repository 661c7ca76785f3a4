"""The data of the study of learned models: which motion is for what, and the stores made of it.

Sources by the benchmark protocol. Bandai-Namco trains, DeepMimic's people validate, CMU's ASF/AMC files test; no
figure of retrieval, localisation or synchronisation has seen its source before. Activities have names in Bandai-Namco
only: there some files of every activity are kept from training, and asked for among those that were not. UTD-MHAD is
split by subject: 1, 3, 5 train, 7 validates, the even ones test.

Motion is simulated in chunks of some takes, each a file, so that making the data can stop anywhere and go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinebind.bench import utd
from kinebind.bench.mobind_takes import (
    Files,
    StudyTake,
    cues_of,
    load_takes,
    save_takes,
    start_of_take_s,
    study_takes,
)
from kinebind.bench.scenes import Source, test_sources, training_sources, validation_sources
from kinebind.body.made_up import made_up_motion
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.nn.contract import Contract
from kinebind.recording import Label, Recording
from kinebind.training.takes import take_from_recording
from kinebind.training.windows import common_step

CHUNK_FILES = 90
VARIANT = "low3"
"""What correlation does best with on development data, as in the benchmark of synchronisation."""
KNOWN_S, VALID_S, ASKED_S = 120.0, 40.0, 80.0
"""Of each activity: seconds of the takes that are known, that choose the probe's ridge, and that are asked for."""
_VALID_SHARE, _ASKED_SHARE = 0.15, 0.25  # of an activity's files, where these seconds would be more
_LEAST_FILES = 15  # of an activity
_FILE_S = {1: 4.0, 2: 3.0}  # what a file of each data set of Bandai-Namco lasts at least, nearly always
LONG_PASSES = 3  # over the files from which long takes are made

UTD_CONTRACT = Contract(
    window_s=2.0, imu_rate_hz=50.0, pose_rate_hz=20.0, parts=("right_wrist", "right_thigh"),
    imu_channels=("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"), pose_frame="body", acc_unit="g",
)  # fmt: skip
UTD_SUBJECTS = {"train": (1, 3, 5), "val": (7,), "test": utd.TEST}
UTD_CLASSES = tuple(f"a{k}" for k in range(1, 28))


@dataclass(frozen=True)
class Chunk:
    """Files that are chained and cut into takes at a time. set: what they are for. seed: of all that is drawn."""

    set: str
    files: Files
    seed: tuple[int, ...]

    @property
    def name(self) -> str:
        """As "train-0-1-3"."""
        return "-".join((self.set, *map(str, self.seed)))

    def make(self, path: Path) -> None:
        """Simulate the takes and write them to a file."""
        save_takes(path, list(study_takes(self.files, self.seed, self.set, VARIANT)))


class MadeUp(Source):
    """A source whose file N-S holds S seconds of a made-up person: for a smoke test, never for a figure."""

    def read(self, path: Path) -> Motion:
        seed, duration_s = path.stem.split("-")
        return made_up_motion(float(duration_s), np.random.default_rng(int(seed)), rate_hz=50.0)


def chunks(data: Path, *, passes: int, final: bool) -> list[Chunk]:
    """All chunks of the study. passes: over the training files, each with new cameras and sensors. final: with the
    test source. Raises InputError where a source is missing.
    """
    (bandai,) = training_sources(data)
    kept: set[Path] = set()
    out: list[Chunk] = []
    for g, group in enumerate(bandai.groups):
        for k, (activity, files) in enumerate(sorted(by_activity(group).items())):
            known, valid, asked = activity_files(files, _FILE_S[g + 1], seed=(210, g, k))
            kept |= {*valid, *asked}
            for name, own, most_s in (("known", known, KNOWN_S), ("valid", valid, VALID_S), ("asked", asked, ASKED_S)):
                out.append(Chunk(f"har-{name}", Files(bandai, own, activity, most_s), (g, k)))
    for p in range(passes):
        for g, group in enumerate(bandai.groups):
            out += _cut("train", Files(bandai, tuple(f for f in group if f not in kept)), (p, g))
    held_out = [("val", validation_sources(data))] + ([("test", test_sources(data))] if final else [])
    for name, sources in held_out:
        for s, source in enumerate(sources):
            for g, group in enumerate(source.groups):
                out += _cut(name, Files(source, group), (s, g))
                out += [Chunk(f"{name}-long", Files(source, group), (s, g, p)) for p in range(LONG_PASSES)]
    out = [chunk for chunk in out if chunk.files.paths]
    missing = {"train", *(name for name, _ in held_out)} - {chunk.set for chunk in out}
    if missing:
        raise InputError(f"There are no motion files for {', '.join(sorted(missing))}.", "Unpack the sets into --data.")
    return out


def made_up_chunks() -> list[Chunk]:
    """As `chunks`, of a made-up person and as little as the study runs with."""

    def files(first: int, count: int, seconds: int, activity: str = "") -> Files:
        return Files(
            MadeUp("made-up", ()), tuple(Path(f"{first + k}-{seconds}.made-up") for k in range(count)), activity
        )

    har = [
        Chunk(f"har-{name}", files(1000 + 100 * k + 10 * a, 2, 8, activity), (a,))
        for k, name in enumerate(("known", "valid", "asked"))
        for a, activity in enumerate(("wave", "squat"))
    ]
    long = [Chunk("val-long", files(500, 4, 52), (0,))]
    return [*har, Chunk("train", files(0, 6, 30), (0,)), Chunk("val", files(100, 4, 30), (0,)), *long]


def made_up_sources() -> list[Source]:
    """The made-up person as a source of motion."""
    return [MadeUp("made-up", (tuple(Path(f"{k}-60.made-up") for k in range(4)),))]


def _cut(name: str, files: Files, seed: tuple[int, ...]) -> list[Chunk]:
    """Chunks of at most CHUNK_FILES of the files, in random order."""
    order = np.random.default_rng([211, *seed]).permutation(len(files.paths))
    shares = np.array_split(order, -(-len(order) // CHUNK_FILES)) if len(order) else []
    return [
        Chunk(name, Files(files.source, tuple(files.paths[i] for i in own), files.activity), (*seed, c))
        for c, own in enumerate(shares)
    ]


def by_activity(files: tuple[Path, ...]) -> dict[str, tuple[Path, ...]]:
    """Bandai-Namco's files by what they show, `dataset-1_walk_happy_001.bvh`; rare activities are left out."""
    found: dict[str, list[Path]] = {}
    for path in files:
        named = re.match(r"dataset-\d_([a-z-]+)_", path.name)
        if named is not None:
            found.setdefault(named[1], []).append(path)
    return {name: tuple(own) for name, own in found.items() if len(own) >= _LEAST_FILES}


def activity_files(
    files: tuple[Path, ...], file_s: float, seed: tuple[int, ...]
) -> tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...]]:
    """Disjoint files of one activity: known (also trained on), valid and asked (kept from training)."""
    order = [files[i] for i in np.random.default_rng(seed).permutation(len(files))]
    asked = int(np.ceil(min(ASKED_S / file_s, _ASKED_SHARE * len(files))))
    valid = int(np.ceil(min(VALID_S / file_s, _VALID_SHARE * len(files))))
    known = int(np.ceil(KNOWN_S / file_s))
    return tuple(order[asked + valid :][:known]), tuple(order[asked : asked + valid]), tuple(order[:asked])


def takes(folder: Path, made: list[Chunk], sets: tuple[str, ...]) -> Iterator[StudyTake]:
    """The takes of some sets from the chunks' files in a folder."""
    for chunk in made:
        if chunk.set in sets:
            yield from load_takes(folder / f"{chunk.name}.npz")


def utd_takes(folder: Path, *, final: bool) -> Iterator[StudyTake]:
    """UTD-MHAD: clips of the training subjects whole, and of all others their central 2 s as well.

    meta `split`: by subject, whole clips. `central`: the same of central pieces, which retrieval is judged on. `har`:
    whole clips of the training subjects, central pieces of the others. "-" where a take is not for that.
    """
    for split, subjects in UTD_SUBJECTS.items():
        if split == "test" and not final:
            continue
        for k, clip in enumerate(utd.clips(folder, subjects)):
            label = Label(float(clip.poses.time_s[0]) - 1.0, float(clip.poses.time_s[-1]) + 1.0, f"a{clip.action}")
            name = f"a{clip.action}_s{clip.subject}_{k}"
            whole = Recording((clip.poses,), (clip.imu,), labels=(label,), name=name)
            meta = {"split": split, "central": "-", "har": "train" if split == "train" else "-"}
            yield _utd_take(whole.replace(meta=meta), 0.0, None)
            if split != "train":
                piece = _central(
                    whole.replace(name=f"{name}_central", meta={"split": "-", "central": split, "har": split})
                )
                if piece is not None:
                    yield piece


def _utd_take(recording: Recording, skipped_s: float, length_s: float | None) -> StudyTake:
    """A stretch of a recording's take; length_s None: all of it."""
    c, take = UTD_CONTRACT, take_from_recording(recording, UTD_CONTRACT)
    imu, pose = (
        array[:, :, round(skipped_s * rate) :][:, :, : None if length_s is None else round(length_s * rate)]
        for array, rate in ((take.imu, c.imu_rate_hz), (take.pose, c.pose_rate_hz))
    )
    start_s, kept_s = start_of_take_s(recording) + skipped_s, pose.shape[2] / c.pose_rate_hz
    cues = cues_of(recording, c.parts, start_s, kept_s, VARIANT)
    return StudyTake(replace(take, imu=imu, pose=pose), cues, np.empty((0, 0, 0), dtype=np.float32))


def _central(recording: Recording) -> StudyTake | None:
    """The central window of a recording; None where it is shorter."""
    c, take = UTD_CONTRACT, take_from_recording(recording, UTD_CONTRACT)
    unit_imu, unit_pose = common_step(c)
    units = min(take.imu.shape[2] // unit_imu, take.pose.shape[2] // unit_pose)
    spare = units - c.pose_samples // unit_pose
    return None if spare < 0 else _utd_take(recording, spare // 2 * unit_pose / c.pose_rate_hz, c.window_s)
