"""Clips of UTD-MHAD joined to longer streams, with the seams taken out so that they are no barcode.

A seam shows in both streams at once: the pose leaps and the sensor's signals do. Each stream therefore loses a stretch
about each seam, about 0.2 s long, whose two ends are drawn for each stream by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinebind.bench import utd
from kinebind.bench.assignment import Together
from kinebind.bench.offset_finders import SyncCase
from kinebind.clock import ClockMap
from kinebind.imu import Imu
from kinebind.poses import Poses

SEAM_S = (0.05, 0.15)
"""What each stream loses before a seam, and after it: drawn from here, seconds; 0.2 s in all on average."""
OFFSET_S = 2.0
PEOPLE_S = 9.0
WRIST = "right_wrist"


def duration_s(clip: utd.Clip) -> float:
    """How long a clip lasts, seconds, on the clock that both of its streams have."""
    return clip.imu.time_s.size / 50.0


def middle(clip: utd.Clip, length_s: float) -> tuple[Imu, Poses]:
    """The central `length_s` of both streams, both clocks from its start; of a shorter clip, all of it."""
    length_s = min(length_s, duration_s(clip))
    start_s = 0.5 * (duration_s(clip) - length_s)
    imu = clip.imu.slice_s(start_s - 1e-9, start_s + length_s - 1e-9)
    poses = clip.poses.slice_s(start_s - 1e-9, start_s + length_s - 1e-9)
    return imu.replace(time_s=imu.time_s - start_s), poses.replace(time_s=poses.time_s - start_s)


def join(
    pieces: Sequence[tuple[Imu, Poses]], lengths_s: Sequence[float], rng: np.random.Generator
) -> tuple[Imu, Poses]:
    """Pieces laid end to end on one clock from zero, each lasting its length, without what lies about the seams.

    Both streams of a piece start at zero on its clock. What is removed is missing as lost samples are.
    """
    starts_s = np.concatenate([[0.0], np.cumsum(lengths_s)])
    last = len(pieces) - 1
    imus: list[Imu] = []
    poses: list[Poses] = []
    for k, (imu, seen) in enumerate(pieces):
        lost_s = rng.uniform(*SEAM_S, (2, 2)) * [k > 0, k < last]  # of either stream, at its start and its end
        ends_s = lengths_s[k] - lost_s[:, 1]
        imus.append(imu.slice_s(lost_s[0, 0], ends_s[0]))
        poses.append(seen.slice_s(lost_s[1, 0], ends_s[1]))
    gyr = [imu.gyr_sensor for imu in imus if imu.gyr_sensor is not None]
    return (
        Imu(
            np.concatenate([imu.time_s + start_s for imu, start_s in zip(imus, starts_s[:-1], strict=True)]),
            np.concatenate([imu.acc_sensor for imu in imus]),
            np.concatenate(gyr) if len(gyr) == len(imus) else None, name=imus[0].name, site=imus[0].site,
        ),
        Poses(
            np.concatenate([seen.time_s + start_s for seen, start_s in zip(poses, starts_s[:-1], strict=True)]),
            np.concatenate([seen.keypoints_px for seen in poses]),
            np.concatenate([seen.scores for seen in poses]), poses[0].image_size_px,
        ),
    )  # fmt: skip


def joined_cases(clips: Sequence[utd.Clip], site: str, length_s: float, seed: int) -> list[SyncCase]:
    """All clips of each subject and limb in random order, joined, and cut into pieces of `length_s`.

    A piece of the sensor and a piece of the video of the same length, shifted by up to ±2 s as far as the joined
    streams allow; both clocks from zero.
    """
    out = []
    for subject in sorted({c.subject for c in clips}):
        rng = np.random.default_rng([seed, subject])
        own = [c for c in clips if c.subject == subject and c.imu.site == site]
        if not own:
            continue
        order = [own[int(i)] for i in rng.permutation(len(own))]
        lengths_s = [duration_s(c) for c in order]
        imu, poses = join([(c.imu, c.poses) for c in order], lengths_s, rng)
        total_s = float(sum(lengths_s))
        count = int(total_s // length_s)
        # Pieces stand evenly over all there is, so that what is left over is not always the end.
        for start_s in (
            np.linspace(0.0, total_s - length_s, count) if count > 1 else [0.5 * (total_s - length_s)] * count
        ):
            # Drawn from what there is room for: a draw that is cut back would pile up at offset zero.
            left_s = total_s - length_s - start_s
            shift_s = float(rng.uniform(max(-OFFSET_S, -start_s), max(0.0, min(OFFSET_S, left_s))))
            at_s = float(start_s) + shift_s
            piece = imu.slice_s(start_s, start_s + length_s)
            video = poses.slice_s(at_s, at_s + length_s)
            out.append(
                SyncCase(
                    (piece.replace(time_s=piece.time_s - start_s),),
                    video.replace(time_s=video.time_s - at_s),
                    ClockMap(-shift_s, 0.0, length_s / 2),
                )
            )
    return out


def together(clips: Sequence[utd.Clip], seed: int, *, length_s: float | None = None) -> list[Together]:
    """All subjects of the clips in the same action of the right wrist, for each action.

    By default all trials that each of them has, joined and cut to 9 s; trial k is cut to the same length for all (the
    middle of what each has), so that the seams coincide. With `length_s`: the middle of trial k, for each k.
    """
    by_action: dict[int, dict[int, list[utd.Clip]]] = {}
    for clip in clips:
        if clip.imu.site == WRIST:
            by_action.setdefault(clip.action, {}).setdefault(clip.subject, []).append(clip)
    out = []
    for action, by_subject in sorted(by_action.items()):
        trials = list(zip(*by_subject.values(), strict=False))
        if length_s is not None:
            out += [_together([middle(c, length_s) for c in trial]) for trial in trials]
            continue
        lengths_s = [min(duration_s(c) for c in trial) for trial in trials]
        found = []
        for k, subject in enumerate(by_subject):
            pieces = [middle(trial[k], length) for trial, length in zip(trials, lengths_s, strict=True)]
            imu, poses = join(pieces, lengths_s, np.random.default_rng([seed, action, subject]))
            found.append((imu.slice_s(0.0, PEOPLE_S), poses.slice_s(0.0, PEOPLE_S)))
        out.append(_together(found))
    return out


def _together(found: Sequence[tuple[Imu, Poses]]) -> Together:
    return Together(tuple(imu for imu, _ in found), tuple(poses for _, poses in found))
