"""Rotations as torch tensors of unit quaternions (x, y, z, w), batched over all leading axes.

Twins of `kinebind.body.quaternions`, for whole batches on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product (..., 4): first b, then a."""
    ax, ay, az, aw = a.unbind(-1)
    bx, by, bz, bw = b.unbind(-1)
    return torch.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        dim=-1,
    )


def conjugate(q: Tensor) -> Tensor:
    """The inverse of unit quaternions (..., 4)."""
    return torch.cat([-q[..., :3], q[..., 3:]], dim=-1)


def rotate(q: Tensor, v: Tensor) -> Tensor:
    """Vectors (..., 3) turned by unit quaternions (..., 4)."""
    u, w = q[..., :3], q[..., 3:]
    t: Tensor = 2.0 * torch.linalg.cross(u, v)
    turned: Tensor = v + w * t + torch.linalg.cross(u, t)
    return turned


def matrices(q: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4); their columns are the turned axes."""
    x, y, z, w = q.unbind(-1)
    x2, y2, z2 = x + x, y + y, z + z
    xx, yy, zz, xy, xz, yz = x * x2, y * y2, z * z2, x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    rows = [1.0 - yy - zz, xy - wz, xz + wy, xy + wz, 1.0 - xx - zz, yz - wx, xz - wy, yz + wx, 1.0 - xx - yy]
    return torch.stack(rows, dim=-1).view(*q.shape[:-1], 3, 3)


def normalised(v: Tensor) -> Tensor:
    """Vectors (..., k) of length one; zero stays zero."""
    return v / length(v).clamp_min(1e-9)


def length(v: Tensor) -> Tensor:
    """Lengths (..., 1) of vectors (..., k): part by part, about twice as fast as `norm` for two to four."""
    total = torch.zeros_like(v[..., 0])
    for part in v.unbind(-1):
        total = torch.addcmul(total, part, part)
    return total.sqrt()[..., None]


def from_rotvec(v: Tensor) -> Tensor:
    """Unit quaternions (..., 4) of rotation vectors (..., 3), radians."""
    angle = length(v)
    # sinc keeps small angles exact: sin(θ/2)/θ = ½ sinc(θ/2π).
    return torch.cat([0.5 * torch.sinc(angle / (2.0 * torch.pi)) * v, torch.cos(0.5 * angle)], dim=-1)


def random_turns(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Rotations (*shape, 4), any equally likely."""
    return normalised(torch.randn(*shape, 4, generator=generator, device=device))


def about_z(angle: Tensor) -> Tensor:
    """Unit quaternions (..., 4) of turns about the vertical by angles (...), radians."""
    zero = torch.zeros_like(angle)
    return torch.stack([zero, zero, torch.sin(0.5 * angle), torch.cos(0.5 * angle)], dim=-1)


def heading(q: Tensor) -> Tensor:
    """Angle (...) about the vertical by which the x axis (to the body's left) of frames (..., 4) is turned, radians."""
    x, y, z, w = q.unbind(-1)
    return torch.atan2(2.0 * (x * y + z * w), 1.0 - 2.0 * (y * y + z * z))


def between(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """From rotations a to b (..., 4) by a weight (...): along the chord, which has the same ends and is smooth too."""
    b = torch.where((a * b).sum(-1, keepdim=True) < 0.0, -b, b)
    return normalised(a + weight[..., None] * (b - a))


def from_axes(x: Tensor, y: Tensor) -> Tensor:
    """Unit quaternions (..., 4) of the rotations that turn the x and y axes to the unit vectors x, y (..., 3).

    By Shepperd's method: the largest of the four squares is taken the root of, so that no angle is ill-conditioned.
    """
    z = torch.linalg.cross(x, y)
    m = torch.stack([x, y, z], dim=-1)  # columns
    d0, d1, d2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = torch.stack([d0 - d1 - d2, d1 - d0 - d2, d2 - d0 - d1, d0 + d1 + d2], dim=-1) + 1.0
    a, b, c = (m[..., i, j] - m[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0)))
    d, e, f = (m[..., i, j] + m[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
    rows = torch.stack(
        [
            torch.stack([squares[..., 0], d, e, a], dim=-1),
            torch.stack([d, squares[..., 1], f, b], dim=-1),
            torch.stack([e, f, squares[..., 2], c], dim=-1),
            torch.stack([a, b, c, squares[..., 3]], dim=-1),
        ],
        dim=-2,
    )
    best = squares.argmax(dim=-1, keepdim=True)
    return normalised(rows.gather(-2, best[..., None].expand(*best.shape, 4))[..., 0, :])
