"""`kinebind align` as a user runs it, on a simulated recording of ten minutes: two people, four sensors each.

Poses are given, with a detector's errors (the protocol's row `normal`); every sensor is a file with a clock of its
own person's. Nothing is declared: neither wearers nor sites. `align_right`: share of the sensors on the right person
and site; `align_answered`: share of the clocks that are answered; `align_within_frame`: share of all clocks with a
timing error below one frame; `align_error_ms`: the largest timing error of those answered; `align_s`: what the command
takes, loading included, and `align_again_s` when it is run again.

`two_…`: the same on a real video of two people, 1.7 s long, with sensors simulated from what the other three cameras
triangulate: shares of the sensors that are given to the right person and site, to a wrong one, and to none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.bench.video_real import Filmed
from kinebind.bench.views import agreed
from kinebind.body.imu_simulate import BODY_WORN, simulate_imus
from kinebind.body.lifted import motion_from_joints
from kinebind.body.segments import posture
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.readers import read_imu, read_poses

SITES = ("left_wrist", "right_wrist", "left_shank", "right_shank")
DURATION_S = 600.0
FPS = 30.0
_SEARCH = "-30:30"
_HEADER = "time (s)," + ",".join(
    f"{k}_{axis} ({unit})" for k, unit in (("acc", "m/s2"), ("gyr", "rad/s")) for axis in "xyz"
)


def align_figures(folder: Path, *, duration_s: float = DURATION_S, seed: int = 7) -> dict[str, float]:
    """The figures; the recording and what is found of it are left in the folder."""
    sim, found = folder / "recording", folder / "aligned"
    _kinebind(
        ["simulate", "--out", str(sim), "--people", "2", "--duration", f"{duration_s:g}", "--fps", f"{FPS:g}",
         "--sites", ",".join(SITES), "--offset", "3.7,-5.2", "--skew", "40,-25", "--condition", "normal",
         "--seed", str(seed), "-q"], folder,
    )  # fmt: skip
    sensors = sorted(sim.glob("person*.csv"))
    # Names would tell whose and where; a recording's sensors are called anything.
    shuffled = np.random.default_rng(seed).permutation(len(sensors))
    names = {f"sensor{k + 1}": sensors[j] for k, j in enumerate(shuffled)}
    for name, path in names.items():
        path.rename(sim / f"{name}.csv")
    words = ["align", str(sim / "poses.npz"), *(str(sim / f"{name}.csv") for name in names), "--out", str(found)]
    words += ["--search", _SEARCH, "--json", "-q"]
    took_s, told = _kinebind(words, folder)
    again_s, _ = _kinebind(words, folder)
    truth = json.loads((sim / "truth.json").read_text(encoding="utf-8"))
    return _judged(told, truth, {name: path.stem for name, path in names.items()}, sim) | {
        "align_s": took_s, "align_again_s": again_s,
    }  # fmt: skip


def real_two(found: Filmed, folder: Path) -> dict[str, float]:
    """The figures of the real video, the first camera's; what is made of it is left in the folder."""
    others = range(1, len(found.views))
    time_s = found.videos[0].time_s[: found.tracks[0].shape[1]]
    folder.mkdir()
    wears: dict[str, tuple[int, str]] = {}
    for p in range(len(found.people)):
        points = agreed([found.views[v] for v in others], found.of(p)[list(others)])
        body = posture(motion_from_joints(time_s, points))
        try:
            imus = simulate_imus(body, SITES, rng=np.random.default_rng([11, p]), effects=BODY_WORN)
        except InputError:  # not seen whole by the others
            continue
        for site, imu in zip(SITES, imus, strict=True):
            assert imu.gyr_sensor is not None, "simulated sensors turn"
            name = f"sensor{len(wears) + 1}"
            wears[name] = p, site
            rows = np.column_stack([imu.time_s - imu.time_s[0], imu.acc_sensor, imu.gyr_sensor])
            np.savetxt(folder / f"{name}.csv", rows, delimiter=",", header=_HEADER, comments="")
    words = ["align", str(found.videos[0].info.path), str(folder), "--out", str(folder / "found"), "--json", "-q"]
    _, told = _kinebind(words, folder)
    by_track = {found.videos[0].people[n].person: p for p, own in enumerate(found.people) for v, n in own if v == 0}
    right = wrong = 0
    for finding in told["located"]["sensors"]:
        given = finding["person"] is not None
        same = (by_track.get(finding["person"], -1), finding["site"]) == wears[finding["sensor"]]
        right += given and same
        wrong += given and not same
    count = len(wears)
    return {"two_right": right / count, "two_wrong": wrong / count, "two_refused": (count - right - wrong) / count}


def _judged(told: dict[str, Any], truth: dict[str, Any], called: dict[str, str], sim: Path) -> dict[str, float]:
    true = {s["name"]: (c["person"], s["site"], c) for c in truth["clocks"] for s in c["sensors"]}
    video = read_poses(sim / "poses.npz")[0].time_s
    findings = {f["sensor"]: f for f in told["located"]["sensors"]}
    right = [(findings[n]["person"], findings[n]["site"]) == true[own][:2] for n, own in called.items()]
    errors = []
    for answer in told["answers"]:
        name = answer["sensors"][0]["name"]
        clock = true[called[name]][2]
        own = ClockMap(clock["offset_s"], clock["skew_ppm"] * 1e-6, clock["ref_time_s"])
        imu = read_imu(sim / f"{name}.csv")[0]
        low = max(float(imu.time_s[0]), float(own.to_imu(video[0])))
        ends = np.array([low, min(float(imu.time_s[-1]), float(own.to_imu(video[-1])))])
        if answer["status"] != "answered":
            errors.append(np.inf)
            continue
        said = ClockMap(answer["offset_s"], answer["skew_ppm"] * 1e-6, answer["ref_time_s"])
        errors.append(float(np.abs(said.to_video(ends) - own.to_video(ends)).max()))
    answered = np.isfinite(errors)
    out = {
        "align_right": float(np.mean(right)), "align_answered": float(answered.mean()),
        "align_within_frame": float((np.array(errors) < 1.0 / FPS).mean()),
    }  # fmt: skip
    return out | ({"align_error_ms": 1e3 * float(np.array(errors)[answered].max())} if answered.any() else {})


def _kinebind(words: Sequence[str], folder: Path) -> tuple[float, dict[str, Any]]:
    """Run a command in a process of its own with an empty cache at first: seconds, and what it says as JSON."""
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    began_s = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "kinebind", *words], capture_output=True, text=True, env=env)
    took_s = time.perf_counter() - began_s
    # 3: something was refused, which the figures tell.
    if done.returncode not in (0, 3):
        raise RuntimeError(f"kinebind {words[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return took_s, json.loads(done.stdout) if "--json" in words else {}
