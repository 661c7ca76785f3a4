"""A batch for the universal model: bodies drawn, worn sensors measured, videos filmed, both cut and shifted at random.

The two streams of a pair last equally long, and the video's begins at a random moment within ±shift_s of the
sensor's, so that neither edges nor padding can tell the lag.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch
from torch import Tensor

from kinebind.nn.felt_channels import felt_channels, told_signals
from kinebind.nn.on_grid import on_grid
from kinebind.nn.seen_channels import body_scale, seen_channels
from kinebind.nn.universal import RATE_HZ, UNKNOWN_SITE
from kinebind.nn.whole_trunk import whole_trunk
from kinebind.parts import SITES
from kinebind.training.draw.figure import joints, keypoints, random_shapes, site_paths
from kinebind.training.draw.moves import Library, Variety, draw_motion
from kinebind.training.draw.sensors import FINE_HZ, Wearing, measured
from kinebind.training.draw.turns import matrices
from kinebind.training.draw.video import LEAST_FPS, MOST_FPS, Filming, filmed

_MARGIN_S = 0.3
"""Motion before and after what is used, for filters and sampling."""

_OFTEN = {"wrist": 3.0, "shank": 1.5, "thigh": 2.0}
"""Sites that are drawn more often than others, for they are worn more often."""


@dataclass(frozen=True)
class Drawing:
    """How windows are drawn. sensors: of each body. site_hidden: share of sensors whose site is not told."""

    sensors: int = 3
    site_hidden: float = 0.5
    variety: Variety = field(default_factory=Variety)
    wearing: Wearing = field(default_factory=Wearing)
    filming: Filming = field(default_factory=Filming)


@dataclass(frozen=True, eq=False)
class Drawn:
    """N = bodies × sensors pairs, a body's sensors side by side.

    felt (N, FELT_CHANNELS, S), seen (N, SEEN_CHANNELS, S): S samples at RATE_HZ. felt_site, site (N,): what the
    encoders are told of the site; felt_site may be UNKNOWN_SITE. lag_s (N,): what is felt at t is seen at t + lag_s.
    told (N, 3, S), told_known (N, S): what Pose2IMU should say, on the video's samples. meaning (N,): what is done, by
    `kinebind.training.draw.words.meanings`; −1 where nobody has a word for it.
    """

    felt: Tensor
    felt_site: Tensor
    seen: Tensor
    site: Tensor
    lag_s: Tensor
    told: Tensor
    told_known: Tensor
    meaning: Tensor

    def to(self, device: torch.device | str) -> Drawn:
        """The batch on a device."""
        return Drawn(**{f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)})


def draw(
    library: Library, bodies: int, window_s: float, shift_s: float, drawing: Drawing, generator: torch.Generator
) -> Drawn:
    """One batch of windows of window_s from `bodies` bodies."""
    device = library.device
    count = drawing.sensors
    grid_s = torch.arange(round((window_s + shift_s * 2 + 2 * _MARGIN_S) * FINE_HZ), device=device) / FINE_HZ
    begin_s = _MARGIN_S + shift_s
    moved = draw_motion(
        library, bodies, grid_s, drawing.variety, generator, inside_s=(begin_s - 0.1, begin_s + window_s + 0.1)
    )
    rot, root = moved.rot, moved.root
    shape, stature = random_shapes(bodies, generator, device)
    axes = matrices(rot)
    placed = joints(axes, root, shape)
    site = _sites(bodies, count, generator, device)
    position, frames = site_paths(placed, rot, shape, site, generator)
    samples = round(window_s * RATE_HZ)
    at_s = torch.arange(samples, device=device) / RATE_HZ
    acc, gyr, has_gyr, valid = measured(
        position.flatten(0, 1), frames.flatten(0, 1), begin_s + at_s, drawing.wearing, generator
    )
    felt = felt_channels(acc, gyr, has_gyr, valid, RATE_HZ)

    # A sensor that begins later than the video sees its moments at a later time there.
    lag_s = shift_s * (2.0 * torch.rand(bodies, generator=generator, device=device) - 1.0)
    offset = 0.02 * torch.randn(bodies, 17, 3, generator=generator, device=device)
    offset[:, :5] *= 0.5
    points = keypoints(placed, axes, stature, offset)  # (B, F, 17, 3)
    # The video's own clock begins lag_s before the sensor's: bodies are shifted rather than clocks.
    shifted = _shifted(points.flatten(2), begin_s - lag_s, window_s).view(bodies, -1, 17, 3)
    draws = torch.rand(1, generator=generator, device=device)
    fps = float(LEAST_FPS * (MOST_FPS / LEAST_FPS) ** float(draws))
    time_s, pixels, shown = filmed(shifted, fps, (_MARGIN_S, _MARGIN_S + window_s), drawing.filming, generator)
    scale = body_scale(pixels, shown)
    scale = scale * (1.0 + 0.05 * torch.randn(bodies, generator=generator, device=device))
    scale = torch.where(scale.isfinite(), scale, torch.ones_like(scale))
    metres = (pixels - pixels.mean(dim=(1, 2), keepdim=True)) / scale[:, None, None, None]
    metres = metres * torch.tensor([1.0, -1.0], device=device)
    on, counts = on_grid(time_s, metres, shown, (_MARGIN_S + at_s).expand(bodies, -1))
    on, counts = whole_trunk(on, counts, RATE_HZ)
    flat = site.flatten()
    rows = torch.arange(bodies, device=device).repeat_interleave(count)
    seen = seen_channels(on[rows], counts[rows], flat, RATE_HZ)
    told, told_known = _told(acc, gyr, has_gyr, valid, lag_s[rows])
    hidden = torch.rand(flat.shape, generator=generator, device=device) < drawing.site_hidden
    return Drawn(
        felt, torch.where(hidden, UNKNOWN_SITE, flat), seen, flat, lag_s[rows], told, told_known,
        moved.meaning[rows],
    )  # fmt: skip


def _sites(bodies: int, count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Sites (B, S), different ones of each body, some more often than others."""
    weight = torch.tensor([next((w for part, w in _OFTEN.items() if part in s), 1.0) for s in SITES], device=device)
    return torch.multinomial(weight.expand(bodies, -1), count, generator=generator)


def _shifted(values: Tensor, begin_s: Tensor, window_s: float) -> Tensor:
    """values (B, F, C) at FINE_HZ, from begin_s (B,) less the margin on, for the window and a margin on each side."""
    length = round((window_s + 2 * _MARGIN_S) * FINE_HZ)
    place = (begin_s - _MARGIN_S)[:, None] * FINE_HZ + torch.arange(length, device=values.device)
    place = place.clamp(0.0, values.shape[1] - 1.001)
    k = place.floor()
    u = (place - k)[..., None]
    index = k.long()[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index) * (1.0 - u) + values.gather(1, index + 1) * u


def _told(acc: Tensor, gyr: Tensor, has_gyr: Tensor, valid: Tensor, lag_s: Tensor) -> tuple[Tensor, Tensor]:
    """What Pose2IMU should say at the video's samples (N, 3, S), and where it is known (N, S)."""
    signals = told_signals(acc, gyr)
    samples = signals.shape[-1]
    place = torch.arange(samples, device=acc.device)[None] - lag_s[:, None] * RATE_HZ
    inside = (place >= 0) & (place <= samples - 1)
    place = place.clamp(0.0, samples - 1.001)
    k = place.floor().long()
    u = place - k
    index = k[:, None].expand(-1, signals.shape[1], -1)
    out = signals.gather(2, index) * (1.0 - u[:, None]) + signals.gather(2, index + 1) * u[:, None]
    return out, inside & valid.gather(1, k) & has_gyr[:, None]
