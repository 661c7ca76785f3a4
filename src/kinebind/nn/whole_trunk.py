"""The trunk of a body of which a video shows a part alone: the other corners are put where they usually are.

Where the image ends at the waist, a desk hides the hips, or somebody is filmed from the side, nothing says where some
shoulders or hips are. A limb is described against them (`kinebind.nn.seen_channels`), so that a gap there looks like no
body that the model has met; what this costs is measured by `kinebind bench zero-shot` (`sim_view_…`,
`sim_sites_legs_…`, `sim_sites_upper_…`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kinebind.parts import COCO17, USUAL_LENGTHS_M

HIDDEN_S = 1.0
"""A corner of the trunk is placed where it has not been seen for so long before and after; else its gap is a line."""
_SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]
_HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]
_TRUNK_M = USUAL_LENGTHS_M[0]["left_shoulder", "left_hip"]
_WIDER = 1.5  # shoulders than hips, as keypoints


def whole_trunk(metres: Tensor, seen: Tensor, rate_hz: float) -> tuple[Tensor, Tensor]:
    """Keypoints (B, T, 17, 2), x right and y up, and whether they count as seen (B, T, 17) bool, with the trunk whole.

    A corner that is not seen within HIDDEN_S stands beside the other one of its end, as far as the other end is wide,
    or, where that is not known, with it, as from the side. An end of which nothing is seen stands upright above or
    below the other. Such corners count as seen where what they follow is. metres: of the body, on a grid of rate_hz.
    """
    reach = round(HIDDEN_S * rate_hz)
    ends = [*_SHOULDERS, *_HIPS]
    lately = functional.max_pool1d(seen[:, :, ends].float().transpose(1, 2), 2 * reach + 1, stride=1, padding=reach) > 0
    gone = torch.zeros_like(seen)
    gone[:, :, ends] = ~lately.transpose(1, 2)
    placed, counts = metres.clone(), seen.clone()
    for own, other, wider in ((_SHOULDERS, _HIPS, _WIDER), (_HIPS, _SHOULDERS, 1.0 / _WIDER)):
        both = seen[:, :, other].all(dim=2)[..., None]
        across = torch.where(both, wider * (metres[:, :, other[0]] - metres[:, :, other[1]]), 0.0)
        for (corner, partner), away in (((own[0], own[1]), across), ((own[1], own[0]), -across)):
            known = gone[:, :, corner] & seen[:, :, partner]
            placed[:, :, corner] = torch.where(known[..., None], metres[:, :, partner] + away, placed[:, :, corner])
            counts[:, :, corner] |= known
    up = torch.tensor([0.0, _TRUNK_M]).to(metres)
    for own, other, wider, above in ((_SHOULDERS, _HIPS, _WIDER, up), (_HIPS, _SHOULDERS, 1.0 / _WIDER, -up)):
        known = (gone[:, :, own].all(dim=2) & counts[:, :, other].all(dim=2))[:, :, None]
        middle = placed[:, :, other].mean(dim=2, keepdim=True)
        usual = middle + wider * (placed[:, :, other] - middle) + above
        placed[:, :, own] = torch.where(known[..., None], usual, placed[:, :, own])
        counts[:, :, own] |= known
    return placed, counts
