"""A body of thirteen segments: joints, keypoints and sensors' places from the segments' rotations, batched.

The twin of `kinebind.body.segment_motion.joints_world`, for whole batches on any device. Segments are those of
`kinebind.body.segments.SEGMENTS`, their axes x to the body's left, y up along the bone, z forward.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinebind.body.keypoints import FACE
from kinebind.body.segment_motion import SHAPE_NAMES
from kinebind.body.segments import SEGMENTS
from kinebind.body.sites import PLACES
from kinebind.parts import COCO17, SITES
from kinebind.training.draw.turns import rotate

# Over stature, rounded from Winter, Biomechanics and Motor Control of Human Movement (2009), figure 4.1.
_USUAL = (0.055, 0.245, 0.246, 0.11, 0.14, 0.155, 0.105, -0.015, 0.175, 0.150, 0.11)
_SPREAD = 0.07  # of each length by itself


def _segment_of(keypoint: str) -> int:
    if keypoint in FACE:
        return SEGMENTS.index("head")
    side, _, part = keypoint.partition("_")
    segment = {"elbow": "upper_arm", "wrist": "forearm", "knee": "thigh", "ankle": "shank"}.get(part)
    return SEGMENTS.index(f"{side}_{segment}" if segment else {"shoulder": "chest", "hip": "pelvis"}[part])


_SEGMENTS_OF_KEYPOINTS = tuple(_segment_of(name) for name in COCO17)


def random_shapes(count: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """Shapes (B, 11) of grown-ups and their statures (B,), metres."""
    stature = 1.72 + 0.1 * torch.randn(count, generator=generator, device=device).clamp(-2.5, 2.5)
    spread = 1.0 + _SPREAD * torch.randn(count, len(_USUAL), generator=generator, device=device).clamp(-2.5, 2.5)
    return stature[:, None] * torch.tensor(_USUAL, device=device) * spread, stature


def joints(axes: Tensor, root: Tensor, shape: Tensor) -> dict[str, Tensor]:
    """Joint centres (B, T, 3) by name, metres.

    axes (B, T, 13, 3, 3): world from segment, as matrices. root (B, T, 3): the middle of the hips. shape (B, 11).
    """
    length = {name: shape[:, None, None, k] for k, name in enumerate(SHAPE_NAMES)}

    def axis(segment: str, which: str) -> Tensor:
        return axes[:, :, SEGMENTS.index(segment), :, "xyz".index(which)]

    neck = root + length["lower_trunk"] * axis("pelvis", "y") + length["upper_trunk"] * axis("chest", "y")
    out = {"neck": neck, "ears": neck + length["neck_to_ears"] * axis("head", "y")}
    rise, wide = length["shoulder_rise"] * axis("chest", "y"), length["shoulder_half_width"] * axis("chest", "x")
    hips = length["hip_half_width"] * axis("pelvis", "x")
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip = root + sign * hips
        knee = hip - length["thigh"] * axis(f"{side}_thigh", "y")
        ankle = knee - length["shank"] * axis(f"{side}_shank", "y")
        shoulder = neck + rise + sign * wide
        elbow = shoulder - length["upper_arm"] * axis(f"{side}_upper_arm", "y")
        wrist = elbow - length["forearm"] * axis(f"{side}_forearm", "y")
        toe = ankle + length["foot"] * axis(f"{side}_foot", "z")
        own = {"hip": hip, "knee": knee, "ankle": ankle, "toe": toe}
        own |= {"shoulder": shoulder, "elbow": elbow, "wrist": wrist}
        out |= {f"{side}_{name}": point for name, point in own.items()}
    return out


def keypoints(placed: dict[str, Tensor], axes: Tensor, stature: Tensor, offset_m: Tensor) -> Tensor:
    """COCO-17 in the world (B, T, 17, 3), metres.

    axes as in `joints`. offset_m (B, 17, 3): where a detector puts each keypoint, from its usual place, in the axes of
    its segment.
    """
    face = torch.stack([torch.tensor(FACE.get(name, (0.0, 0.0, 0.0))) for name in COCO17]).to(stature)
    offset = offset_m + stature[:, None, None] * face  # (B, 17, 3)
    points = torch.stack([placed["ears" if name in FACE else name] for name in COCO17], dim=2)
    for s in set(_SEGMENTS_OF_KEYPOINTS):
        own = [k for k, segment in enumerate(_SEGMENTS_OF_KEYPOINTS) if segment == s]
        points[:, :, own] += torch.einsum("btcd,bkd->btkc", axes[:, :, s], offset[:, own])
    return points


def site_paths(
    placed: dict[str, Tensor], rot: Tensor, shape: Tensor, site: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Paths of sensors on the skin: positions (B, S, T, 3) and segment rotations (B, S, T, 4).

    site (B, S) int64: which of SITES. The place is drawn from the site's patch of skin (`kinebind.body.sites`).
    """
    count = site.shape[0]
    draws = torch.rand(*site.shape, 2, generator=generator, device=site.device)
    depth = 1.0 + 0.1 * torch.randn(*site.shape, generator=generator, device=site.device)
    everything, starts = _all_offsets(shape), _all_origins(placed)
    rows = torch.arange(count, device=site.device)[:, None]
    centre, normal, across, patch = (table[rows, site] if table.dim() == 3 else table[site] for table in everything)
    reach, turn = patch * draws[..., 0].sqrt(), 2.0 * torch.pi * draws[..., 1]
    beside = torch.linalg.cross(normal, across)
    skin = centre + (reach * turn.cos())[..., None] * across + (reach * turn.sin())[..., None] * beside
    skin = skin + ((depth - 1.0) * (centre * normal).sum(-1))[..., None] * normal
    segment = torch.tensor(_SEGMENT_OF_SITE, device=site.device)[site]
    frames = rot.transpose(1, 2)[rows, segment]  # (B, S, T, 4)
    at = starts[rows, site]  # (B, S, T, 3)
    return at + rotate(frames, skin[:, :, None].expand(-1, -1, at.shape[2], -1)), frames


def _left(site: str) -> str:
    return site.replace("right_", "left_")


def _segment_name(site: str) -> str:
    side, _, part = site.partition("_")
    segment = PLACES[_left(site)].segment
    return f"{side}_{segment}" if part else segment


_SEGMENT_OF_SITE = tuple(SEGMENTS.index(_segment_name(site)) for site in SITES)
_ORIGIN = {"pelvis": "root", "chest": "neck", "head": "ears", "upper_arm": "shoulder", "forearm": "elbow",
           "thigh": "hip", "shank": "knee", "foot": "ankle"}  # fmt: skip


def _all_origins(placed: dict[str, Tensor]) -> Tensor:
    """Segment origins (B, 13 sites, T, 3)."""
    out = []
    for site in SITES:
        side, _, part = site.partition("_")
        name = _ORIGIN[PLACES[_left(site)].segment]
        if name == "root":
            out.append(0.5 * (placed["left_hip"] + placed["right_hip"]))
        else:
            out.append(placed[f"{side}_{name}" if part else name])
    return torch.stack(out, dim=1)


def _all_offsets(shape: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centres (B, 13, 3) of the sites' patches, their normals and tangents (13, 3) and radii (13,), in segment axes."""
    centres, normals, across, patches = [], [], [], []
    zero = torch.zeros_like(shape[:, 0])
    for site in SITES:
        place = PLACES[_left(site)]
        sign = -1.0 if site.startswith("right_") else 1.0
        long = shape[:, SHAPE_NAMES.index(place.segment)] if place.segment in SHAPE_NAMES else zero
        if place.segment == "foot":  # its long axis is z, its instep looks along y
            normal, tangent = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 0.0, 0.0])
            centre = torch.stack([zero, zero + place.rise_m, place.along * long], dim=1)
        else:
            angle = torch.deg2rad(torch.tensor(place.angle_deg))
            normal = torch.stack([sign * angle.sin(), torch.tensor(0.0), angle.cos()])
            tangent = torch.stack([normal[2], torch.tensor(0.0), -normal[0]])
            rise = place.rise_m - place.along * long
            centre = torch.stack([zero, rise, zero], dim=1) + place.radial_m * normal.to(shape)
        centres.append(centre)
        normals.append(normal)
        across.append(tangent)
        patches.append(place.patch_m)
    to = shape.device
    fixed = torch.stack(normals).to(to), torch.stack(across).to(to), torch.tensor(patches, device=to)
    return torch.stack(centres, dim=1), *fixed
