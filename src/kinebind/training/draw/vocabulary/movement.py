"""What a named movement is: a few key poses, how they are gone through, and phrases for it.

Hands are told from their own shoulder in arm's lengths (out to their own side, up, ahead) as the trunk faces; feet from
where they stand in leg's lengths (out, up, ahead); angles in radians. A movement is written as done with the right hand
or to the right; mirrored, its phrases change sides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

Point = tuple[float, float, float]

HANG: Point = (0.12, -0.97, 0.08)
"""A hand that hangs."""
FOLDED: Point = (-0.05, -0.45, 0.35)
"""A hand before the belly."""
CHANNELS = 22
"""Numbers of a pose, see `Pose.numbers`."""


@dataclass(frozen=True)
class Pose:
    """One key pose. right, left: hands; None hangs. elbow: how far elbows are turned out and up.

    twist: of the trunk to the left; lean: to the front; bend: to the right. down, ahead, aside: of the hips, leg's
    lengths (aside: to the left). turn: of the whole body to the left. right_foot, left_foot: from where they stand.
    head: of the head to the front. palm: of the forearm about itself, inwards. takes: the move to this pose against the
    others. rests: then it stays, in the same unit.
    """

    right: Point | None = None
    left: Point | None = None
    elbow: float = 0.0
    twist: float = 0.0
    lean: float = 0.0
    bend: float = 0.0
    down: float = 0.0
    ahead: float = 0.0
    aside: float = 0.0
    turn: float = 0.0
    right_foot: Point = (0.0, 0.0, 0.0)
    left_foot: Point = (0.0, 0.0, 0.0)
    head: float = 0.0
    palm: float = 0.0
    takes: float = 1.0
    rests: float = 0.0

    def numbers(self) -> list[float]:
        """The pose as CHANNELS numbers: hands, elbow, trunk, hips, turn, feet, head, palm."""
        return [
            *(self.right or HANG), *(self.left or HANG), self.elbow, self.twist, self.lean, self.bend,
            self.down, self.ahead, self.aside, self.turn, *self.right_foot, *self.left_foot, self.head, self.palm,
        ]  # fmt: skip


STANDING = Pose()


@dataclass(frozen=True)
class Movement:
    """A named movement. phrases: what people call it; {right}, {left}, {clockwise} change when it is mirrored.

    poses: gone through in this order and, where it is done more than once, again. seconds: that once takes, quick and
    slow. times: how often, least and most. flows: without a stop at the poses. begins: the pose before; returns:
    whether it is taken again at the end.
    """

    name: str
    phrases: tuple[str, ...]
    poses: tuple[Pose, ...]
    seconds: tuple[float, float] = (0.8, 2.0)
    times: tuple[int, int] = (1, 1)
    flows: bool = False
    begins: Pose = STANDING
    returns: bool = True


def sentences(movement: Movement, mirrored: bool) -> list[str]:
    """The movement's phrases for one side of the body.

    >>> wave = Movement("wave", ("wave the {right} hand",), (Pose(),))
    >>> sentences(wave, False), sentences(wave, True)
    (['wave the right hand'], ['wave the left hand'])
    """
    other = {"right": "left", "left": "right", "clockwise": "counterclockwise", "counterclockwise": "clockwise"}

    def said(match: re.Match[str]) -> str:
        word = match[1]
        return other[word] if mirrored else word

    return [re.sub(r"\{(\w+)\}", said, phrase) for phrase in movement.phrases]


# -- ways to write poses ---------------------------------------------------------------------------------------


def hand(*points: Point, takes: Sequence[float] | None = None, **others: float) -> tuple[Pose, ...]:
    """Poses in which the right hand goes from point to point."""
    return tuple(
        Pose(right=p, takes=1.0 if takes is None else takes[k], **others)  # type: ignore[arg-type]
        for k, p in enumerate(points)
    )


def hands(*points: Point, takes: Sequence[float] | None = None, **others: float) -> tuple[Pose, ...]:
    """Poses in which both hands go from point to point, each on its own side."""
    return tuple(replace(p, left=p.right) for p in hand(*points, takes=takes, **others))


def circle(
    centre: Point, radius: float, plane: str = "front", *, counterclockwise: bool = False, count: int = 8
) -> tuple[Point, ...]:
    """Points of a circle of the right hand, which begins on top, as the mover sees it.

    plane: "front", before the mover; "side", seen from the right; "level", seen from above.
    """
    out = []
    for k in range(count):
        angle = 2.0 * math.pi * k / count * (-1.0 if counterclockwise else 1.0)
        u, v = radius * math.sin(angle), radius * math.cos(angle)
        x, y, z = {"front": (u, v, 0.0), "side": (0.0, v, u), "level": (u, 0.0, v)}[plane]
        out.append((centre[0] + x, centre[1] + y, centre[2] + z))
    return tuple(out)
