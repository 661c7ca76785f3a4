"""Where sensors sit: points on the body's surface that move rigidly with a segment.

A site's place is an offset from its segment's origin in the segment's axes (`kinebind.body.segments`: x to the
body's left, y up along the bone, z forward): a share of the bone's length, a distance from the bone's axis and a
direction around it. No body model is involved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind._stream import Stream
from kinebind.body.quaternions import rotate
from kinebind.body.segments import Posture, posture, segment_trajectory
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.parts import SITES, mirror_site


@dataclass(frozen=True)
class Place:
    """A usual place of a sensor on a LEFT limb or in the body's middle; the right side is its mirror image.

    segment: name without its side. along: share of the bone from the near to the far joint. rise_m: metres along
    y besides. radial_m: distance of the skin from the bone's axis (or from the origin). angle_deg: direction
    about y, 0 forward, 90 to the left (outward). patch_m: radius of the patch on which the place is drawn.
    """

    segment: str
    along: float
    rise_m: float
    radial_m: float
    angle_deg: float
    patch_m: float


PLACES: dict[str, Place] = {
    "head": Place("head", 0.0, 0.03, 0.085, 90.0, 0.03),  # above the ear, where straps and ear buds sit
    "chest": Place("chest", 0.0, -0.12, 0.11, 0.0, 0.04),  # the breastbone, below the base of the neck
    "pelvis": Place("pelvis", 0.0, 0.06, 0.10, 180.0, 0.04),  # the sacrum
    "left_upper_arm": Place("upper_arm", 0.5, 0.0, 0.045, 90.0, 0.04),
    "left_wrist": Place("forearm", 0.9, 0.0, 0.028, 90.0, 0.02),  # the back of the wrist faces out when arms hang
    "left_thigh": Place("thigh", 0.5, 0.0, 0.075, 60.0, 0.05),  # outer front, where straps and pockets are
    "left_shank": Place("shank", 0.4, 0.0, 0.05, 60.0, 0.04),
    "left_foot": Place("foot", 0.5, 0.04, 0.0, 0.0, 0.02),  # the instep
}
"""The usual place of a sensor at each site of the left side and of the middle."""


@dataclass(frozen=True, eq=False)
class SiteTrajectory(Stream):
    """The path of a point on the body's skin.

    time_s (T,): the motion's clock. position_world (T, 3): metres. rot_world_from_segment (T, 4): turns vectors
    of the segment's axes into the world's (z up). offset_segment_m (3,): the point in the segment's axes from
    the segment's origin. NaN rows where the motion is missing.
    """

    time_s: FloatArray
    site: str
    position_world: FloatArray
    rot_world_from_segment: FloatArray
    offset_segment_m: FloatArray


def site_trajectory(
    motion: Motion | Posture, site: str, offset_m: FloatArray | None = None, rng: np.random.Generator | None = None
) -> SiteTrajectory:
    """The path of a sensor's site on a moving body.

    motion: a `Motion`, or its `posture(motion)` where several sites are wanted. site: one of
    `kinebind.parts.SITES`. offset_m (3,): the point from the segment's origin in the segment's axes, metres;
    by default the usual place, drawn from a patch of 2–5 cm about it where `rng` is given.
    Raises InputError for an unknown site, an offset of another shape, or a skeleton that lacks the segment.
    """
    if site not in SITES:
        raise InputError(f"'{site}' is not a sensor site.", f"Use one of: {', '.join(SITES)}.")
    p = motion if isinstance(motion, Posture) else posture(motion)
    side = site.split("_")[0] + "_" if mirror_site(site) != site else ""
    place = PLACES[site if site in PLACES else mirror_site(site)]
    segment = segment_trajectory(p, side + place.segment)
    if offset_m is None:
        offset = _usual_offset_m(place, segment.length_m, rng) * np.array([-1.0 if side == "right_" else 1.0, 1.0, 1.0])
    else:
        offset = np.asarray(offset_m, dtype=np.float64)
        if offset.shape != (3,):
            raise InputError(f"A site's offset has shape {offset.shape}.", "Give three metres: left, up, forward.")
    position = segment.origin_world + rotate(segment.rot_world_from_segment, offset)
    return SiteTrajectory(p.motion.time_s, site, position, segment.rot_world_from_segment, offset)


def _usual_offset_m(place: Place, length_m: float, rng: np.random.Generator | None) -> FloatArray:
    """The place's offset (3,) on the left side, with a draw from its patch where a generator is given."""
    up = place.rise_m
    angle = np.deg2rad(place.angle_deg)
    radial = place.radial_m
    if place.segment == "foot":  # the foot's long axis is z, its instep looks along y
        centre = np.array([0.0, up, place.along * length_m])
        normal = np.array([0.0, 1.0, 0.0])
    else:
        normal = np.array([np.sin(angle), 0.0, np.cos(angle)])
        centre = np.array([0.0, up - place.along * length_m, 0.0]) + radial * normal
    if rng is None:
        return centre
    # A disc on the skin, uniform in area; the skin's distance from the bone varies by a fifth between people.
    across = np.array([1.0, 0.0, 0.0]) if place.segment == "foot" else np.cross([0.0, 1.0, 0.0], normal)
    along = np.cross(normal, across)
    turn, reach = rng.uniform(0.0, 2.0 * np.pi), place.patch_m * np.sqrt(rng.uniform())
    depth = max(radial, up) * rng.normal(0.0, 0.1) if place.segment == "foot" else radial * rng.normal(0.0, 0.1)
    return np.asarray(centre + reach * (np.cos(turn) * across + np.sin(turn) * along) + depth * normal)
