"""What is asked of the universal model itself, on real clips: whether mounting matters, what eight bits cost, and how
well Pose2IMU tells what a sensor feels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.bench import baselines, utd, zero_shot_utd
from kinebind.bench.assignment import NOW_S
from kinebind.bench.measured import Cases, Measured
from kinebind.bench.utd_joined import middle
from kinebind.body.quaternions import rotate
from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.tasks.binder import Binder
from kinebind.tasks.universal_matcher import UniversalMatcher

SEED = 36
_SHARED_LEAST = 50
"""Samples that a clip must share with its pose for a correlation."""


def mounting(clips: Sequence[utd.Clip], binder: Binder) -> Measured:
    """`rotation_sensitivity`, `same_action_distance` beside it, and `rotation_r1_loss` in points.

    The first is 1 − cosine of a sensor's tokens over 2 s before and after it is mounted anyhow else, centred on the
    mean of all clips; the second the same of two different clips of one action. The loss is R@1 as worn, minus R@1
    turned, times 100.
    """
    pairs = [middle(c, zero_shot_utd.MIDDLE_S) for c in clips]
    rng = np.random.default_rng(SEED)
    turned = [(remounted(imu, rng), poses) for imu, poses in pairs]
    own, other = (_vectors([imu for imu, _ in some], binder) for some in (pairs, turned))
    centre = own.mean(axis=0)
    moved = 1.0 - _cosines(own - centre, other - centre)
    groups: dict[tuple[int, str | None], list[int]] = {}
    for k, c in enumerate(clips):
        groups.setdefault((c.action, c.imu.site), []).append(k)
    apart = []
    for group in groups.values():
        x = own[group] - centre
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
        cosines = x @ x.T
        apart += [float(1.0 - cosines[i, j]) for i in range(len(group)) for j in range(i)]
    matcher = binder.matcher()
    r1 = [
        zero_shot_utd.recall("", zero_shot_utd.score_table(matcher, some, NOW_S))["_r1"].values
        for some in (pairs, turned)
    ]
    return {
        "rotation_sensitivity": Cases(moved, less_is_better=True),
        "same_action_distance": Cases(np.array(apart), less_is_better=None),
        "rotation_r1_loss": Cases(100.0 * (r1[0] - r1[1]), less_is_better=True),
    }


def remounted(imu: Imu, rng: np.random.Generator) -> Imu:
    """The sensor turned in its place, to any attitude."""
    turn = Rotation.random(random_state=rng).as_quat()
    gyr = None if imu.gyr_sensor is None else rotate(turn, imu.gyr_sensor)
    return imu.replace(acc_sensor=rotate(turn, imu.acc_sensor), gyr_sensor=gyr, rot_world_from_sensor=None)


def int8_loss(clips: Sequence[utd.Clip], binder: Binder) -> Measured:
    """`int8_r1_loss`: points of R@1 over 2 s that eight bits cost against torch. Needs the extra `onnx`."""
    from kinebind.nn.onnx_export import export_onnx
    from kinebind.nn.universal import Universal
    from kinebind.tasks.onnx_binder import load_onnx

    assert isinstance(binder.model, Universal)
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(binder.model, binder.contract, binder.about, Path(folder), int8=True)
        small = load_onnx(folder, int8=True)
        pairs = [middle(c, zero_shot_utd.MIDDLE_S) for c in clips]
        r1 = [
            zero_shot_utd.recall("", zero_shot_utd.score_table(some.matcher(), pairs, NOW_S))["_r1"].values
            for some in (binder, small)
        ]
    return {"int8_r1_loss": Cases(100.0 * (r1[0] - r1[1]), less_is_better=True)}


def pose2imu(clips: Sequence[utd.Clip], binder: Binder) -> Measured:
    """`pose2imu_acc_r` and `pose2imu_gyr_r`, a correlation a clip: what the pose tells of |f| and |ω| against what the
    sensor felt, on the right clock; `…_rule`: that of |2D acceleration · 0.55 m + g| and of the 2D segment's speed.
    """
    matcher = UniversalMatcher(binder.model)
    out: dict[str, list[float]] = {}
    for c in clips:
        site = c.imu.site or ""
        seen, felt = matcher.seen(c.poses, site), matcher.felt(c.imu)
        # Both count the same grid.
        first = max(seen.first, felt.first)
        last = min(seen.first + seen.told.shape[-1], felt.first + felt.signals.shape[-1])
        told = seen.told[:, first - seen.first : last - seen.first].double().numpy()
        real = felt.signals[:, first - felt.first : last - felt.first].double().numpy()
        valid = (
            seen.valid[first - seen.first : last - seen.first] & felt.valid[first - felt.first : last - felt.first]
        ).numpy()
        grid_s, metres = baselines.metres_on_grid(c.poses, None)
        rule = baselines.cues_seen(site, metres, None)
        at_s = np.arange(first, last) / 50.0
        for name, channel, cue in (("acc", 0, "A"), ("gyr", 1, "E")):
            ruled = np.interp(at_s, grid_s, rule[cue])
            felt_norm = np.sinh(real[channel])
            both = valid & np.isfinite(ruled)
            if both.sum() >= _SHARED_LEAST and felt_norm[both].std() > 0:
                for key, x in ((f"pose2imu_{name}_r", np.sinh(told[channel])), (f"pose2imu_{name}_r_rule", ruled)):
                    out.setdefault(key, []).append(float(np.corrcoef(x[both], felt_norm[both])[0, 1]))
    return {key: Cases(np.nan_to_num(np.array(values))) for key, values in out.items()}


def _vectors(imus: Sequence[Imu], binder: Binder) -> FloatArray:
    """Token sequences (N, T · D) of sensors over equally long stretches, what one lacks zero."""
    tokens = [(e.tokens * e.there[:, None]) for e in (binder.embed_imu(imu) for imu in imus)]
    longest = max(len(t) for t in tokens)
    return np.stack([np.pad(t, ((0, longest - len(t)), (0, 0))).ravel() for t in tokens]).astype(np.float64)


def _cosines(a: FloatArray, b: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(lengths, 1e-12))
