"""Whose sensors they are: the person of a clip whose pose resembles the sensors' embedding most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.tasks.locate.choose import BoolArray, How, choose
from kinebind.tasks.recognise.scores import ClassScores, class_scores
from kinebind.tasks.retrieve.similarity import Vectors, cosine


@dataclass(frozen=True, eq=False)
class PeopleFound:
    """People given to the sensors of M rows, a row being one person in one clip.

    row (M,): the row whose pose was chosen; right (M,): whether it is the own one, the `only` of `locate_parts`.
    scores: accuracy and F1, over the people by name. chance: accuracy of drawing a person of the clip by lot.
    """

    row: npt.NDArray[np.int64]
    right: BoolArray
    scores: ClassScores
    chance: float


def locate_people(
    imu: Vectors, pose: Vectors, clip: npt.NDArray[np.integer], person: Sequence[str], how: How = "each"
) -> PeopleFound:
    """The person of each row's sensors among those of its clip, from whole-body embeddings (M, D) of both, by cosine.

    clip (M,): which clip a row is of; person (M,): names, each once in a clip. Clips of one person are left in: they
    cannot be wrong, and `chance` shows how many there are. Raises InputError where the shapes do not fit or a name
    comes twice in a clip.

    >>> imu = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> pose = np.array([[1.0, 0.1], [0.1, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> found = locate_people(imu, pose, np.array([0, 0, 1, 1]), ["ann", "bob", "ann", "bob"])
    >>> found.row.tolist(), found.scores.accuracy, found.chance
    ([0, 1, 3, 2], 0.5, 0.5)
    """
    rows = len(person)
    if imu.shape != pose.shape or imu.ndim != 2 or imu.shape[0] != rows or np.shape(clip) != (rows,) or not rows:
        raise InputError(
            f"Sensors {imu.shape}, poses {pose.shape}, clips {np.shape(clip)} and {rows} people do not fit.",
            "Give one row for each person in each clip: (M, D) twice, (M,) and M names, not empty.",
        )
    names, who = np.unique(np.asarray(person), return_inverse=True)
    chosen = np.zeros(rows, dtype=np.int64)
    chance = 0.0
    order = np.argsort(clip, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(np.asarray(clip)[order])) + 1):
        if np.unique(who[own]).size < own.size:
            raise InputError(
                f"Clip {clip[own[0]]} holds a person twice: {', '.join(names[who[own]])}.",
                "Give each clip its own number, and each person one row in it.",
            )
        here = np.ones(own.size, dtype=bool)
        chosen[own] = own[choose(cosine(imu[own], pose[own]), here, here, how)]
        chance += 1.0 / rows
    return PeopleFound(chosen, chosen == np.arange(rows), class_scores(who, who[chosen], names.size), chance)
