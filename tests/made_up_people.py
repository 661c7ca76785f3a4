"""People who swing their arms, slowly or fast, as recordings on one clock; and a recipe small enough for a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinebind import Imu, Label, Poses, Recording, save

RECIPE = """
name = "tiny"
[contract]
window_s = 1.0
patch_s = 0.2
imu_rate_hz = 50.0
pose_rate_hz = 20.0
parts = ["left_wrist", "right_wrist"]
imu_channels = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
pose_frame = "body"
[model]
conv_widths = [4, 4, 8, 8]
width = 16
heads = 2
layers = 1
feedforward = 16
masked_feedforward = 16
aggregator_width = 16
[train]
batch_size = 16
learning_rate = 1e-3
max_epochs = 2
seed = 3
precision = "fp32"
[data]
stride_s = 0.5
classes = ["slow", "fast"]
group = "folder"
train = ["anna", "ben"]
val = ["cleo"]
test = ["dora"]
"""
PEOPLE = ("anna", "ben", "cleo", "dora")
_STRETCH_S = 4.0
_HZ = {"slow": 0.5, "fast": 1.7}
_BODY = {0: (0, -75), 1: (12, -88), 2: (-12, -88), 3: (26, -80), 4: (-26, -80), 5: (65, 0), 6: (-65, 0),
         11: (42, 210), 12: (-42, 210), 13: (45, 400), 14: (-45, 400), 15: (45, 580), 16: (-45, 580)}  # fmt: skip
_ARMS = {"left_wrist": (5, 7, 9), "right_wrist": (6, 8, 10)}


def person(seed: int, seconds: float = 16.0) -> Recording:
    """Arms that swing at random about a frequency that the label names, for 4 s each."""
    labels = [
        Label(k * _STRETCH_S, (k + 1) * _STRETCH_S, ("slow", "fast")[(seed + k) % 2])
        for k in range(int(seconds / _STRETCH_S))
    ]
    rng = np.random.default_rng([seed, 11])
    shape = {arm: (rng.uniform(0.8, 1.2, 3), rng.uniform(0, 2 * np.pi, 3)) for arm in _ARMS}

    def angle_rad(arm: str, time_s: np.ndarray) -> np.ndarray:
        hz = np.array([_HZ[labels[min(int(t / _STRETCH_S), len(labels) - 1)].name] for t in time_s])
        turns = np.cumsum(hz) * (time_s[1] - time_s[0])
        factor, phase = shape[arm]
        return (0.35 * np.sin(2 * np.pi * turns[:, None] * factor + phase)).sum(axis=1)

    video_s, imu_s = np.arange(int(seconds * 20)) / 20, np.arange(int(seconds * 50)) / 50
    pixels = np.full((video_s.size, 17, 2), np.nan)
    for joint, at in _BODY.items():
        pixels[:, joint] = np.array([960, 400]) + at
    imus = []
    for arm, (shoulder, elbow, wrist) in _ARMS.items():
        a = angle_rad(arm, video_s)
        way = np.stack([np.sin(a), np.cos(a)], axis=1)
        pixels[:, elbow], pixels[:, wrist] = pixels[:, shoulder] + 130 * way, pixels[:, shoulder] + 250 * way
        a = angle_rad(arm, imu_s)
        rate = np.gradient(a, imu_s)
        acc = np.stack([9.81 * np.sin(a) + 0.5 * np.gradient(rate, imu_s), 9.81 * np.cos(a), 0 * a], axis=1)
        imus.append(Imu(imu_s, acc, np.stack([0 * a, 0 * a, rate], axis=1), name=arm, site=arm, clock_id="one"))
    people = (Poses(video_s, pixels, np.ones(pixels.shape[:2]), (1920, 1080)),)
    return Recording(people=people, imus=tuple(imus), labels=tuple(labels))


def folder(root: Path, seconds: float = 16.0) -> Path:
    """A folder for each of PEOPLE with a .kinebind file, in `root`/people, and `root`/tiny.toml."""
    for seed, name in enumerate(PEOPLE):
        (root / "people" / name).mkdir(parents=True)
        save(person(seed, seconds), root / "people" / name / "swing.kinebind")
    (root / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return root
