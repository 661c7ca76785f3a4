"""Takes for the study of learned models: motion capture seen by a virtual camera and felt by simulated sensors.

Files are chained in a random order and cut, so that no stretch of motion comes twice in one pass over them: a gallery
that holds the same movement twice would have two right answers. Each take has its own camera, sensors and errors
(row `normal` of the benchmark protocol). Beside the simulated sensors each take holds the channels that EgoHumans
would have published of it (no gravity, no sensor’s frame), so that the two can be compared
on the same motion, and the cues of plain correlation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.bench import baselines
from kinebind.bench.scenes import Source, filmed, present_sites, repeats, worn
from kinebind.body.segments import Posture, posture
from kinebind.body.sites import site_trajectory
from kinebind.body.weld import chain
from kinebind.clock import ClockMap, FloatArray
from kinebind.nn.contract import Contract
from kinebind.readers.egohumans import published_acceleration
from kinebind.recording import Label, Recording
from kinebind.resample import resample_rotations, resample_vectors
from kinebind.store import written_whole
from kinebind.tasks.sync.limb_signals import RATE_HZ as LAGS_HZ
from kinebind.training.takes import Float32, Take, take_from_recording

PARTS = ("left_wrist", "right_wrist", "left_shank", "right_shank", "head")
RATE_HZ = 20.0
"""Of both streams: EgoHumans' rates, so that the two kinds of sensor differ in nothing else."""
CONTRACT = Contract(imu_rate_hz=RATE_HZ, pose_rate_hz=RATE_HZ, parts=PARTS, pose_frame="body", acc_unit="g")
"""In g, as mRi's files are: beside m/s² the first convolution would hardly see a quaternion."""
PUBLISHED = Contract(imu_rate_hz=RATE_HZ, pose_rate_hz=RATE_HZ, parts=PARTS, pose_frame="body", acc_unit="file")
CUES_HZ = LAGS_HZ
"""Of correlation, as in `baselines`."""
TAKE_S, SHORTEST_S = 40.0, 6.0
LONG_S = 200.0
"""Of the takes from which clips of two and three minutes are cut."""
PEOPLE = 4
"""Takes of one chain that count as filmed together, for telling people apart."""
SPARE_S = 0.3
"""Of motion at both ends of a take, which its filters need."""
_Y_UP_FROM_Z_UP = Rotation.from_euler("x", -90, degrees=True)


@dataclass(frozen=True)
class Files:
    """Motion files that are chained: of one skeleton, and of one activity where that is named; `most_s` of them."""

    source: Source
    paths: tuple[Path, ...]
    activity: str = ""
    most_s: float = np.inf


@dataclass(frozen=True, eq=False)
class Cues:
    """What plain correlation compares of a take: felt, seen (N, 2, U) at CUES_HZ from its start, NaN where missing."""

    felt: Float32
    seen: Float32


@dataclass(frozen=True, eq=False)
class StudyTake:
    """One take. take: with sensors; its meta says what it is for (`split`; `sync`, where takes that repeat themselves
    are apart) and who is filmed together (`scene`, `person`). published (N, 7, T): the channels as EgoHumans has them,
    NaN where the body lacks the part; empty of real recordings.
    """

    take: Take
    cues: Cues
    published: Float32

    def as_published(self) -> Take:
        """The take with the published channels in place of the simulated sensors'."""
        t = self.take
        return Take(t.name, self.published, t.pose, t.labels, t.meta)


def study_takes(files: Files, seed: tuple[int, ...], set_name: str, variant: str) -> Iterator[StudyTake]:
    """The takes of some files, each told in `meta` what it is for, by `meta_of`. variant: of correlation's cues."""
    rng = np.random.default_rng(seed)
    length_s = LONG_S if set_name.endswith("-long") else TAKE_S
    for k, body in enumerate(stretches(files, rng, length_s)):
        name = f"{set_name}-{'-'.join(map(str, seed))}-{k}"
        recording = recorded(body, rng).replace(name=name)
        periodic = repeats(recording.imus)
        meta = {
            "split": set_name, "sync": f"{set_name}-periodic" if periodic else set_name,
            "scene": f"{set_name}-{'-'.join(map(str, seed))}-{k // PEOPLE}", "person": f"person{k % PEOPLE}",
        }  # fmt: skip
        yield _study_take(body, files.activity, recording.replace(meta=meta), variant)


def stretches(files: Files, rng: np.random.Generator, length_s: float) -> Iterator[Posture]:
    """Bodies of `length_s`, and at the end one of SHORTEST_S at least, whose clocks start at zero."""
    order = rng.permutation(len(files.paths))
    motions = [files.source.read(files.paths[i]) for i in order]
    whole = chain(motions) if len(motions) > 1 else motions[0]
    start, end = float(whole.time_s[0]), min(float(whole.time_s[-1]), float(whole.time_s[0]) + files.most_s)
    shortest_s = length_s if length_s > TAKE_S else SHORTEST_S
    while end - start >= shortest_s:
        part = whole.slice_s(start, min(start + length_s, end))
        yield posture(part.replace(time_s=part.time_s - part.time_s[0]))
        start += length_s


def recorded(body: Posture, rng: np.random.Generator) -> Recording:
    """The body filmed and worn from end to end, on one clock."""
    span: dict[str, Any] = {"start_s": SPARE_S, "duration_s": float(body.motion.time_s[-1]) - 2 * SPARE_S}
    sites = present_sites(body, PARTS)
    imus = worn(body, sites, "normal", rng, clocks=[ClockMap(0.0)], video_start_s=SPARE_S, orientation=True, **span)
    return Recording((filmed(body, "normal", rng, **span),), imus)


def _study_take(body: Posture, activity: str, recording: Recording, variant: str) -> StudyTake:
    labels = (Label(0.0, TAKE_S, activity),) if activity else ()
    take = take_from_recording(recording.replace(labels=labels), CONTRACT)
    start_s, count = start_of_take_s(recording), take.imu.shape[2]
    cues = cues_of(recording, PARTS, start_s, count / RATE_HZ, variant)
    return StudyTake(take, cues, as_published(body, SPARE_S + start_s + np.arange(count) / RATE_HZ))


def start_of_take_s(recording: Recording) -> float:
    """Where a recording's take begins (see `take_from_recording`), for one person, on the clocks of its streams."""
    return max(float(recording.people[0].time_s[0]), min(float(imu.time_s[0]) for imu in recording.imus))


def cues_of(recording: Recording, parts: tuple[str, ...], start_s: float, length_s: float, variant: str) -> Cues:
    """Correlation's cues of a stretch of a recording."""
    time_s = start_s + np.arange(round(length_s * CUES_HZ)) / CUES_HZ
    felt, seen = baselines.cues(recording.imus, recording.people[0], parts, time_s, variant)
    return Cues(felt.astype(np.float32), seen.astype(np.float32))


def as_published(body: Posture, time_s: FloatArray) -> Float32:
    """The channels (N, 7, T) that EgoHumans publishes, of our sites at times (T,) of the motion's clock.

    Acceleration by its stencil at 20 Hz, without gravity, and the bone's orientation, scalar first and not negative;
    both in a world with y up. Sensors sit where the simulated ones do on average.
    """
    out = np.full((len(PARTS), 7, time_s.size), np.nan, dtype=np.float32)
    for site in present_sites(body, PARTS):
        path = site_trajectory(body, site)
        # Frames are taken, not averaged: neither camera nor body fit filters.
        points = resample_vectors(path.time_s, path.position_world, time_s, cutoff_hz=np.inf)
        quat = resample_rotations(path.time_s, path.rot_world_from_segment, time_s)
        turned = (_Y_UP_FROM_Z_UP * Rotation.from_quat(quat)).as_quat(canonical=True)
        n = PARTS.index(site)
        out[n, :3] = _Y_UP_FROM_Z_UP.apply(published_acceleration(points)).T
        out[n, 3:] = turned[:, [3, 0, 1, 2]].T
    return out


def save_takes(path: Path, takes: list[StudyTake]) -> None:
    """Write takes to one .npz, whole or not at all."""
    arrays: dict[str, np.ndarray] = {"count": np.array(len(takes))}
    for k, t in enumerate(takes):
        arrays |= {f"{k}/imu": t.take.imu, f"{k}/pose": t.take.pose, f"{k}/published": t.published}
        arrays |= {f"{k}/felt": t.cues.felt, f"{k}/seen": t.cues.seen}
        about = [t.take.name, *(label.name for label in t.take.labels), *sum(t.take.meta.items(), ())]
        arrays[f"{k}/about"] = np.array(about)
        arrays[f"{k}/labels"] = np.array(len(t.take.labels))
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_takes(path: Path) -> Iterator[StudyTake]:
    """The takes that `save_takes` wrote."""
    with np.load(path, allow_pickle=False) as file:
        for k in range(int(file["count"])):
            about, labels = file[f"{k}/about"].tolist(), int(file[f"{k}/labels"])
            meta = dict(zip(about[1 + labels :: 2], about[2 + labels :: 2], strict=True))
            own = tuple(Label(0.0, TAKE_S, name) for name in about[1 : 1 + labels])
            take = Take(about[0], file[f"{k}/imu"], file[f"{k}/pose"], own, meta)
            yield StudyTake(take, Cues(file[f"{k}/felt"], file[f"{k}/seen"]), file[f"{k}/published"])
