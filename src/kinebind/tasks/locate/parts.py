"""Which part of the body a sensor is worn on: the part of the pose that its embedding resembles most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.tasks.locate.choose import BoolArray, How, choose
from kinebind.tasks.recognise.scores import ClassScores, class_scores
from kinebind.tasks.retrieve.similarity import Vectors, cosine


@dataclass(frozen=True, eq=False)
class PartsFound:
    """Parts of the sensors of B windows.

    part (B, N): part given to the sensor of part n, −1 where there is no sensor, or more of them than parts.
    asked (B, N): sensors that count: worn, their own part seen, and the window among those asked for.
    scores: accuracy and F1 over the sensors that count.
    """

    part: npt.NDArray[np.int64]
    asked: BoolArray
    scores: ClassScores


def locate_parts(
    imu: Vectors,
    pose: Vectors,
    worn: BoolArray | None = None,
    seen: BoolArray | None = None,
    how: How = "each",
    only: BoolArray | None = None,
) -> PartsFound:
    """The part of each sensor from local embeddings of sensors (B, N, D) and of parts (B, N, D), by cosine.

    worn, seen (B, N): sensors that are worn, parts that are seen; all where None. only (B,): the windows that count,
    in the paper those whose person was matched right. Sensors whose own part is not seen do not count but are placed,
    as nobody knows which they are. Raises InputError where nothing is left to count.

    >>> imu = np.eye(3)[None]
    >>> pose = np.array([[[1.0, 0.0, 0.0], [0.0, 0.2, 1.0], [0.0, 0.1, 1.0]]])
    >>> locate_parts(imu, pose).part.tolist()
    [[0, 1, 2]]
    >>> locate_parts(imu, pose[:, [0, 2, 1]], seen=np.array([[True, True, False]])).part.tolist()
    [[0, 1, 1]]
    """
    if imu.shape != pose.shape or imu.ndim != 3:
        raise InputError(
            f"Sensors {imu.shape} and parts {pose.shape} must both be (windows, parts, dimensions).",
            "Embed both with one model.",
        )
    shape = imu.shape[:2]
    worn = np.ones(shape, dtype=bool) if worn is None else worn
    seen = np.ones(shape, dtype=bool) if seen is None else seen
    only = np.ones(shape[0], dtype=bool) if only is None else only
    if worn.shape != shape or seen.shape != shape or only.shape != shape[:1]:
        raise InputError(
            f"Masks {worn.shape}, {seen.shape} and {only.shape} do not fit {shape[0]} windows of {shape[1]} parts.",
            "Give worn and seen as (windows, parts) and only as (windows,).",
        )
    asked = worn & seen & only[:, None]
    if not asked.any():
        raise InputError("No sensor is left to be placed.", "Check the split, the masks and the people matched right.")
    similar = cosine(imu, pose)
    part = np.array([choose(s, w, v, how) for s, w, v in zip(similar, worn, seen, strict=True)])
    true = np.broadcast_to(np.arange(shape[1]), shape)[asked]
    return PartsFound(part, asked, class_scores(true, part[asked], shape[1]))
