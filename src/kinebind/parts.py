"""The names of things on a body: COCO-17 keypoints and the sites where sensors are worn."""

from __future__ import annotations

import re

import numpy as np

from kinebind.errors import InputError

COCO17: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""Keypoint names in COCO's order; `Poses.keypoints_px[:, k]` is `COCO17[k]`."""

COCO17_MIRROR: np.ndarray = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
"""Index that swaps left and right keypoints: `keypoints[:, COCO17_MIRROR]`."""

COCO17_EDGES: tuple[tuple[int, int], ...] = (
    (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16),
    (5, 6), (11, 12), (5, 11), (6, 12), (0, 5), (0, 6),
)  # fmt: skip
"""Pairs of keypoints that a drawn skeleton joins."""

USUAL_LENGTHS_M: tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]] = (
    {
        ("left_shoulder", "left_hip"): 0.50, ("right_shoulder", "right_hip"): 0.50,
        ("left_hip", "left_knee"): 0.43, ("right_hip", "right_knee"): 0.43,
        ("left_knee", "left_ankle"): 0.41, ("right_knee", "right_ankle"): 0.41,
    },
    {
        ("left_shoulder", "right_shoulder"): 0.35,
        ("left_shoulder", "left_elbow"): 0.28, ("right_shoulder", "right_elbow"): 0.28,
        ("left_elbow", "left_wrist"): 0.25, ("right_elbow", "right_wrist"): 0.25,
    },
)  # fmt: skip
"""Usual lengths in metres between keypoints that are seen full-length sooner or later: of trunk and legs, and of
shoulders and arms, which point at the camera more often and serve where hips and legs are never seen, as at a desk.
"""

SITES: tuple[str, ...] = (
    "head", "chest", "pelvis",
    "left_upper_arm", "right_upper_arm", "left_wrist", "right_wrist",
    "left_thigh", "right_thigh", "left_shank", "right_shank", "left_foot", "right_foot",
)  # fmt: skip
"""Where a sensor can be worn. A wrist sensor moves with the forearm, a shank sensor with the lower leg."""

SITE_PLACES: dict[str, tuple[tuple[int, ...], tuple[int, ...], float]] = {
    "head": ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4), 0.0),
    "chest": ((11, 12), (5, 6), 0.75), "pelvis": ((11, 12), (5, 6), 0.0),
    "left_upper_arm": ((5,), (7,), 0.55), "right_upper_arm": ((6,), (8,), 0.55),
    "left_wrist": ((7,), (9,), 0.95), "right_wrist": ((8,), (10,), 0.95),
    "left_thigh": ((11,), (13,), 0.55), "right_thigh": ((12,), (14,), 0.55),
    "left_shank": ((13,), (15,), 0.5), "right_shank": ((14,), (16,), 0.5),
    "left_foot": ((13,), (15,), 1.0), "right_foot": ((14,), (16,), 1.0),
}  # fmt: skip
"""Where a drawn skeleton wears a sensor: this share of the way from the middle of some keypoints to that of others."""

_ALIASES: dict[str, str] = {
    "forehead": "head", "skull": "head", "ear": "head",
    "sternum": "chest", "thorax": "chest", "torso": "chest", "upper_back": "chest", "trunk": "chest",
    "hip": "pelvis", "hips": "pelvis", "waist": "pelvis", "sacrum": "pelvis", "lower_back": "pelvis",
    "belt": "pelvis",
    "forearm": "wrist", "lower_arm": "wrist", "low_arm": "wrist", "hand": "wrist", "watch": "wrist",
    "up_arm": "upper_arm", "biceps": "upper_arm", "arm": "upper_arm",
    "upper_leg": "thigh", "up_leg": "thigh", "femur": "thigh", "pocket": "thigh",
    "lower_leg": "shank", "low_leg": "shank", "knee": "shank", "tibia": "shank", "shin": "shank",
    "calf": "shank", "ankle": "shank",
    "toe": "foot", "shoe": "foot",
}  # fmt: skip
_UNPAIRED = ("head", "chest", "pelvis")
_PLAIN: dict[str, str] = {
    **{alias.replace("_", ""): part for alias, part in _ALIASES.items()},
    **{part.replace("_", ""): part for part in (s.removeprefix("left_").removeprefix("right_") for s in SITES)},
}


def parse_site(name: str) -> str:
    """The site that a name means: `parse_site("L_LowLeg") == "left_shank"`.

    Understands case, hyphens, spaces, `l`/`r`, camel case and the usual synonyms (forearm, sacrum, shin ...).
    Raises InputError with the list of sites where the name is none of them or lacks its side.
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip())
    words = [w for w in re.split(r"[^a-z0-9]+", text.lower()) if w]
    side = ""
    if words and words[0] in ("left", "l", "right", "r"):
        side = "left" if words.pop(0)[0] == "l" else "right"
    elif len(words) > 1 and words[-1] in ("left", "l", "right", "r"):
        side = "left" if words.pop()[0] == "l" else "right"
    part = "".join(words)
    part = _PLAIN.get(part, part)
    site = part if part in _UNPAIRED else f"{side}_{part}" if side else part
    if site not in SITES:
        paired = f"left_{part}" in SITES
        problem = "lacks its side (left or right)" if paired else "is not a body part that Kinebind knows"
        raise InputError(f"'{name}' {problem}.", f"Use one of: {', '.join(SITES)}.")
    return site


def mirror_site(site: str) -> str:
    """The same site on the other side of the body; head, chest and pelvis are their own mirror."""
    if site.startswith("left_"):
        return "right_" + site[5:]
    if site.startswith("right_"):
        return "left_" + site[6:]
    return site


def site_place(keypoints: np.ndarray, site: str) -> np.ndarray | None:
    """The place (2,) of a site on a skeleton (17, 2) in the same pixels; None where it is not seen."""
    start_of, end_of, share = SITE_PLACES[site]

    def middle(which: tuple[int, ...]) -> np.ndarray | None:
        own = keypoints[list(which)]
        own = own[np.isfinite(own[:, 0])]
        return np.asarray(own.mean(axis=0)) if own.size else None

    start, end = middle(start_of), middle(end_of)
    if start is None or end is None:
        return None
    return np.asarray(start + share * (end - start))
