"""Who wears which sensor, and where: scores of sensors against candidates, chosen each for itself or all together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinebind.clock import ClockMap, FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.tasks.locate import How, choose
from kinebind.tasks.matching import Matcher

HOWS: dict[How, str] = {"together": "assigned", "each": "each"}
"""How people are chosen, and what figures call it."""
SITES_HOW: dict[How, str] = {"together": "assigned", "each": "argmax"}
"""The same of sites."""
NOW_S = np.zeros(1)
"""The one lag of streams whose clocks are right."""


@dataclass(frozen=True, eq=False)
class Together:
    """People who are filmed at the same time: a sensor and a video of each, on one clock.

    imus[k] is worn by the person of poses[k].
    """

    imus: tuple[Imu, ...]
    poses: tuple[Poses, ...]


def people_table(matcher: Matcher, found: Together) -> FloatArray:
    """Scores (P, P) of each sensor with each person, the right ones on the diagonal.

    Raises InputError where the sensors are not all worn at one known site.
    """
    sites = {imu.site for imu in found.imus}
    site = sites.pop()
    if sites or site is None:
        raise InputError("The sensors of a group are not worn at one known site.", "Give all the same site.")
    felt = [matcher.felt(imu) for imu in found.imus]
    return matcher.scores(felt, [matcher.seen(poses, site) for poses in found.poses], NOW_S)[..., 0]


def sites_table(matcher: Matcher, imus: Sequence[Imu], poses: Poses, clock: ClockMap) -> FloatArray:
    """Scores (S, S) of sensors of one person, whose sites are hidden, with the limbs at all their sites.

    The right ones are on the diagonal. clock: the right one, of all sensors to the video. Raises InputError where a
    site is not known, or two sensors are worn at the same.
    """
    sites = [imu.site for imu in imus if imu.site is not None]
    if len(set(sites)) < len(imus):
        raise InputError("Sites are not known, or not all different.", "Give each sensor its own site.")
    felt = [matcher.felt(on_video_clock(imu, clock).replace(site=None, name="imu")) for imu in imus]
    return matcher.scores(felt, [matcher.seen(poses, site) for site in sites], NOW_S)[..., 0]


def on_video_clock(imu: Imu, clock: ClockMap) -> Imu:
    """The sensor with the times of the video's clock."""
    return imu.replace(time_s=clock.to_video(imu.time_s))


def shares_right(scores: FloatArray, count: int, how: How) -> list[float]:
    """Share of rows given their own column in each group of `count` of the rows of a table of scores (P, P)."""
    here, right = np.ones(count, dtype=bool), np.arange(count)
    groups = itertools.combinations(range(len(scores)), count)
    return [float(np.mean(choose(scores[np.ix_(g, g)], here, here, how) == right)) for g in groups]
