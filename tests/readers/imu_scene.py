"""A sensor that rests, turns and is shaken, as physics has it, and files that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

G = 9.81
HEADER = ("time_s", "acc_x (m/s2)", "acc_y (m/s2)", "acc_z (m/s2)", "gyr_x (rad/s)", "gyr_y (rad/s)", "gyr_z (rad/s)")


@dataclass(frozen=True)
class Felt:
    """time_s (T,), acc (T, 3) m/s², gyr (T, 3) rad/s, quat (T, 4) x, y, z, w, sensor to world."""

    time_s: np.ndarray
    acc: np.ndarray
    gyr: np.ndarray
    quat: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """(T, 7): time, acceleration, rate."""
        return np.column_stack([self.time_s, self.acc, self.gyr])

    @property
    def free_world(self) -> np.ndarray:
        """Gravity-free acceleration in the world's frame, (T, 3) m/s²."""
        return Rotation.from_quat(self.quat).apply(self.acc) - [0, 0, G]


def feel(seconds: float = 20.0, rate_hz: float = 100.0, seed: int = 0, shake: float = 2.0) -> Felt:
    """Three seconds of rest, then turning by up to 2 rad/s with `shake` m/s² of movement; a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz

    def rotation(at: np.ndarray) -> Rotation:
        awake = 0.5 - 0.5 * np.cos(np.pi * np.clip((at - 3.0) / 2.0, 0.0, 1.0))
        tilt = 0.9 * awake * np.sin(1.3 * at)
        turn = 0.7 * awake * np.sin(0.9 * at + 1.0)
        start = Rotation.from_rotvec([0.4, -0.3, 0.2])
        return start * Rotation.from_rotvec(np.outer(tilt, [1, 0, 0])) * Rotation.from_rotvec(np.outer(turn, [0, 1, 0]))

    rot, h = rotation(t), 1e-4
    gyr = (rotation(t - h).inv() * rotation(t + h)).as_rotvec() / (2 * h)
    awake = np.clip((t - 3.0) / 2.0, 0.0, 1.0)[:, None]
    moved = shake * awake * np.sin(np.outer(t, [5.1, 6.3, 7.7]) + [0, 1, 2])
    acc = rot.apply(moved + [0, 0, G], inverse=True)
    return Felt(t, acc + rng.normal(0, 0.01, acc.shape), gyr + rng.normal(0, 0.002, gyr.shape), rot.as_quat())


def table_text(
    rows: np.ndarray, header: Sequence[str] | None = HEADER, *, delimiter: str = ",", decimal: str = ".",
    newline: str = "\n", quote: bool = False, formats: Mapping[int, str] | None = None,
) -> str:  # fmt: skip
    """Rows as text, NaN as an empty cell; formats: per column, else six decimals."""

    def cell(value: float, column: int) -> str:
        text = "" if np.isnan(value) else format(value, (formats or {}).get(column, ".6f"))
        text = text.replace(".", decimal)
        return f'"{text}"' if quote else text

    lines = [delimiter.join(cell(v, i) for i, v in enumerate(row)) for row in rows]
    return newline.join([*([delimiter.join(header)] if header else []), *lines, ""])


def write(path: Path, content: str | bytes) -> Path:
    """The path, now with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
