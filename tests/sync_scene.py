"""A made-up person who swings arms and legs, with sensors that felt it and answers as the estimator would give them."""

from __future__ import annotations

import numpy as np

from kinebind import ClockMap, Imu, Poses, Recording
from kinebind.tasks.sync.result import ClockAnswer, Curve, Piece, Reason, Residuals, SensorFinding, SyncResult

LIMBS = {
    "left_upper_arm": (5, 7, 130.0), "right_upper_arm": (6, 8, 130.0), "left_wrist": (7, 9, 120.0),
    "right_wrist": (8, 10, 120.0), "left_thigh": (11, 13, 190.0), "right_thigh": (12, 14, 190.0),
    "left_shank": (13, 15, 180.0), "right_shank": (14, 16, 180.0),
}  # fmt: skip


def angle_rad(site: str, time_s: np.ndarray, seed: int = 0) -> np.ndarray:
    """Angle of a limb against the vertical: a few incommensurate swings that come and go."""
    rng = np.random.default_rng([seed, sorted(LIMBS).index(site)])
    out = np.zeros(time_s.size)
    for _ in range(5):
        f, phase, slow, slow_phase = rng.uniform(0.3, 1.6), *rng.uniform(0, 2 * np.pi, 1), *rng.uniform(0.03, 7, 2)
        out += 0.45 * np.sin(2 * np.pi * f * time_s + phase) * np.sin(0.25 * slow * time_s / 2 + slow_phase) ** 2
    return out


def poses(duration_s: float = 24.0, rate_hz: float = 30.0, seed: int = 0, **changes: object) -> Poses:
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    p = np.full((time_s.size, 17, 2), np.nan)
    middle = np.array([960.0, 420.0])
    for k, at in {0: (0, -75), 1: (12, -88), 2: (-12, -88), 3: (26, -80), 4: (-26, -80), 5: (65, 0), 6: (-65, 0),
                  11: (42, 210), 12: (-42, 210)}.items():  # fmt: skip
        p[:, k] = middle + at
    for site in ("left_upper_arm", "right_upper_arm", "left_wrist", "right_wrist",
                 "left_thigh", "right_thigh", "left_shank", "right_shank"):  # fmt: skip
        a, b, length = LIMBS[site]
        angle = angle_rad(site, time_s, seed) * (0.5 if "thigh" in site or "shank" in site else 1.3)
        p[:, b] = p[:, a] + length * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    p += np.random.default_rng(seed).normal(0, 1.5, p.shape)
    given = {"image_size_px": (1920, 1080), "notes": ("3 frames without a time were dropped.",)} | changes
    return Poses(time_s, p, np.full(p.shape[:2], 0.9), **given)  # type: ignore[arg-type]


def imu(limb: str, clock: ClockMap, duration_s: float = 24.0, *, rate_hz: float = 100.0, seed: int = 0,
        jump: tuple[float, float] | None = None, **changes: object) -> Imu:  # fmt: skip
    """A sensor whose clock maps by `clock`; jump (imu time, seconds): from there on the clock shows that much more."""
    time_s = np.arange(int((duration_s - 1.0) * rate_hz)) / rate_hz + float(clock.to_imu(0.5))
    video_s = clock.to_video(time_s)
    angle = angle_rad(limb, video_s, seed) * (0.5 if "thigh" in limb or "shank" in limb else 1.3)
    rate = np.gradient(angle, video_s)
    rng = np.random.default_rng([seed, 5])
    gyr = rng.normal(0, 0.03, (time_s.size, 3)) + np.stack([0.2 * rate, 0.1 * rate, rate], axis=1)
    acc = 9.81 * np.stack([np.sin(angle), np.cos(angle), 0 * angle], axis=1) + rng.normal(0, 0.05, (time_s.size, 3))
    acc[:, 0] += 0.25 * np.gradient(rate, video_s)
    if jump is not None:
        time_s = time_s + jump[1] * (time_s >= jump[0])
    half = angle / 2
    given = {
        "gyr_sensor": gyr, "name": limb, "site": limb,
        "rot_world_from_sensor": np.stack([0 * half, 0 * half, np.sin(half), np.cos(half)], axis=1),
    } | changes  # fmt: skip
    return Imu(time_s, acc, **given)  # type: ignore[arg-type]


def answer(clock_id: str, names: tuple[str, ...], clock: ClockMap, *, duration_s: float = 24.0, seed: int = 0,
           jump: tuple[float, float] | None = None, refused: Reason | None = None, sites: tuple[str | None, ...] = (),
           search_s: float = 7.0, **changes: object) -> ClockAnswer:  # fmt: skip
    """What the estimator would say: a peak, rivals, windows that scatter about the truth."""
    rng = np.random.default_rng([seed, 7])
    start, end = (float(v) for v in clock.to_imu(np.array([0.5, duration_s - 0.5])))
    pieces = (Piece(start, end, clock, 0.97),)
    if jump is not None:
        first = ClockMap(clock.offset_s, clock.skew, clock.ref_time_s)
        second = ClockMap(clock.offset_s - jump[1] * (1 + clock.skew), clock.skew, clock.ref_time_s)
        pieces = (Piece(start, jump[0], first, 0.97), Piece(jump[0], end + jump[1], second, 0.95))
    lag = np.arange(clock.offset_s - search_s, clock.offset_s + search_s, 0.02)
    noise = np.convolve(rng.normal(0, 1, lag.size), np.hanning(25), mode="same")
    height = 9.0 if refused else 140.0
    d = lag - clock.offset_s
    nats = height * np.exp(-((d / 0.12) ** 2)) * np.cos(2 * np.pi * d / 0.9) + 3.0 * noise
    nats += 0.93 * height * np.exp(-(((d - 1.42) / 0.12) ** 2)) * (refused is not None)
    windows = np.arange(start + 2, end - 2, 1.0 if duration_s < 600 else 2.5)
    weight = rng.uniform(0, 1, windows.size)
    residual = rng.normal(0, 0.008, windows.size) / np.sqrt(np.maximum(weight, 0.02))
    share = rng.dirichlet(np.full(len(names), 2.0)) * height
    sites = sites or tuple(n if n in LIMBS else None for n in names)
    sensors = tuple(SensorFinding(n, s, n in LIMBS, float(e)) for n, s, e in zip(names, sites, share, strict=True))
    given = {
        "person": "1", "confidence": 0.31 if refused else 0.973, "uncertainty_s": 0.0041, "skew_uncertainty": 6.2e-6,
        "rivals_s": ((clock.offset_s + 1.42, 0.93 * height if refused else 31.0), (clock.offset_s - 2.84, 6.0)),
        "features": {"evidence_nats": height, "margin_nats": 0.07 * height if refused else height - 31.0},
        "overlap_s": duration_s - 1.0, "reason": refused,
        "curve": Curve(lag, nats), "residuals": Residuals(windows, residual, weight),
    } | changes  # fmt: skip
    return ClockAnswer(clock_id, sensors=sensors, pieces=pieces, **given)  # type: ignore[arg-type]


def scene(names: tuple[str, ...] = ("left_wrist", "right_shank"), *, duration_s: float = 24.0, shared: bool = True,
          clock: ClockMap | None = None) -> tuple[Recording, SyncResult]:  # fmt: skip
    """A recording and its result: all sensors on one clock, or each on its own."""
    base = clock or ClockMap(3.21437, 38e-6, 8.0)
    maps = [base if shared else base.rereferenced(8.0 + i) for i in range(len(names))]
    if not shared:
        maps = [ClockMap(m.offset_s + 0.731 * i, m.skew * (1 - i / 3), m.ref_time_s) for i, m in enumerate(maps)]
    imus = tuple(
        imu(n, m, duration_s, clock_id="watches" if shared else n, notes=("2 repeated timestamps were merged.",))
        for n, m in zip(names, maps, strict=True)
    )
    if shared:
        answers: tuple[ClockAnswer, ...] = (answer("watches", names, base, duration_s=duration_s),)
    else:
        answers = tuple(answer(n, (n,), m, duration_s=duration_s, seed=i)
                        for i, (n, m) in enumerate(zip(names, maps, strict=True)))  # fmt: skip
    recording = Recording(people=(poses(duration_s),), imus=imus, name="garden, take 2")
    return recording, SyncResult("1", answers, (-7.0, 7.0), name=recording.name)
