"""Gestures and exercises that no clip has to show: arms led from pose to pose, legs that squat, kick and march.

Joints move along paths of least jerk between poses, to and fro between two of them, again and again, or flow through
poses without a stop. Bodies that are alike make the same gesture, each in its own time and shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinebind.body.segments import SEGMENTS
from kinebind.training.draw.turns import between, conjugate, from_rotvec, heading, multiply, normalised

ARMS = tuple(tuple(SEGMENTS.index(f"{side}_{part}") for part in ("upper_arm", "forearm")) for side in ("left", "right"))
_LEGS = tuple(
    tuple(SEGMENTS.index(f"{side}_{part}") for part in ("thigh", "shank", "foot")) for side in ("left", "right")
)
_TRUNK = tuple(SEGMENTS.index(name) for name in ("pelvis", "chest", "head"))
_CHEST, _PELVIS = SEGMENTS.index("chest"), SEGMENTS.index("pelvis")
_LEG_M = (0.42, 0.42)  # thigh and shank, by which feet stay where they stand
_LIBRARY, _HANGING = 0.4, 0.3
"""Of arms: share that take the library's poses. Of made-up poses: share in which the arm hangs."""
_TO_AND_FRO, _AGAIN, _FLOWING = 0.25, 0.2, 0.25
"""Shares of gestures that return to where they began; that alternate evenly between two poses; that never stop."""
_BOTH, _SMALL = 0.3, 0.4
"""Shares of bodies whose right arm does what the left does; of arms that go again and again, of those that shake or
wave: little and fast."""
_TOP_RATE = 12.0
"""rad/s: moves that would be faster take longer."""


@dataclass(frozen=True, eq=False)
class _Timing:
    """When each of K moves of (B,) bodies begins and how long it takes, seconds (B, K)."""

    begin_s: Tensor
    move_s: Tensor

    def at(self, grid_s: Tensor) -> tuple[Tensor, Tensor]:
        """The move (B, T) that is on at grid_s (T,), and the share of it that is done, smoothly."""
        count, moves = self.begin_s.shape
        k = torch.searchsorted(self.begin_s.contiguous(), grid_s.expand(count, -1).contiguous(), right=True) - 1
        k = k.clamp(0, moves - 2)
        return k, smooth((grid_s[None] - self.begin_s.gather(1, k)) / self.move_s.gather(1, k))


class _Draws:
    """Random numbers of bodies, those that are alike drawing the same."""

    def __init__(self, model: Tensor, generator: torch.Generator) -> None:
        self.model, self.generator, self.count = model, generator, model.shape[0]

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        draws = torch.rand(self.count, *shape, generator=self.generator, device=self.model.device)
        return low + (high - low) * draws[self.model]

    def own(self, *shape: int) -> Tensor:
        """Normal numbers of each body's own."""
        return torch.randn(self.count, *shape, generator=self.generator, device=self.model.device)

    def timing(self, fast_s: float, slow_s: float, reach: Tensor, again: Tensor) -> _Timing:
        """Moves of fast_s to slow_s that reach (B, K) radians; evenly long ones where `again` (B,)."""
        moves = reach.shape[1]
        move_s = fast_s + (slow_s - fast_s) * self.uniform(0.0, 1.0, moves) ** 1.5
        rest_s = 0.5 * self.uniform(-0.5, 0.5, moves).clamp_min(0.0)
        move_s = torch.where(again[:, None], move_s[:, :1], move_s)
        rest_s = torch.where(again[:, None], rest_s[:, :1] * 0.3, rest_s)
        # The fastest moment of a path of least jerk is 15/8 of its mean.
        least_s = (1.875 / _TOP_RATE) * reach
        least_s = torch.where(again[:, None], least_s.amax(dim=1, keepdim=True), least_s)
        move_s = torch.maximum(move_s, least_s) * torch.exp(0.12 * self.own(moves) + 0.1 * self.own(1))
        lead_s = (move_s[:, :1] + rest_s[:, :1]) * self.uniform(0.0, 1.0, 1) + 0.1 * self.own(1)
        begin_s = (move_s + rest_s).cumsum(dim=1) - move_s - lead_s
        return _Timing(begin_s, move_s)


def led_arms(library_rot: Tensor, rot: Tensor, grid_s: Tensor, model: Tensor, generator: torch.Generator) -> Tensor:
    """Bodies (B, T, 13, 4) with both arms led from pose to pose, fast and slow.

    library_rot (N, 13, 4): rotations whose arms may be taken as poses. model (B,): the body whose gesture each makes.
    """
    draws = _Draws(model, generator)
    moves = _moves(grid_s)
    chest = rot[:, :, _CHEST]
    rot = rot.clone()
    left: Tensor | None = None
    both = draws.uniform(0.0, 1.0) < _BOTH
    mirror = torch.tensor([1.0, -1.0, -1.0, 1.0], device=rot.device)
    for side, arm in zip((1.0, -1.0), ARMS, strict=True):
        key = torch.where(
            draws.uniform(0.0, 1.0, 1, 1, 1) < _LIBRARY,
            _library_poses(library_rot, arm, draws, moves),
            _made_up_poses(side, draws, moves),
        )  # (B, K, 2, 4)
        kind = draws.uniform(0.0, 1.0)
        again = kind < _AGAIN
        returning = kind < _AGAIN + _TO_AND_FRO
        odd = torch.arange(moves, device=rot.device) % 2 == 1
        key = torch.where((returning[:, None] & ~odd)[..., None, None], key[:, :1], key)
        little = from_rotvec(0.4 * draws.uniform(-1.0, 1.0, 1, 2, 3))
        other = torch.where(
            (draws.uniform(0.0, 1.0) < _SMALL)[:, None, None, None], multiply(key[:, :1], little), key[:, 1:2]
        )
        key = torch.where((again[:, None] & odd)[..., None, None], other, key)
        key = multiply(from_rotvec(0.12 * draws.own(moves, 1, 3)), key)
        reach = 2.0 * torch.acos((key * key.roll(-1, 1)).sum(-1).abs().clamp_max(1.0)).amax(dim=-1)  # (B, K)
        timing = draws.timing(0.12, 1.15, reach, again)
        k, u = timing.at(grid_s)
        rows = torch.arange(draws.count, device=rot.device)[:, None]
        led = between(key[rows, k], key[rows, k + 1], u[..., None].expand(-1, -1, 2))  # (B, T, 2, 4)
        flowing = torch.nonzero(kind > 1.0 - _FLOWING)[:, 0]
        if flowing.numel():
            every_s = 0.22 + 0.5 * draws.uniform(0.0, 1.0, 1)[flowing]
            every_s = torch.maximum(every_s, reach[flowing].amax(dim=1, keepdim=True) / _TOP_RATE)
            led[flowing] = _through(key[flowing], grid_s[None] / every_s)
        if left is not None:
            led = torch.where(both[:, None, None, None], left * mirror, led)
        left = led
        rot[:, :, list(arm)] = multiply(chest[:, :, None], led)
    return rot


def led_trunk(rot: Tensor, grid_s: Tensor, model: Tensor, generator: torch.Generator) -> Tensor:
    """Bodies (B, T, 13, 4) that twist, lean and bend sideways, arms and head with the chest, the pelvis a little."""
    draws = _Draws(model, generator)
    moves = _moves(grid_s)
    most = torch.tensor([0.9, 0.7, 0.3], device=rot.device)  # twist, lean, bend
    level = most * draws.uniform(-1.0, 1.0, moves, 3) * (1.0 + 0.08 * draws.own(moves, 3))
    level[..., 1] += 0.3  # nobody leans back as far as to the front
    level = level * (draws.uniform(0.0, 1.0, moves, 1) < 0.7) * draws.uniform(0.3, 1.0, 1, 1)
    again = draws.uniform(0.0, 1.0) < 0.3
    timing = draws.timing(0.25, 1.5, level.diff(dim=1, append=level[:, :1]).norm(dim=-1), again)
    k, u = timing.at(grid_s)
    rows = torch.arange(draws.count, device=rot.device)[:, None]
    now = level[rows, k] + u[..., None] * (level[rows, k + 1] - level[rows, k])  # (B, T, 3)
    left = heading(rot[:, :, _PELVIS])
    zero = torch.zeros_like(left)
    sideways = torch.stack([left.cos(), left.sin(), zero], dim=-1)
    ahead = torch.stack([left.sin(), -left.cos(), zero], dim=-1)
    up = torch.stack([zero, zero, zero + 1.0], dim=-1)
    vector = now[..., :1] * up + now[..., 1:2] * sideways + now[..., 2:] * ahead
    rot = rot.clone()
    for segment in (*(s for arm in ARMS for s in arm), *_TRUNK):
        share = 0.3 if segment == _PELVIS else 1.0
        rot[:, :, segment] = multiply(from_rotvec(share * vector), rot[:, :, segment])
    return rot


def led_legs(
    rot: Tensor, root: Tensor, grid_s: Tensor, model: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Bodies (B, T, 13, 4) and root (B, T, 3) that squat or sit down, raise knees, kick, or march on the spot."""
    draws = _Draws(model, generator)
    moves = _moves(grid_s)
    kind = draws.uniform(0.0, 1.0)
    squat, march = kind < 0.4, kind > 0.75
    odd = (torch.arange(moves, device=rot.device) % 2)[None]
    most = draws.uniform(0.5, 1.9, 1)
    level = most * draws.uniform(0.75, 1.0, moves) * odd * (1.0 + 0.08 * draws.own(moves))
    again = draws.uniform(0.0, 1.0) < 0.5
    timing = draws.timing(0.3, 1.5, level.amax(dim=1, keepdim=True).expand(-1, moves), again)
    k, u = timing.at(grid_s)
    left = heading(rot[:, :, _PELVIS])
    axis = torch.stack([left.cos(), left.sin(), torch.zeros_like(left)], dim=-1)  # (B, T, 3)
    bend = level.gather(1, k) + u * (level.gather(1, k + 1) - level.gather(1, k))  # (B, T)
    first = draws.uniform(0.0, 1.0) < 0.5
    # Those that march raise one leg, then the other.
    turn = torch.where(march[:, None], (k // 2 % 2 == 1) == first[:, None], first[:, None])
    knee = draws.uniform(0.0, 1.4, 1)
    lean = draws.uniform(0.0, 0.6, 1) * bend * squat[:, None]
    before = _ankles(rot)
    rot = rot.clone()
    for own, leg in zip((turn, ~turn), _LEGS, strict=True):
        raised = bend * own
        hip = torch.where(squat[:, None], bend, raised)
        shank = torch.where(squat[:, None], -0.45 * bend, raised * (1.0 - knee))
        foot = torch.where(squat[:, None], torch.zeros_like(bend), raised * (1.0 - knee))
        for segment, angle in zip(leg, (hip, shank, foot), strict=True):
            rot[:, :, segment] = multiply(from_rotvec(-angle[..., None] * axis), rot[:, :, segment])
    for segment in _TRUNK:
        rot[:, :, segment] = multiply(from_rotvec(lean[..., None] * axis), rot[:, :, segment])
    # Feet of those that squat stay where they stand.
    root = root - torch.where(squat[:, None, None], _ankles(rot) - before, torch.zeros_like(before))
    return rot, root


def smooth(u: Tensor) -> Tensor:
    """6u⁵ − 15u⁴ + 10u³ between 0 and 1."""
    v = u.clamp(0.0, 1.0)
    return v**3 * (v * (6.0 * v - 15.0) + 10.0)


def _moves(grid_s: Tensor) -> int:
    return 3 + int(float(grid_s[-1]) / 0.15)


def _library_poses(library_rot: Tensor, arm: tuple[int, ...], draws: _Draws, moves: int) -> Tensor:
    """Arms (B, K, 2, 4) seen from the chest, as somebody in the library once held them."""
    row = (draws.uniform(0.0, 1.0, moves) * library_rot.shape[0]).long().clamp_max(library_rot.shape[0] - 1)
    frame = normalised(library_rot[row])  # spline coefficients, but near enough to the poses themselves
    return multiply(conjugate(frame[:, :, [_CHEST]]), frame[:, :, list(arm)])


def _made_up_poses(side: float, draws: _Draws, moves: int) -> Tensor:
    """Arms (B, K, 2, 4) anywhere in a shoulder's and an elbow's reach, seen from the chest; side: +1 for the left."""
    raised = draws.uniform(0.0, 2.8, moves)
    raised = torch.where(draws.uniform(0.0, 1.0, moves) < _HANGING, 0.05 * raised, raised)
    across = draws.uniform(-0.9, 2.0, moves) * side  # 0 to the front, π/2 to the own side
    level = torch.stack([-across.cos(), torch.zeros_like(across), across.sin()], dim=-1)
    upper = multiply(from_rotvec(raised[..., None] * level), _about(1, draws.uniform(-1.4, 1.4, moves)))
    bent = draws.uniform(0.0, 2.5, moves) * draws.uniform(0.0, 1.0, moves)
    fore = multiply(multiply(upper, _about(0, -bent)), _about(1, draws.uniform(-1.2, 1.2, moves)))
    return torch.stack([upper, fore], dim=2)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Turns (..., 4) about an axis of the segment by angles (...)."""
    vector = torch.zeros(*angle.shape, 3, device=angle.device)
    vector[..., axis] = angle
    return from_rotvec(vector)


def _through(key: Tensor, place: Tensor) -> Tensor:
    """Rotations (B, T, 2, 4) that flow through keys (B, K, 2, 4), places (B, T) counting these, round and round."""
    count, keys = key.shape[:2]
    whole = place.floor()
    u = (place - whole)[..., None]
    taps = torch.cat([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3], dim=-1) / 6.0
    index = (whole.long()[..., None] + torch.arange(4, device=key.device)) % keys  # (B, T, 4)
    # All keys to one half of the sphere: a rotation and its negative are the same, their mean is not.
    key = torch.where((key * key[:, :1]).sum(-1, keepdim=True) < 0.0, -key, key)
    rows = torch.arange(count, device=key.device)[:, None, None]
    return normalised(torch.einsum("btk,btksc->btsc", taps, key[rows, index]))


def _ankles(rot: Tensor) -> Tensor:
    """The middle of both ankles (B, T, 3) from the middle of the hips, metres."""
    down = torch.zeros_like(rot[:, :, 0, :3])
    for leg in _LEGS:
        for segment, length in zip(leg[:2], _LEG_M, strict=True):
            x, y, z, w = rot[:, :, segment].unbind(-1)
            along = torch.stack([2.0 * (x * y - z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * w)], dim=-1)
            down = down - 0.5 * length * along
    return down
