"""Bodies that act out named movements: key poses become paths of hands, feet and trunk, and joints follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kinebind.body.segments import SEGMENTS
from kinebind.nn.smooth import gaussian
from kinebind.training.draw.gestures import smooth
from kinebind.training.draw.limbs import two_bones
from kinebind.training.draw.noise import slow_noise
from kinebind.training.draw.turns import about_z, from_rotvec, multiply, normalised, rotate
from kinebind.training.draw.vocabulary.movement import CHANNELS, Movement

_ARM, _LEG_M = (0.54, 0.46), (0.42, 0.42)
"""Upper arm and forearm over the arm; thigh and shank, metres."""
_HIP_M, _STANCE_M, _STRETCHED = 0.09, 0.11, 0.975
"""Half the hips' width and half the feet's distance; how straight legs are that stand, share of their length."""
_PELVIS_SHARE = torch.tensor([0.35, 0.3, 0.4])
"""Of the trunk's lean, twist and bend, how much is the pelvis's."""
_SOFT_S = 0.035
"""σ of the Gaussian that paths are smoothed by: muscles do not change force at once."""
_SIZE, _PLACE, _EACH = (0.75, 1.2), 0.06, 0.04
"""How large movements are against what is written; where else hands go, for all of a body's and for each pose."""
_PACE, _UNEVEN = 0.1, 0.12
_WANDER, _WANDER_S = 0.02, 0.4
_CLEAR, _AROUND = 0.55, (0.5, 0.0, 1.0)
"""How far from the shoulder hands pass, arm's lengths, and on which side of it: out and ahead."""
_UPRIGHT = (2.0**-0.5, 0.0, 0.0, 2.0**-0.5)
"""Segments' axes in the world of somebody who looks along −y."""


@dataclass(frozen=True, eq=False)
class Script:
    """Movements as tables. poses (M, K, C), the first count (M,) of each; begin (M, C); takes, rests (M, K), shares of
    one time through. quick, slow (M,): seconds of it; least, most (M,): times; flows, returns (M,) bool.
    """

    poses: Tensor
    begin: Tensor
    count: Tensor
    takes: Tensor
    rests: Tensor
    quick_s: Tensor
    slow_s: Tensor
    least: Tensor
    most: Tensor
    flows: Tensor
    returns: Tensor

    @classmethod
    def of(cls, movements: Sequence[Movement], device: str | torch.device = "cpu") -> Script:
        """The tables of movements."""
        # What is one pose is left between the times.
        movements = [
            replace(m, poses=(*m.poses, m.begins)) if len(m.poses) == 1 and m.times[1] > 1 else m for m in movements
        ]
        longest = max(len(m.poses) for m in movements)
        shape = (len(movements), longest)
        poses, takes, rests = torch.zeros(*shape, CHANNELS), torch.zeros(shape), torch.zeros(shape)
        for k, m in enumerate(movements):
            own = len(m.poses)
            poses[k, :own] = torch.tensor([p.numbers() for p in m.poses])
            whole = sum(p.takes + p.rests for p in m.poses)
            takes[k, :own] = torch.tensor([p.takes / whole for p in m.poses])
            rests[k, :own] = torch.tensor([p.rests / whole for p in m.poses])

        def column(values: list[float] | list[int] | list[bool]) -> Tensor:
            return torch.tensor(values, device=device)

        return cls(
            poses.to(device), torch.tensor([m.begins.numbers() for m in movements]).to(device),
            column([len(m.poses) for m in movements]), takes.to(device), rests.to(device),
            column([m.seconds[0] for m in movements]), column([m.seconds[1] for m in movements]),
            column([m.times[0] for m in movements]), column([m.times[1] for m in movements]),
            column([m.flows for m in movements]), column([m.returns for m in movements]),
        )  # fmt: skip


def act(
    script: Script,
    movement: Tensor,
    grid_s: Tensor,
    generator: torch.Generator,
    *,
    style: Tensor | None = None,
    inside_s: tuple[float, float] | None = None,
) -> tuple[Tensor, Tensor]:
    """Bodies (B, T, 13, 4) and root (B, T, 3) that act movements (B,) of a script at grid_s (T,), right-handed.

    Each in its own place, size and pace. style (B,): which body of the batch each takes its pace and size from.
    inside_s: where a movement is seen whole if it is short enough; by default all of the grid.
    """
    count = movement.numel()
    model = torch.arange(count, device=movement.device) if style is None else style
    path = _paths(script, movement, grid_s, model, inside_s or (0.0, float(grid_s[-1])), generator)
    return _posed(path, generator)


def _paths(
    script: Script,
    movement: Tensor,
    grid_s: Tensor,
    model: Tensor,
    inside_s: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """Numbers of the poses (B, T, C) over time."""
    device, count = movement.device, movement.numel()

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, device=device)

    poses = script.count[movement]
    least, most = script.least[movement], script.most[movement]
    times = least + (uniform()[model] * (most - least + 1)).long().clamp_max(most - least)
    quick, slow = script.quick_s[movement], script.slow_s[movement]
    once_s = quick * (slow / quick) ** uniform()[model] * torch.exp(_PACE * normal())
    events = times * poses
    longest = int(events.max()) + 1
    number = torch.arange(longest, device=device)[None].expand(count, -1)
    at = number % poses[:, None]
    rows = torch.arange(count, device=device)[:, None]
    key = script.poses[movement][rows, at]  # (B, E, C)
    begin = script.begin[movement]
    # After the last pose people stand as they began, or stay as they are.
    after = number >= events[:, None]
    last = script.poses[movement, poses - 1]
    end = torch.where(script.returns[movement][:, None], begin, last)
    key = torch.where(after[..., None], end[:, None], key)
    size = _SIZE[0] + (_SIZE[1] - _SIZE[0]) * uniform()[model][:, None, None]
    key = begin[:, None] + size * (key - begin[:, None])
    moves = (key - begin[:, None]).abs() > 1e-6
    key = key + moves * (_PLACE * normal(1, CHANNELS) + _EACH * normal(longest, CHANNELS))
    key = torch.cat([begin[:, None], key], dim=1)
    share = torch.where(after, torch.full_like(key[:, 1:, 0], 0.5), script.takes[movement][rows, at])
    pause = torch.where(after, torch.zeros_like(share), script.rests[movement][rows, at])
    move_s = (once_s[:, None] * share * torch.exp(_UNEVEN * normal(longest))).clamp_min(0.12)
    rest_s = once_s[:, None] * pause
    whole_s = ((move_s + rest_s) * (number <= events[:, None])).sum(dim=1)
    # What fits in is all seen, mostly; of what is longer, some part.
    spare_s = inside_s[1] - inside_s[0] - whole_s
    lead_s = inside_s[0] + spare_s * uniform()
    begin_s = lead_s[:, None] + torch.cat([torch.zeros_like(move_s[:, :1]), (move_s + rest_s).cumsum(dim=1)[:, :-1]], 1)
    k = torch.searchsorted(begin_s.contiguous(), grid_s.expand(count, -1).contiguous(), right=True) - 1
    k = k.clamp(0, longest - 1)
    u = ((grid_s[None] - begin_s.gather(1, k)) / move_s.gather(1, k)).clamp(0.0, 1.0)
    flowing = script.flows[movement][:, None, None]
    path = torch.where(flowing, _flowing(key, begin_s, move_s, k, u), _stopping(key, k, u))
    path = path + _around_the_shoulder(key, k, torch.where(flowing[..., 0], u, smooth(u)))
    rate_hz = 1.0 / float(grid_s[1] - grid_s[0])
    path = gaussian(path.transpose(1, 2), _SOFT_S, rate_hz, 0).transpose(1, 2)
    wander = slow_noise(count * CHANNELS, grid_s.numel(), _WANDER_S, rate_hz, generator, device)
    calm = _WANDER * uniform(1, 1)
    return path + calm * wander.view(count, CHANNELS, -1).transpose(1, 2) * _LOOSE.to(device)


_LOOSE = torch.ones(CHANNELS)
_LOOSE[14:20] = 0.0  # feet stand where they stand
_LOOSE[10] = 0.2


def _stopping(key: Tensor, k: Tensor, u: Tensor) -> Tensor:
    rows = torch.arange(key.shape[0], device=key.device)[:, None]
    return key[rows, k] + smooth(u)[..., None] * (key[rows, k + 1] - key[rows, k])


def _flowing(key: Tensor, begin_s: Tensor, move_s: Tensor, k: Tensor, u: Tensor) -> Tensor:
    """Through the poses without a stop: cubic Hermite pieces whose slopes are those of the chords around a pose."""
    rows = torch.arange(key.shape[0], device=key.device)[:, None]
    time_s = torch.cat([begin_s, (begin_s[:, -1:] + move_s[:, -1:])], dim=1)  # of each key
    slope = torch.zeros_like(key)
    slope[:, 1:-1] = (key[:, 2:] - key[:, :-2]) / (time_s[:, 2:] - time_s[:, :-2])[..., None]
    h, v = move_s.gather(1, k)[..., None], u[..., None]
    a, b = key[rows, k], key[rows, k + 1]
    ma, mb = slope[rows, k], slope[rows, k + 1]
    return (
        (2 * v**3 - 3 * v**2 + 1) * a + (v**3 - 2 * v**2 + v) * h * ma
        + (3 * v**2 - 2 * v**3) * b + (v**3 - v**2) * h * mb
    )  # fmt: skip


def _elbow(hand: Tensor, sign: float, out: Tensor) -> Tensor:
    """Where elbows point (B, T, 3): down of a hand ahead, and as the shortest turn from there to the hand takes it.

    So nowhere do elbows flip but for a hand behind the other shoulder, where none can be. out (B, T): by how much more
    elbows are turned outwards, radians.
    """
    to = torch.tensor([sign, 1.0, 1.0], device=hand.device)
    ahead = normalised(torch.tensor([0.55, -0.1, 0.83], device=hand.device) * to)
    down = torch.tensor([0.25, -0.95, -0.2], device=hand.device) * to
    down = normalised(down - (down * ahead).sum() * ahead)
    along = normalised(hand)
    share = (along * down).sum(-1, keepdim=True) / (1.0 + (along * ahead).sum(-1, keepdim=True)).clamp_min(1e-3)
    pole = down - share * (ahead + along)
    turned: Tensor = out.cos()[..., None] * pole + sign * out.sin()[..., None] * torch.linalg.cross(along, pole)
    return turned


def _around_the_shoulder(key: Tensor, k: Tensor, u: Tensor) -> Tensor:
    """What leads hands (B, T, C) past the shoulder where the straight way to the next pose would go through it."""
    rows = torch.arange(key.shape[0], device=key.device)[:, None]
    out = torch.zeros(*u.shape, CHANNELS, device=key.device)
    bump = 16.0 * (u * (1.0 - u)).square()
    for own in (slice(0, 3), slice(3, 6)):
        a, b = key[..., own][rows, k], key[..., own][rows, k + 1]
        way = b - a
        nearest = (-(a * way).sum(-1) / way.square().sum(-1).clamp_min(1e-6)).clamp(0.0, 1.0)
        close = a + nearest[..., None] * way
        guide = torch.tensor(_AROUND, device=key.device).expand_as(way)
        line = normalised(way)
        aside = normalised(guide - (guide * line).sum(-1, keepdim=True) * line)
        inner = ((nearest > 0.0) & (nearest < 1.0)).to(u)
        lacking = (_CLEAR - (close * aside).sum(-1)).clamp_min(0.0)
        near = ((_CLEAR - close.norm(dim=-1)) / (0.4 * _CLEAR)).clamp(0.0, 1.0)
        out[..., own] = (bump * inner * lacking * near)[..., None] * aside
    return out


def _posed(path: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rotations (B, T, 13, 4) and root (B, T, 3) of poses' numbers (B, T, C)."""
    device, (count, length) = path.device, path.shape[:2]
    right, left = path[..., 0:3], path[..., 3:6]
    elbow, twist, lean, bend, down, ahead, aside, turn = path[..., 6:14].unbind(-1)
    feet = {"right": path[..., 14:17], "left": path[..., 17:20]}
    head, palm = path[..., 20], path[..., 21]
    leg_m = sum(_LEG_M)
    trunk = torch.stack([lean, twist, bend], dim=-1)  # about x, y, z
    out: dict[str, Tensor] = {
        "pelvis": from_rotvec(trunk * _PELVIS_SHARE.to(device)), "chest": from_rotvec(trunk),
        "head": from_rotvec(torch.stack([0.6 * lean + head, 0.7 * twist, 0.4 * bend], dim=-1)),
    }  # fmt: skip
    for side, sign, hand in (("left", 1.0, left), ("right", -1.0, right)):
        end = hand * torch.tensor([sign, 1.0, 1.0], device=device)
        pole = _elbow(end, sign, elbow)
        upper, fore = two_bones(end, pole, _ARM, hinge=1.0)
        roll = torch.zeros_like(end)
        roll[..., 1] = -sign * (palm + 0.5 * torch.randn(count, 1, generator=generator, device=device))
        out[f"{side}_upper_arm"] = multiply(out["chest"], upper)
        out[f"{side}_forearm"] = multiply(out["chest"], multiply(fore, from_rotvec(roll)))
    root = torch.stack([aside, -down, ahead], dim=-1) * leg_m
    for side, sign in (("left", 1.0), ("right", -1.0)):
        x = torch.tensor([sign * _HIP_M, 0.0, 0.0], device=device)
        hip = root + rotate(out["pelvis"], x.expand(count, length, 3))
        foot = feet[side] * torch.tensor([sign, 1.0, 1.0], device=device) * leg_m
        foot = foot + torch.tensor([sign * _STANCE_M, -_STRETCHED * leg_m, 0.0], device=device)
        pole = torch.tensor([0.15 * sign, 0.0, 1.0], device=device).expand_as(foot)
        out[f"{side}_thigh"], out[f"{side}_shank"] = two_bones(foot - hip, pole, _LEG_M, hinge=-1.0)
        toes = torch.zeros_like(foot)
        toes[..., 0] = 0.8 * (3.0 * feet[side][..., 1]).clamp(0.0, 1.0)  # a raised foot hangs
        out[f"{side}_foot"] = from_rotvec(toes)
    upright = torch.tensor(_UPRIGHT, device=device).expand(count, length, 4)
    facing = 2.0 * torch.pi * torch.rand(count, 1, generator=generator, device=device)
    whole = multiply(about_z(facing + turn), upright)
    rot = torch.stack([multiply(whole, out[name]) for name in SEGMENTS], dim=2)
    ground = torch.tensor([0.0, 0.0, _STRETCHED * leg_m], device=device)
    return rot, rotate(whole, root) + ground
