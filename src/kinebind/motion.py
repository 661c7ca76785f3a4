"""`Motion`: a body's movement in 3D, as motion capture and depth cameras give it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kinebind._stream import Stream, frozen, frozen_quaternions
from kinebind.clock import FloatArray, check_time
from kinebind.errors import InputError
from kinebind.resample import resample_rotations, resample_vectors


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints, their parents and their rest offsets.

    joints: J unique names. parents: J indices, −1 for the root; a parent stands before its children.
    offsets_m (J, 3): position of the joint in its parent's frame, metres; NaN where unknown. Where it varies, as
        between bones that slide, this is its median and `Motion.position_world` tells where the joint really is.
    ends_m: for leaf joints, the tip of the last segment in the joint's frame, metres (BVH End Site).
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets_m: FloatArray
    ends_m: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "joints", tuple(self.joints))
        put(self, "parents", tuple(self.parents))
        put(self, "offsets_m", frozen(self.offsets_m, (len(self.joints), 3), "offsets_m"))
        put(self, "ends_m", dict(self.ends_m))
        if len(set(self.joints)) != len(self.joints) or len(self.parents) != len(self.joints):
            raise InputError("A skeleton needs unique joint names and one parent each.", "Check the file's hierarchy.")
        if any(not -1 <= p < j for j, p in enumerate(self.parents)):
            raise InputError("A joint stands before its parent.", "Sort the joints from the root outwards.")
        if not set(self.ends_m) <= set(self.joints):
            raise InputError("A skeleton has an end for a joint that it lacks.", "Check the file's hierarchy.")

    def index(self, joint: str) -> int:
        """Index of a joint; raises InputError with the names that exist."""
        if joint not in self.joints:
            raise InputError(f"The skeleton has no joint '{joint}'.", f"It has: {', '.join(self.joints)}.")
        return self.joints.index(joint)


@dataclass(frozen=True, eq=False)
class Motion(Stream):
    """3D motion of one body: joint rotations with a root position, or joint positions, or both.

    time_s (T,): seconds on the capture's clock.
    rot_parent_from_joint (T, J, 4) or None: unit quaternions (x, y, z, w); the root's parent is the world.
    root_position_world (T, 3) or None: metres; needed beside rotations.
    position_world (T, J, 3) or None: joint positions, metres; missing is NaN.
    World: right-handed, z up. notes: what a reader converted or assumed.

    Raises InputError where neither rotations (with the root's position) nor positions are given, or for shapes.
    """

    time_s: FloatArray
    skeleton: Skeleton
    rot_parent_from_joint: FloatArray | None = None
    root_position_world: FloatArray | None = None
    position_world: FloatArray | None = None
    name: str = "motion"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "time_s", check_time(self.time_s))
        n, j = self.time_s.size, len(self.skeleton.joints)
        if self.rot_parent_from_joint is not None:
            quat = frozen_quaternions(self.rot_parent_from_joint, (n, j, 4), "rot_parent_from_joint")
            put(self, "rot_parent_from_joint", quat)
        if self.root_position_world is not None:
            put(self, "root_position_world", frozen(self.root_position_world, (n, 3), "root_position_world"))
        if self.position_world is not None:
            put(self, "position_world", frozen(self.position_world, (n, j, 3), "position_world"))
        has_rotations = self.rot_parent_from_joint is not None and self.root_position_world is not None
        if not has_rotations and self.position_world is None:
            raise InputError(
                "A motion needs joint rotations with the root's position, or joint positions.",
                "Check that the file has both channels.",
            )
        put(self, "notes", tuple(self.notes))

    def resample(self, time_s: FloatArray) -> Motion:
        """The motion at other times (seconds, strictly increasing): rotations on SO(3), gaps stay gaps."""
        new = check_time(time_s)
        quat, root, points = self.rot_parent_from_joint, self.root_position_world, self.position_world
        return self.replace(
            time_s=new,
            rot_parent_from_joint=None if quat is None else resample_rotations(self.time_s, quat, new),
            root_position_world=None if root is None else resample_vectors(self.time_s, root, new),
            position_world=None if points is None else resample_vectors(self.time_s, points, new),
        )

    def is_missing(self) -> np.ndarray:
        """(T,) bool: frames of which nothing is known."""
        known = np.zeros(self.time_s.size, dtype=bool)
        for array in (self.rot_parent_from_joint, self.position_world):
            if array is not None:
                known |= np.isfinite(array).reshape(array.shape[0], -1).any(axis=1)
        return ~known
