"""Made-up people before one camera, and the sensors that they wear, on one clock."""

from __future__ import annotations

from functools import cache

import numpy as np

import made_up_body
from kinebind import ClockMap, Imu, Poses, Recording
from kinebind.bench.scenes import filmed, worn
from kinebind.body.segments import posture

DURATION_S = 12.0


@cache
def person(seed: int, sites: tuple[str, ...] = ("left_wrist", "right_shank"), duration_s: float = DURATION_S):
    """Poses called after the seed, and sensors called p1_left_wrist and so on, whose sites are hidden."""
    body = posture(made_up_body.motion(seed, duration_s + 0.5, 60.0))
    rng = np.random.default_rng([91, seed])
    imus = worn(body, sites, "clean", rng, clocks=[ClockMap(0.0)], start_s=0.0, duration_s=duration_s)
    poses = filmed(body, "clean", rng, start_s=0.0, duration_s=duration_s, name=str(seed))
    return poses, tuple(i.replace(name=f"p{seed}_{i.site}", site=None, clock_id="recorder") for i in imus)


def together(*seeds: int, stranger: int | None = None) -> Recording:
    """A recording of several people with their sensors, and those of somebody who is not in view."""
    poses: list[Poses] = []
    imus: list[Imu] = []
    for seed in seeds:
        own, sensors = person(seed)
        poses.append(own)
        imus += sensors
    if stranger is not None:
        imus += person(stranger)[1]
    return Recording(tuple(poses), tuple(imus), name="crowd")


def declared(recording: Recording, **sites: str) -> Recording:
    """The recording with sites said of some sensors."""
    imus = tuple(i.replace(site=sites.get(i.name, i.site), name=i.name) for i in recording.imus)
    return recording.replace(imus=imus)
