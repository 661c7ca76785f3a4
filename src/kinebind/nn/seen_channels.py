"""What a video shows of a limb, in channels that depend neither on where the person stands nor on the camera's
distance: the universal model's input from 2D poses.

Keypoints count in metres of the body, as its own size in the image gives them, x right and y up. Every site of a
sensor has its points: the one nearest to the sensor, the two ends of its segment, and the joint that the segment
hangs from.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinebind.imu import GRAVITY_M_S2
from kinebind.nn.smooth import gaussian
from kinebind.parts import COCO17, SITES, USUAL_LENGTHS_M

SEEN_CHANNELS = 29
_SPEED_S, _BEND_S = 0.05, 0.07  # σ of first and second derivatives of keypoints

_MID_HIP = {"left_hip": 0.5, "right_hip": 0.5}
_MID_SHOULDER = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_POINTS = ("nearest", "near", "far", "parent", "root", "top", "left", "right")

_LENGTHS_M = {**USUAL_LENGTHS_M[0], **USUAL_LENGTHS_M[1]}
_TRUNK_AND_LEGS = len(USUAL_LENGTHS_M[0])


def _points_of(site: str) -> tuple[dict[str, float], ...]:
    """Weights of keypoints for each of _POINTS."""
    side, _, part = site.partition("_")
    shoulders = {"left_shoulder": 1.0}, {"right_shoulder": 1.0}
    if site == "head":
        face = {"nose": 1.0}
        return face, _MID_SHOULDER, face, _MID_HIP, _MID_HIP, _MID_SHOULDER, *shoulders
    if site == "chest":
        breast = {**{k: 0.4 for k in _MID_SHOULDER}, **{k: 0.1 for k in _MID_HIP}}
        return breast, _MID_HIP, _MID_SHOULDER, {"nose": 1.0}, _MID_HIP, _MID_SHOULDER, *shoulders
    if site == "pelvis":
        knees = {"left_knee": 0.5, "right_knee": 0.5}
        return _MID_HIP, _MID_SHOULDER, _MID_HIP, knees, _MID_HIP, _MID_SHOULDER, {"left_hip": 1.0}, {"right_hip": 1.0}
    near, far, parent, share = {
        "upper_arm": ("shoulder", "elbow", None, 0.5), "wrist": ("elbow", "wrist", "shoulder", 0.9),
        "thigh": ("hip", "knee", None, 0.5), "shank": ("knee", "ankle", "hip", 0.4),
        "foot": ("knee", "ankle", "hip", 1.0),
    }[part]  # fmt: skip
    a, b = f"{side}_{near}", f"{side}_{far}"
    hangs_from = {f"{side}_{parent}": 1.0} if parent else _MID_HIP if part == "upper_arm" else _MID_SHOULDER
    pair = ({"left_hip": 1.0}, {"right_hip": 1.0}) if part in ("thigh", "shank", "foot") else shoulders
    return {a: 1.0 - share, b: share}, {a: 1.0}, {b: 1.0}, hangs_from, _MID_HIP, _MID_SHOULDER, *pair


def _weights() -> Tensor:
    out = torch.zeros(len(SITES), len(_POINTS), len(COCO17))
    for s, site in enumerate(SITES):
        for k, weights in enumerate(_points_of(site)):
            for name, weight in weights.items():
                out[s, k, COCO17.index(name)] = weight
    return out


WEIGHTS = _weights()
"""(13 sites, 8 points, 17 keypoints): each point as a mean of keypoints."""


def seen_channels(metres: Tensor, seen: Tensor, site: Tensor, rate_hz: float) -> Tensor:
    """Channels (B, SEEN_CHANNELS, T) of limbs.

    metres (B, T, 17, 2): keypoints, x right, y up, what is missing filled. seen (B, T, 17) bool. site (B,) int64:
    which of `kinebind.parts.SITES`. Where a mean of two keypoints lacks one, the point counts as not seen.
    """
    weights = WEIGHTS.to(metres)[site]  # (B, K, 17)
    points = torch.einsum("bkj,btjc->bkct", weights, metres)  # (B, K, 2, T)
    missing = torch.einsum("bkj,btj->bkt", weights, (~seen).to(metres)) > 0  # (B, K, T)
    nearest, near, far, parent, root, top, left, right = points.unbind(1)
    vectors = [nearest - root, far - near, near - parent, top - root, left - right]  # each (B, 2, T)
    speed = gaussian(torch.cat([nearest, root, far - near, near - parent], dim=1), _SPEED_S, rate_hz, 1)  # (B, 8, T)
    bend = gaussian(torch.cat([nearest, root], dim=1), _BEND_S, rate_hz, 2)  # (B, 4, T)
    load = (bend[:, :2] + torch.tensor([0.0, GRAVITY_M_S2]).to(bend)[:, None]).norm(dim=1) - GRAVITY_M_S2
    relative = bend[:, :2] - bend[:, 2:]
    signals = torch.cat(
        [
            torch.cat(vectors, dim=1) / 0.5,
            torch.asinh(torch.cat([speed, speed[:, 4:6].norm(dim=1, keepdim=True)], dim=1)),
            torch.asinh(torch.cat([bend[:, :2], relative, load[:, None]], dim=1) / 6.0),
        ],
        dim=1,
    )
    flags = (~missing[:, [0, 1, 2, 3, 4]]).to(signals)
    return torch.cat([signals, flags], dim=1)


def shows_limb(channels: Tensor) -> Tensor:
    """(B, T) bool: whether a limb itself is seen, both ends of its segment, of its channels (B, SEEN_CHANNELS, T)."""
    return (channels[:, -5:-2] > 0).all(dim=1)


def body_scale(keypoints: Tensor, seen: Tensor) -> Tensor:
    """Pixels per metre (B,) of bodies whose keypoints (B, F, 17, 2) are in pixels; seen (B, F, 17) bool.

    The median over usual segments of their 90th percentile length over their usual one; trunk and legs where any of
    these is seen, else shoulders and arms. NaN where no segment is.
    """
    index = torch.tensor([[COCO17.index(a), COCO17.index(b)] for a, b in _LENGTHS_M], device=keypoints.device)
    length = (keypoints[:, :, index[:, 0]] - keypoints[:, :, index[:, 1]]).norm(dim=-1)  # (B, F, S)
    both = seen[:, :, index[:, 0]] & seen[:, :, index[:, 1]]
    usual = torch.tensor(list(_LENGTHS_M.values())).to(length)
    scale = torch.where(both, length, torch.nan).nanquantile(0.9, dim=1) / usual  # (B, S)
    scale = torch.where(scale > 0, scale, torch.nan)
    trunk = scale[:, :_TRUNK_AND_LEGS].nanquantile(0.5, dim=1)
    return torch.where(trunk.isnan(), scale[:, _TRUNK_AND_LEGS:].nanquantile(0.5, dim=1), trunk)
