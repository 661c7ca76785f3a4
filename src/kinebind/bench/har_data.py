"""Labelled stretches of the benchmark of activities: UTD-MHAD's clips, GeoTec's, WHARF's and OpenPack's recordings.

Who trains and who is asked is split by subject, but for OpenPack's one session, which is split in time; where a sensor
is worn is never told to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from kinebind.bench import utd
from kinebind.body.keypoints import coco17_world
from kinebind.motion import Motion
from kinebind.nn.universal import RATE_HZ, Universal
from kinebind.poses import Poses
from kinebind.readers import read_imu
from kinebind.readers.geotec import read_geotec_labels
from kinebind.readers.openpack_sessions import openpack_sessions
from kinebind.readers.wharf import read_wharf_labels, wharf_person
from kinebind.recording import Label
from kinebind.tasks.binder import shipped_once
from kinebind.tasks.recognise.by_examples import USUAL_LIMBS, USUAL_STAY_S, Looks
from kinebind.tasks.recognise.stretches import Labelled, Stretch, labelled_pieces, stretch_of, usual_length_s

UTD_LABELS = (
    "swipe left", "swipe right", "wave", "clap", "throw", "cross arms", "basketball shoot", "draw x",
    "draw circle clockwise", "draw circle counter clockwise", "draw triangle", "bowling", "boxing", "baseball swing",
    "tennis swing", "arm curl", "tennis serve", "push", "knock", "catch", "pick up and throw", "jog", "walk",
    "sit to stand", "stand to sit", "lunge", "squat",
)  # fmt: skip
"""What UTD-MHAD's authors call its 27 actions, in their order."""
UTD_WRIST = 21
"""Actions 1 … 21 are those with the sensor on the wrist."""
UTD_TRAIN = {"published": (1, 3, 5), "oddeven": (1, 3, 5, 7)}
"""Who trains in the two published protocols; subjects 2, 4, 6 and 8 are asked, in the first subject 7 chooses."""
WINDOW_S = 4.0
LOOKS = {
    "inertial": Looks(WINDOW_S, told=False), "pose2d": Looks(WINDOW_S, USUAL_LIMBS, told=False),
    "skeleton3d": Looks(WINDOW_S, USUAL_LIMBS, told=False), "both": Looks(WINDOW_S, USUAL_LIMBS, told=False),
}  # fmt: skip
_PIXELS_PER_M = 100.0
_LEARNT, _ASKED = 0.6, 0.35
"""Shares of a session that is split in time; between them lies what is neither."""


@dataclass(frozen=True, eq=False)
class Told:
    """A whole recording to be asked, and its labels."""

    stretch: Stretch
    labels: tuple[Label, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """Names of the classes, stretches to learn from and to be asked; whole recordings to be asked, where there are any,
    and how long each class lasts in those to learn from.
    """

    names: tuple[str, ...]
    known: tuple[Labelled, ...]
    asked: tuple[Labelled, ...]
    tracks: tuple[Told, ...] = ()
    stays_s: tuple[float, ...] = ()


def utd_split(folder: Path, protocol: str, mode: str, *, final: bool, actions: int = len(UTD_LABELS)) -> Split:
    """UTD-MHAD by a protocol and with some of its streams; actions: only the first so many.

    Without `final` the even subjects stay closed: 1, 3 and 5 train and 7 is asked.
    """
    known = UTD_TRAIN[protocol] if final else UTD_TRAIN["published"]
    parts = (utd_labelled(folder, known, mode), utd_labelled(folder, utd.TEST if final else (7,), mode))
    known_part, asked = (tuple(own for own in part if own.label < actions) for part in parts)
    return Split(UTD_LABELS[:actions], known_part, asked)


@cache
def utd_labelled(folder: Path, subjects: tuple[int, ...], mode: str) -> tuple[Labelled, ...]:
    """Whole clips, as sensors ("inertial"), the set's camera ("pose2d"), the skeleton from the front and from the side
    ("skeleton3d"), or sensor and camera ("both").
    """
    out = []
    for clip in utd.clips(folder, subjects):
        imus = [clip.imu] if mode in ("inertial", "both") else []
        views = [clip.poses] if mode in ("pose2d", "both") else []
        if mode == "skeleton3d":
            assert clip.skeleton is not None, "clips of the set's files have one"
            views = two_views(clip.skeleton)
        out.append(Labelled(stretch_of(imus, views, told=False), clip.action - 1, str(clip.subject)))
    return tuple(out)


def two_views(motion: Motion) -> list[Poses]:
    """A skeleton as seen from the front and from the side, from far away."""
    points = coco17_world(motion)
    views = []
    for axis in (0, 1):
        pixels = np.stack([points[..., axis], -points[..., 2]], axis=-1) * _PIXELS_PER_M
        scores = np.where(np.isfinite(pixels).all(axis=-1), 1.0, np.nan)
        views.append(Poses(motion.time_s, pixels, np.nan_to_num(scores)))
    return views


@cache
def geotec_split(folder: Path, *, final: bool) -> Split:
    """Watches of GeoTec: odd subjects train, even ones are asked; without `final` the last two of the odd ones are."""
    paths = {path: path.name.split("_")[0] for path in sorted(folder.rglob("s*_sw.csv"))}
    odd = sorted({subject for subject in paths.values() if int(subject[1:]) % 2})
    asked = {subject for subject in paths.values() if subject not in odd} if final else set(odd[-2:])
    return _split({path: own for path, own in paths.items() if own in asked or own in odd}, asked, read_geotec_labels)


@cache
def wharf_split(folder: Path, fold: int, folds: int = 5) -> Split:
    """WHARF's recordings, every fifth person asked; fold: which of them."""
    paths = {path: own for path in sorted(folder.rglob("Accelerometer-*.txt")) if (own := wharf_person(path))}
    paths = {path: own for path, own in paths.items() if "MODEL" not in path.parent.name}
    return _split(paths, set(sorted(set(paths.values()))[fold::folds]), read_wharf_labels)


def _split(subjects: dict[Path, str], asked: set[str], labels_of: Callable[[Path], Sequence[Label]]) -> Split:
    """Recordings of subjects by their labels, those of `asked` apart."""
    labels = {path: labels_of(path) for path in subjects}
    names = tuple(sorted({label.name for own in labels.values() for label in own}))
    known: list[Labelled] = []
    apart: list[Labelled] = []
    tracks: list[Told] = []
    for path, subject in subjects.items():
        whole = stretch_of(read_imu(path), told=False)
        (apart if subject in asked else known).extend(labelled_pieces(whole, labels[path], names, subject, WINDOW_S))
        if subject in asked:
            tracks.append(Told(whole, tuple(labels[path])))
    stays_s = _stays_s(names, [own for path, own in labels.items() if subjects[path] not in asked])
    return Split(names, tuple(known), tuple(apart), tuple(tracks), stays_s)


def _stays_s(names: Sequence[str], labels: Sequence[Sequence[Label]]) -> tuple[float, ...]:
    """How long each class lasts on average."""
    each = [usual_length_s(own) for own in labels]
    return tuple(float(np.mean([own[name] for own in each if name in own] or [USUAL_STAY_S])) for name in names)


@cache
def openpack_split(folder: Path, session: int = 0) -> Split:
    """OpenPack's operations within one session, both wrists: the first 60 % to learn from, the last 35 % asked.

    A working example: one person, so nothing is said of others.
    """
    found = list(openpack_sessions(folder))[session]
    imus = [imu for imu in found.imus if imu.site in ("left_wrist", "right_wrist")]
    whole = stretch_of(imus, told=False)
    start_s, end_s = found.labels[0].start_s, found.labels[-1].end_s
    until_s, from_s = (start_s + part * (end_s - start_s) for part in (_LEARNT, 1.0 - _ASKED))
    before = [own for own in found.labels if own.end_s <= until_s]
    after = [own for own in found.labels if own.start_s >= from_s]
    names = tuple(sorted({own.name for own in before}))
    learnt = whole.cut(0, max(0, round(until_s * RATE_HZ) - whole.first))
    held = whole.cut(max(0, round(from_s * RATE_HZ) - whole.first), whole.samples)
    return Split(
        names, tuple(labelled_pieces(learnt, before, names, found.name, WINDOW_S)),
        tuple(labelled_pieces(held, after, names, found.name, WINDOW_S)),
        (Told(held, tuple(own for own in after if own.name in names)),), _stays_s(names, [before]),
    )  # fmt: skip


def universal() -> Universal:
    """The shipped model, which runs in torch."""
    model = shipped_once().model
    assert isinstance(model, Universal), "the shipped model runs in torch"
    return model


def few(known: Sequence[Labelled], per_class: int, seed: int) -> list[Labelled]:
    """`per_class` stretches of each class, drawn at random; all where there are no more."""
    return _drawn(known, np.random.default_rng([301, seed]), lambda count: per_class)


def share(known: Sequence[Labelled], part: float, seed: int) -> list[Labelled]:
    """A share of the stretches of each class, drawn at random, one at least."""
    return _drawn(known, np.random.default_rng([302, seed]), lambda count: max(1, round(part * count)))


def _drawn(known: Sequence[Labelled], rng: np.random.Generator, count_of: Callable[[int], int]) -> list[Labelled]:
    out: list[Labelled] = []
    for label in sorted({own.label for own in known}):
        own = [k for k in known if k.label == label]
        out += [own[k] for k in rng.permutation(len(own))[: count_of(len(own))]]
    return out
