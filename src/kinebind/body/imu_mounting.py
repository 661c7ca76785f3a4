"""How a sensor sits on a body: turned at random, wandering slowly, riding on soft tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.signal import lfilter, lfilter_zi
from scipy.spatial.transform import Rotation

from kinebind.body.quaternions import multiply
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.resample import over_runs


@dataclass(frozen=True)
class MountingEffects:
    """How sensors are worn. Everything is off unless set.

    turn: "aligned" with the segment; "random", any rotation equally likely; "watch", one of the four ways in which
        a watch's strap and crown can lie (half-turns about the segment's axes) times a rotation vector of
        N(0, watch_spread_rad) an axis.
    random_place: the sensor sits anywhere on its site's patch of skin (`kinebind.body.sites`), not in its middle.
    wander_m_per_sqrt_s, wander_rad_per_sqrt_s: slow random walk of place and rotation, per axis (0.001 and 0.01 are
        usual); the strap pulls it back with time constant wander_hold_s, so that it stays near √(hold/2) of it.
    """

    turn: Literal["aligned", "random", "watch"] = "aligned"
    watch_spread_rad: float = 0.26
    random_place: bool = False
    wander_m_per_sqrt_s: float = 0.0
    wander_rad_per_sqrt_s: float = 0.0
    wander_hold_s: float = 200.0

    def __post_init__(self) -> None:
        if self.turn not in ("aligned", "random", "watch"):
            raise InputError(f"'{self.turn}' is not a way to mount.", "Use aligned, random or watch.")
        amounts = (self.watch_spread_rad, self.wander_m_per_sqrt_s, self.wander_rad_per_sqrt_s)
        if min(amounts) < 0 or self.wander_hold_s <= 0:
            raise InputError(
                "Amounts of mounting effects must not be negative.", "Set an effect to 0 to switch it off."
            )


@dataclass(frozen=True)
class SoftTissue:
    """A sensor on skin or a loose strap: a damped mass on a spring, its base the bone.

    Specific force and angular rate pass (2ζω₀s + ω₀²) / (s² + 2ζω₀s + ω₀²), which is 1 up to a few hertz, peaks by
    √(1 + 4ζ²)/(2ζ) near f₀ and falls beyond. Each sensor draws f₀ and ζ evenly from the ranges.
    frequency_hz: range of f₀. damping: range of ζ, below 1.
    """

    frequency_hz: tuple[float, float] = (8.0, 20.0)
    damping: tuple[float, float] = (0.12, 0.3)

    def __post_init__(self) -> None:
        if not (0 < self.frequency_hz[0] <= self.frequency_hz[1] and 0 < self.damping[0] <= self.damping[1] < 1):
            raise InputError("Soft tissue needs 0 < f₀ and 0 < damping < 1, ranges as (low, high).", "")


def draw_turns(effects: MountingEffects, sensors: int, rng: np.random.Generator) -> FloatArray:
    """Constant rotations sensor to segment (S, 4), unit quaternions (x, y, z, w)."""
    if effects.turn == "aligned":
        return np.tile([0.0, 0.0, 0.0, 1.0], (sensors, 1))
    if effects.turn == "random":
        quat = rng.standard_normal((sensors, 4))  # a Gaussian's direction is uniform on the sphere, so on SO(3)
        return np.asarray(quat / np.linalg.norm(quat, axis=1, keepdims=True))
    # The unit quaternions of no turn and of half-turns about x, y and z.
    strap = np.eye(4)[rng.integers(4, size=sensors)]
    slack = Rotation.from_rotvec(effects.watch_spread_rad * rng.standard_normal((sensors, 3))).as_quat()
    return multiply(strap, slack)


def draw_walk(
    density_per_sqrt_s: float, hold_s: float, rate_hz: float, shape: tuple[int, ...], rng: np.random.Generator
) -> FloatArray:
    """A random walk (U, ...) from zero, `density_per_sqrt_s`·√t at first, held back with time constant `hold_s`.

    Exactly discretised Ornstein–Uhlenbeck process at `rate_hz`.
    """
    keep = np.exp(-1.0 / (rate_hz * hold_s))
    step = density_per_sqrt_s * np.sqrt(0.5 * hold_s * (1.0 - keep**2))
    return np.asarray(lfilter([1.0], [1.0, -keep], step * rng.standard_normal(shape), axis=0))


def soft_tissue_response(
    acc: FloatArray, gyr: FloatArray, tissue: SoftTissue, rate_hz: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Specific force and angular rate (U, S, 3) as they arrive through soft tissue; shapes and units stay.

    The response is discretised bilinearly, warped so that f₀ stays where it is: exact at 0 and f₀. The tissue is
    in equilibrium at the start of each unbroken run. Raises InputError where f₀ lies above 0.45 of `rate_hz`.
    """
    if tissue.frequency_hz[1] > 0.45 * rate_hz:
        raise InputError(f"Soft tissue at {tissue.frequency_hz[1]} Hz cannot be sampled at {rate_hz} Hz.", "")
    sensors = acc.shape[1]
    f0 = np.asarray(rng.uniform(*tissue.frequency_hz, size=sensors))
    damping = np.asarray(rng.uniform(*tissue.damping, size=sensors))
    both = np.concatenate([acc, gyr], axis=2)
    out = np.empty_like(both)
    for s in range(sensors):
        k = np.tan(np.pi * f0[s] / rate_hz)  # ω₀ for s = (1 − z⁻¹)/(1 + z⁻¹), warped
        c = 2.0 * damping[s] * k
        b = np.array([k**2 + c, 2.0 * k**2, k**2 - c])
        a = np.array([1.0 + c + k**2, 2.0 * k**2 - 2.0, 1.0 - c + k**2])
        start = lfilter_zi(b, a)[:, None]

        def respond(run: FloatArray, b: FloatArray = b, a: FloatArray = a, start: FloatArray = start) -> FloatArray:
            return np.asarray(lfilter(b, a, run, axis=0, zi=start * run[:1])[0])

        out[:, s] = over_runs(both[:, s], respond)
    return out[..., :3], out[..., 3:]
