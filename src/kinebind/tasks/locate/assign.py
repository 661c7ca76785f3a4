"""Who wears what where, all sensors together: no site of a person twice, and "nobody in view" open to every sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from kinebind.clock import FloatArray
from kinebind.tasks.locate.evidence import NEVER


@dataclass(frozen=True)
class Choice:
    """One sensor's choice, given those of all others.

    person, site: indices; −1 for nobody. nats: evidence for it against nobody (0 for nobody itself). margin: lead in
    nats over the best other choice. probability, person_probability: as evidence alone makes them, in 0..1.
    """

    person: int
    site: int
    nats: float
    margin: float
    probability: float
    person_probability: float


def assign(nats: FloatArray) -> list[Choice]:
    """Choices (N,) that give the most evidence in all, from evidence (N, P, S) for each pair against nobody.

    Of each sensor the probabilities are over what the others leave to it. Where these favour a person over nobody, or
    another one, as many of their sites fit, that person's best site is chosen instead.

    >>> choice = assign(np.array([[[4.0, 3.0]], [[6.0, 1.0]], [[-2.0, -3.0]]]))
    >>> [(c.person, c.site) for c in choice]
    [(0, 1), (0, 0), (-1, -1)]
    """
    count, people, sites = nats.shape
    flat = nats.reshape(count, people * sites)
    chosen = _together(flat)
    out = []
    for n in range(count):
        open_ = flat[n].copy()
        open_[[c for k, c in enumerate(chosen) if k != n and c < flat.shape[1]]] = NEVER
        out.append(_choice(open_, int(chosen[n]), people, sites))
        if out[-1].person >= 0:
            chosen[n] = out[-1].person * sites + out[-1].site
        else:
            chosen[n] = flat.shape[1]
    return out


def _together(flat: FloatArray) -> npt.NDArray[np.int64]:
    """Column (N,) of each row of evidence (N, C), C for nobody, who is open to all rows."""
    count, columns = flat.shape
    nobody = np.full((count, count), NEVER)
    np.fill_diagonal(nobody, 0.0)
    _, column = linear_sum_assignment(np.concatenate([flat, nobody], axis=1), maximize=True)
    return np.asarray(np.minimum(column, columns), dtype=np.int64)


def _choice(flat: FloatArray, chosen: int, people: int, sites: int) -> Choice:
    """One sensor's choice from evidence (P · S,); chosen: what the assignment gave it, P · S for nobody."""
    with_nobody = np.append(flat, 0.0)
    probability = np.exp(with_nobody - np.logaddexp.reduce(with_nobody))
    by_person = np.append(probability[:-1].reshape(people, sites).sum(axis=1), probability[-1])
    person = chosen // sites if chosen < flat.size else people
    if by_person[person] < by_person.max():
        person = int(np.argmax(by_person))
        own = flat.reshape(people, sites)[person] if person < people else None
        chosen = flat.size if own is None else person * sites + int(np.argmax(own))
    others = np.delete(with_nobody, chosen)
    nobody = chosen == flat.size
    return Choice(
        -1 if nobody else person, -1 if nobody else chosen % sites, float(with_nobody[chosen]),
        float(with_nobody[chosen] - others.max(initial=NEVER)), float(probability[chosen]), float(by_person[person]),
    )  # fmt: skip
