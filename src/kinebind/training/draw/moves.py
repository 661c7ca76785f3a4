"""Motions that no clip shows: clips warped, mirrored, chained, mixed above and below the hips, arms driven by hand.

Everything is batched. Rotations between a clip's frames come from cubic splines, so that accelerations are
continuous; time-warping by f is exact physics (accelerations grow with f², rates with f).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d, spline_filter1d
from torch import Tensor
from torch.nn import functional

from kinebind.body.segments import SEGMENTS
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_packing import ROT_SCALE
from kinebind.training.draw.acting import Script, act
from kinebind.training.draw.gestures import ARMS, led_arms, led_legs, led_trunk, smooth
from kinebind.training.draw.large_arrays import large_array
from kinebind.training.draw.noise import slow_noise
from kinebind.training.draw.turns import about_z, between, conjugate, heading, multiply, normalised, rotate
from kinebind.training.draw.vocabulary import VOCABULARY
from kinebind.training.draw.words import meaning_of_clip, meaning_of_movement

_STILL = 0.15
"""How fast, at most, time passes for trunk and legs of those that stand."""
_UPPER = tuple(k for k, name in enumerate(SEGMENTS) if name in ("chest", "head") or name.endswith("arm"))
_MIRROR = tuple(
    SEGMENTS.index(s.replace("left", "right") if "left" in s else s.replace("right", "left")) for s in SEGMENTS
)
FAMILY = 4
"""Of so many bodies in a row, those that are alike follow the first."""
_WANDER_S = 0.5  # σ of the kernel that makes the pace wander slowly
_FAST_HZ, _NOISE_S = 70.0, 0.012
"""Clips of more frames a second are smoothed by a Gaussian of this σ (−3 dB at 11 Hz); slower ones hold no more."""
_CHEST, _PELVIS = SEGMENTS.index("chest"), SEGMENTS.index("pelvis")


@dataclass(frozen=True)
class Variety:
    """How often what is done to the clips; shares of the bodies.

    warp: range of time's factor, as a logarithm. uneven: σ of the slow wander of its logarithm within a clip.
    alike: share of bodies that do what another body of the batch does, in their own time: one action, several takes.
    standing: on the spot, trunk and legs all but still; of these still_arms, still_trunk and still_legs are led, of
    others driven_arms, driven_trunk and driven_legs. acted: named movements (`acting`) in place of clips.
    """

    warp: tuple[float, float] = (-0.25, 0.35)
    uneven: float = 0.15
    alike: float = 0.5
    mirrored: float = 0.5
    chained: float = 0.15
    upper_of_another: float = 0.2
    standing: float = 0.35
    driven_arms: float = 0.35
    driven_trunk: float = 0.05
    driven_legs: float = 0.03
    still_arms: float = 0.65
    still_trunk: float = 0.3
    still_legs: float = 0.25
    acted: float = 0.35


@dataclass(frozen=True, eq=False)
class Library:
    """A corpus ready for drawing: spline coefficients of all clips on one device.

    rot (N, 13, 4), root (N, 3): coefficients. first, frames (C,): each clip's rows. rate_hz (C,). chance (C,): how
    likely a clip is drawn. label (C,): of each clip, which of `labels`, −1 where nobody named it. script: of the named
    movements.
    """

    rot: Tensor
    root: Tensor
    first: Tensor
    frames: Tensor
    rate_hz: Tensor
    chance: Tensor
    label: Tensor
    labels: tuple[str, ...]
    script: Script

    @classmethod
    def of(cls, corpus: Corpus, weights: dict[str, float] | None = None, device: str | torch.device = "cpu") -> Library:
        """All clips of a corpus; weights: by source, how often against its share of the hours (1 where not named).

        On a processor those of a large corpus lie in a file, beside the corpus' own arrays if there is a place. Raises
        InputError where none is.
        """
        # No rows but those of its clips: a part of a corpus lies over the memory of the whole.
        begin = np.cumsum(corpus.frames) - corpus.frames
        near = getattr(corpus.rot, "filename", None)
        folder = None if near is None else Path(near).parent
        rot = large_array((int(corpus.frames.sum()), *corpus.rot.shape[1:]), folder)
        root = large_array((len(rot), *corpus.root.shape[1:]), folder)
        for at, first, frames, rate_hz in zip(begin, corpus.first, corpus.frames, corpus.rate_hz, strict=True):
            own, rows = slice(at, at + frames), slice(first, first + frames)
            rot[own] = _coefficients((corpus.rot[rows] / ROT_SCALE).astype(np.float32), rate_hz)
            root[own] = _coefficients(corpus.root[rows], rate_hz)
        seconds = corpus.frames / corpus.rate_hz
        chance = seconds * [(weights or {}).get(source, 1.0) for source in corpus.sources]
        to = torch.device(device)
        first, frames = (torch.as_tensor(np.array(x)).long().to(to) for x in (begin, corpus.frames))
        rates, chances = (torch.as_tensor(np.array(x), dtype=torch.float32).to(to) for x in (corpus.rate_hz, chance))
        labels = labels_of(corpus)
        label = torch.tensor([labels.index(own) if own in labels else -1 for own in corpus.labels]).to(to)
        return cls(
            torch.from_numpy(rot).to(to), torch.from_numpy(root).to(to), first, frames, rates, chances, label, labels,
            Script.of(VOCABULARY, to),
        )  # fmt: skip

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.rot.device

    def clips(self, count: int, generator: torch.Generator) -> Tensor:
        """Clips (B,) drawn by their chance."""
        return torch.multinomial(self.chance, count, replacement=True, generator=generator)

    def seconds(self, clip: Tensor) -> Tensor:
        """How long clips (B,) last."""
        return (self.frames[clip] - 1) / self.rate_hz[clip]

    def at(self, clip: Tensor, time_s: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations (B, T, 13, 4) and root (B, T, 3) of clips (B,) at times (B, T) from their start; ends are held."""
        place = time_s * self.rate_hz[clip][:, None]
        last = (self.frames[clip] - 1).to(place)[:, None]
        place = torch.minimum(place.clamp_min(0.0), last)
        whole = torch.minimum(place.floor(), (last - 1).clamp_min(0.0))
        u = (place - whole)[..., None]
        # Weights of the cubic B-spline on the four coefficients around.
        taps = torch.cat([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3], dim=-1) / 6.0
        index = whole.long()[..., None] + torch.arange(-1, 3, device=self.device)
        index = torch.minimum(index.clamp_min(0), last.long()[..., None]) + self.first[clip][:, None, None]
        rows, weights = index.flatten(0, 1), taps.flatten(0, 1)
        # Sums of weighted rows: what bags of embeddings are, and so quick.
        rot, root = (
            functional.embedding_bag(rows, of.flatten(1), per_sample_weights=weights, mode="sum").reshape(
                *time_s.shape, *of.shape[1:]
            )
            for of in (self.rot, self.root)
        )
        return normalised(rot), root


def labels_of(corpus: Corpus) -> tuple[str, ...]:
    """The labels of a corpus that have a word in them, in the order in which their meanings are numbered."""
    return tuple(sorted({label for label in corpus.labels if any(c.isalpha() for c in label)}))


def _coefficients(values: npt.NDArray[np.float32], rate_hz: float) -> npt.NDArray[np.float32]:
    """Coefficients of the cubic spline through a clip's values (T, ...), fast clips freed of their markers' noise."""
    if rate_hz > _FAST_HZ:
        values = gaussian_filter1d(values, _NOISE_S * rate_hz, axis=0, mode="nearest")
    return np.asarray(spline_filter1d(values, 3, axis=0, mode="nearest"), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Moved:
    """Bodies in motion: rot (B, T, 13, 4), root (B, T, 3), and meaning (B,): number of what they do (`words.meanings`),
    −1 where nobody has a word for it.
    """

    rot: Tensor
    root: Tensor
    meaning: Tensor


def draw_motion(
    library: Library,
    count: int,
    grid_s: Tensor,
    variety: Variety,
    generator: torch.Generator,
    inside_s: tuple[float, float] | None = None,
) -> Moved:
    """Bodies in motion at times grid_s (T,) from zero, seconds. inside_s: where named movements are seen whole, if they
    are short enough; by default anywhere.
    """
    device = library.device
    length_s = float(grid_s[-1])

    def chance(share: float) -> Tensor:
        return torch.rand(count, generator=generator, device=device) < share

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator, device=device)

    warp = torch.exp(uniform(*variety.warp))
    # The bodies that are alike do what one of the others does, from about the same moment on.
    place = torch.arange(count, device=device)
    model = torch.where(chance(variety.alike), place // FAMILY * FAMILY, place)
    shift = torch.where(model == place, torch.zeros_like(warp), uniform(-0.2, 0.2))
    clip, share = library.clips(count, generator)[model], uniform(0.0, 1.0)[model]
    long = library.seconds(clip) / warp
    # What a long clip has too much is cut off anywhere; a short one begins at once, and another follows.
    start = ((long - length_s).clamp_min(0.0) * share + shift).clamp_min(0.0)
    own_s = grid_s[None] + start[:, None]
    if variety.uneven:
        own_s = own_s + _wander(count, grid_s, variety.uneven, generator)
    standing = chance(variety.standing)[model]
    rot, root = library.at(clip, own_s * warp[:, None])
    if bool(standing.any()):
        rows = torch.nonzero(standing)[:, 0]
        pace = _STILL * uniform(0.0, 1.0).square()
        slow_s = start[:, None] + (own_s - start[:, None]) * pace[:, None]
        rot[rows], root[rows] = _stood(library, clip[rows], (slow_s * warp[:, None])[rows], rot[rows])
    named = ~standing & (library.label[clip] >= 0)
    seam = torch.where(chance(variety.chained), uniform(0.2, 0.8) * length_s, long - start - 0.3)
    named &= seam >= 0.8 * length_s
    if bool((seam < length_s).any()):
        rows = torch.nonzero(seam < length_s)[:, 0]
        rot, root = rot.clone(), root.clone()
        rot[rows], root[rows] = _continued(library, rot[rows], root[rows], grid_s, seam[rows], warp[rows], generator)
    flip = chance(variety.mirrored)
    rot, root = _flipped(rot, root, flip)
    other = rot.roll(1, 0)
    turn = about_z(heading(rot[:, :, _PELVIS]) - heading(other[:, :, _PELVIS]))
    swapped = multiply(turn[:, :, None], other[:, :, list(_UPPER)])
    mixed = rot.clone()
    mixed[:, :, list(_UPPER)] = swapped
    swap = chance(variety.upper_of_another)
    named &= ~swap
    rot = torch.where(swap[:, None, None, None], mixed, rot)

    def led(share: float, still_share: float) -> tuple[Tensor, Tensor]:
        """Bodies that are led, and the place among these of the one that each follows."""
        chosen = torch.where(standing, chance(still_share)[model], chance(share)[model])
        rows = torch.nonzero(chosen)[:, 0]
        named[rows] = False
        # Whom somebody follows is led as well.
        return rows, (chosen.cumsum(0) - 1)[model[rows]]

    rows, whose = led(variety.driven_legs, variety.still_legs)
    rot[rows], root[rows] = led_legs(rot[rows], root[rows], grid_s, whose, generator)
    rows, whose = led(variety.driven_arms, variety.still_arms)
    rot[rows] = led_arms(library.rot, rot[rows], grid_s, whose, generator)
    rows, whose = led(variety.driven_trunk, variety.still_trunk)
    rot[rows] = led_trunk(rot[rows], grid_s, whose, generator)
    meaning = torch.where(named, meaning_of_clip(library.label[clip], flip), torch.full_like(clip, -1))
    acted = chance(variety.acted)[model]
    rows = torch.nonzero(acted)[:, 0]
    movement = torch.randint(len(VOCABULARY), (count,), generator=generator, device=device)[model[rows]]
    mirrored = chance(variety.mirrored)[model[rows]]
    if rows.numel():
        whose = (acted.cumsum(0) - 1)[model[rows]]
        rot[rows], root[rows] = _flipped(
            *act(library.script, movement, grid_s, generator, style=whose, inside_s=inside_s), mirrored
        )
        meaning[rows] = meaning_of_movement(movement, mirrored, len(library.labels))
    return Moved(rot, root, meaning)


def _flipped(rot: Tensor, root: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
    """Bodies, those of flip (B,) as a mirror shows them."""
    sign = torch.tensor([1.0, -1.0, -1.0, 1.0], device=rot.device)
    across = torch.tensor([-1.0, 1.0, 1.0], device=rot.device)
    return (
        torch.where(flip[:, None, None, None], rot[:, :, list(_MIRROR)] * sign, rot),
        torch.where(flip[:, None, None], root * across, root),
    )


def _stood(library: Library, clip: Tensor, slow_s: Tensor, rot: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations and root of bodies whose trunk and legs are those of slow_s (B, T), while the arms go on moving."""
    calm, root = library.at(clip, slow_s)
    turn = multiply(calm[:, :, _CHEST], conjugate(rot[:, :, _CHEST]))
    for arm in ARMS:
        calm[:, :, list(arm)] = multiply(turn[:, :, None], rot[:, :, list(arm)])
    return calm, root


def _wander(count: int, grid_s: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """How far bodies (B, T) are ahead of an even pace, seconds: speeds wander by factors of e^±σ within a second."""
    rate_hz = 1.0 / float(grid_s[1] - grid_s[0])
    slow = slow_noise(count, grid_s.numel(), _WANDER_S, rate_hz, generator, grid_s.device)
    ahead: Tensor = (torch.exp(sigma * slow) - 1.0).cumsum(dim=1) / rate_hz
    return ahead


def _continued(
    library: Library,
    rot: Tensor,
    root: Tensor,
    grid_s: Tensor,
    seam_s: Tensor,
    warp: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The bodies going over into other clips about seam_s (B,), headings and places aligned there."""
    count, device = seam_s.numel(), library.device
    seam_s = seam_s.clamp_min(0.3)
    blend_s = 0.3 + 0.5 * torch.rand(count, generator=generator, device=device)
    clip = library.clips(count, generator)
    spare = (library.seconds(clip) / warp - float(grid_s[-1])).clamp_min(0.0)
    start = spare * torch.rand(count, generator=generator, device=device)
    time_s = grid_s[None] - (seam_s - 0.5 * blend_s)[:, None] + start[:, None]
    next_rot, next_root = library.at(clip, time_s * warp[:, None])
    rows = torch.arange(count, device=device)
    middle = torch.searchsorted(grid_s, seam_s).clamp(0, grid_s.numel() - 1)
    turn = about_z(heading(rot[rows, middle, _PELVIS]) - heading(next_rot[rows, middle, _PELVIS]))  # (B, 4)
    next_rot = multiply(turn[:, None, None], next_rot)
    next_root = rotate(turn[:, None], next_root)
    shift = (root - next_root)[rows, middle] * torch.tensor([1.0, 1.0, 0.0], device=device)
    next_root = next_root + shift[:, None]
    weight = smooth((grid_s[None] - seam_s[:, None]) / blend_s[:, None] + 0.5)  # (B, T)
    rot = between(rot, next_rot, weight[..., None].expand(rot.shape[:3]))
    return rot, root + weight[..., None] * (next_root - root)
