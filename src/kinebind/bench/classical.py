"""The job of synchronisation by what learns nothing: SyncWISE and plain correlation, on a data set's own recordings.

They get the same clips as the learned models, cut from the recordings themselves, as windows hold neither pixels nor
all keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinebind.bench.baselines import correlation_offset_s, syncwise_offset_s
from kinebind.errors import InputError
from kinebind.readers.sets import person_takes
from kinebind.recording import Recording
from kinebind.tasks.sync.annotations import CLIP_S, Annotation
from kinebind.training.jobs.clips import annotated_clips, drawn_clips
from kinebind.training.jobs.result import JobResult
from kinebind.training.jobs.synchronise import DRAWS, Answer, scored
from kinebind.training.recipe import Recipe
from kinebind.training.sources import RECORDINGS, seen_recording
from kinebind.training.store import WindowStore
from kinebind.training.windows import entries_by_split, split_windows

METHODS = ("syncwise", "correlation")
_VARIANT = "low3"  # what correlation does best with on development data


def synchronise(
    method: str,
    recipe: Recipe,
    store: WindowStore,
    data: str | Path,
    split: str = "test",
    annotations: Sequence[Annotation] | None = None,
    clip_s: float = CLIP_S,
    draws: int = DRAWS,
    seed: int = 0,
) -> JobResult:
    """Errors of the offset on the clips of a split; see `kinebind.training.jobs.synchronise`.

    method: one of METHODS. data: the data set's folder; store: its windows, which say the takes and their splits.
    Raises InputError for a set without real sensors, and where a take of the store is not in the folder.
    """
    if method not in METHODS:
        raise InputError(f"There is no method '{method}'.", f"Use one of: {', '.join(METHODS)}.")
    store.check(recipe.contract)
    entries = entries_by_split(store, recipe.data)[split].tolist()
    if not entries:
        split_windows(store, recipe.contract, recipe.data, split)  # says which groups there are
    clips = (
        drawn_clips(store, entries, draws, seed, clip_s)
        if annotations is None
        else annotated_clips(store, entries, annotations)
    )
    wanted = {store.entries[e].name for e, _ in clips}
    answers, truth = [], []
    for take in person_takes(recipe.data.reader or RECORDINGS, data):
        name = take.recording.name
        if name not in wanted:
            continue
        if take.channels is not None:
            raise InputError(
                f"{name} has no real sensors: its signals are no specific force.",
                "These methods need sensors, or ones simulated from the set's motions (docs/datasets.md).",
            )
        wanted.remove(name)
        recording = seen_recording(take)
        for annotation in (annotation for e, annotation in clips if store.entries[e].name == name):
            most_s = annotation.end_s - annotation.start_s - recipe.contract.window_s
            answers.append(Answer(_offset_s(method, recording, annotation, recipe.contract.parts, most_s), True))
            truth.append(annotation.offset_s)
    if wanted:
        raise InputError(
            f"{data} lacks what the windows were cut from: {', '.join(sorted(wanted)[:5])}.",
            "Name the folder that the windows were built from.",
        )
    return scored({method: answers}, np.array(truth), len(entries))


def _offset_s(
    method: str, recording: Recording, annotation: Annotation, parts: tuple[str, ...], most_s: float
) -> float:
    """The answer to a clip, whose two streams begin at zero each."""
    (person,) = recording.people
    worn = [imu for imu in recording.imus if imu.site in parts]
    # Where a store's take begins, from which an annotation counts.
    zero_s = max(float(person.time_s[0]), min(float(imu.time_s[0]) for imu in worn))
    imu_s, pose_s = zero_s + annotation.start_s, zero_s + annotation.pose_start_s
    length_s = annotation.end_s - annotation.start_s
    imus = tuple(
        cut.replace(time_s=cut.time_s - imu_s) for cut in (imu.slice_s(imu_s, imu_s + length_s) for imu in worn)
    )
    poses = person.slice_s(pose_s, pose_s + length_s)
    poses = poses.replace(time_s=poses.time_s - pose_s)
    if method == "syncwise":
        return syncwise_offset_s(imus, poses, (-most_s, most_s))
    return correlation_offset_s(imus, poses, (-most_s, most_s), _VARIANT)
