"""Limbs of two segments led by their ends: where hand and foot go, the joints follow."""

from __future__ import annotations

import torch
from torch import Tensor

from kinebind.training.draw.turns import from_axes, length, normalised

_STRAIGHT = 0.995
"""Limbs are never quite straight: their bend would have no direction."""


def two_bones(end: Tensor, pole: Tensor, lengths: tuple[float, float], *, hinge: float) -> tuple[Tensor, Tensor]:
    """Rotations (..., 4) of a limb's near and far segment, whose far end is at `end` (..., 3) from its near joint.

    The middle joint points to where `pole` (..., 3) does. hinge: +1 for limbs that bend to the front (elbows), −1 for
    those that bend back (knees). Segments have their y axis along the bone towards the near end, x to the left. What
    is out of reach is reached for, what is too near is kept off. By the law of cosines.
    """
    a, b = lengths
    distance = length(end).clamp(abs(a - b) + 0.05 * (a + b), _STRAIGHT * (a + b))
    along = normalised(end)
    across = normalised(pole - (pole * along).sum(-1, keepdim=True) * along)
    cosine = ((a * a + distance.square() - b * b) / (2.0 * a * distance)).clamp(-1.0, 1.0)
    near = cosine * along + (1.0 - cosine.square()).clamp_min(0.0).sqrt() * across
    far = normalised(distance * along - a * near)
    left = hinge * torch.linalg.cross(along, across)
    return from_axes(left, -near), from_axes(left, -far)
