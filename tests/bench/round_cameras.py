"""Cameras around somebody who moves, for tests of what several of them agree on."""

from __future__ import annotations

import numpy as np

from kinebind.bench.views import View

AROUND = (0.2, 1.4, 2.9, 4.4)


def camera(angle: float, distortion=(0.0, 0.0, 0.0, 0.0, 0.0), name="cam") -> View:
    """Looks at the height of 1 m above the origin, from 5 m away."""
    centre = np.array([5.0 * np.cos(angle), 5.0 * np.sin(angle), 1.6])
    forward = np.array([0.0, 0.0, 1.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(forward, right), forward])
    matrix = np.array([[1500.0, 0.0, 540.0], [0.0, 1500.0, 960.0], [0.0, 0.0, 1.0]])
    return View(name, matrix, np.array(distortion), turn, centre)


def body(rng, frames=60, at=(0.0, 0.0, 1.0)):
    """Somebody's joints (F, 17, 3) who moves about."""
    time = np.linspace(0.0, 3.0, frames)[:, None, None]
    phase = rng.uniform(0, 6, (1, 17, 3))
    return np.array(at) + 0.3 * rng.normal(size=(1, 17, 3)) + 0.2 * np.sin(2.0 * time + phase)
