"""From numbers to a finding: what is told of a sensor, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.parts import mirror_site
from kinebind.poses import Poses
from kinebind.tasks.locate.assign import Choice
from kinebind.tasks.locate.evidence import Calibration
from kinebind.tasks.locate.fitness import LEAST_S, caveats, unfit
from kinebind.tasks.locate.pairs import seconds_shared
from kinebind.tasks.locate.result import Finding, Status

SURE_FROM = 0.5
"""Probability from which a person, and a site, are told."""
_LIKELY_SITES = 3  # that are named where none is clear
_FEW_SITES = 4  # that are named where they are not in view


def unusable(imu: Imu, on_video: Imu, people: Sequence[Poses], sites: Sequence[str]) -> str | None:
    """Why a sensor cannot be compared with anybody, a sentence; None where it can. on_video: on the video's clock."""
    reason = unfit(imu)
    if reason is not None:
        return reason
    shared = np.array([seconds_shared([on_video], poses, sites)[0] for poses in people])  # (P, S)
    if (shared >= LEAST_S).any():
        return None
    low, high = min(p.time_s[0] for p in people), max(p.time_s[-1] for p in people)
    if on_video.time_s[-1] < low + LEAST_S or on_video.time_s[0] > high - LEAST_S:
        return (
            f"It covers {on_video.time_s[0]:.1f} to {on_video.time_s[-1]:.1f} s of the video's clock, the poses "
            f"{low:.1f} to {high:.1f} s: synchronise first."
        )
    return "No limb is in view long enough while it records."


def refused(imu: Imu, reason: str) -> Finding:
    """The finding of a sensor that cannot be compared."""
    return Finding(imu.name, "unusable", None, None, 0.0, 0.0, 0.0, 0.0, imu.site, note=reason)


def finding(
    imu: Imu, choice: Choice, people: Sequence[Poses], sites: Sequence[str],
    hidden: Mapping[str, Sequence[str]], nats: FloatArray,
    calibration: Calibration,
) -> Finding:  # fmt: skip
    """The finding of a sensor that was compared.

    hidden: sites that are not seen, or not long enough, by person. nats (P, S): evidence for each pair.
    """
    whose = calibration.stated(choice.person_probability, site=False)
    both = min(calibration.stated(choice.probability, site=True), whose)
    status: Status = "found"
    person = site = None
    notes: list[str] = []
    if choice.person < 0:
        both = whose
        status, told = _nobody(imu, whose, hidden)
        notes += told
    elif whose < SURE_FROM:
        status = "unsure"
        notes.append(
            f"It fits the {_words(sites[choice.site])} of person {people[choice.person].person} best, "
            f"with only {100 * whose:.0f} %."
        )
    else:
        person = people[choice.person].person
        if both >= SURE_FROM:
            site = sites[choice.site]
        else:
            order = np.argsort(-nats[choice.person])[:_LIKELY_SITES]
            notes.append(f"The site is not clear: {', '.join(_words(sites[k]) for k in order)}.")
    swapped = site is not None and imu.site not in (None, site) and mirror_site(site) == imu.site
    if swapped:
        notes.append(f"Left and right are swapped: declared {_words(imu.site)}, it fits the {_words(site)}.")
    elif site is not None and imu.site not in (None, site):
        notes.append(f"Declared {_words(imu.site)}, it fits the {_words(site)}.")
    return Finding(
        imu.name, status, person, site, choice.nats, choice.margin, both, whose, imu.site, swapped,
        " ".join([*notes, *caveats(imu)]),
    )  # fmt: skip


def _nobody(imu: Imu, probability: float, hidden: Mapping[str, Sequence[str]]) -> tuple[Status, list[str]]:
    """Whether a sensor that fits nobody is nobody's: not where the limb it is said to be on is out of view."""
    may_wear = [person for person, sites in hidden.items() if imu.site in sites]
    if may_wear:
        return "unsure", [f"It fits nobody, but the {_words(imu.site)} of person {', '.join(may_wear)} is not in view."]
    if probability < SURE_FROM:
        return "unsure", [f"It fits nobody well; that nobody in view wears it is {100 * probability:.0f} % sure."]
    unseen = [
        f"{'most' if len(sites) > _FEW_SITES else ', '.join(map(_words, sites))} of person {person}"
        for person, sites in hidden.items()
        if sites
    ]
    return "nobody", [f"It may be on what is not in view: {'; '.join(unseen)}."] if unseen else []


def about_all(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What several findings say together, a sentence each."""
    out = []
    for person in dict.fromkeys(f.person for f in findings if f.person is not None):
        sided = [
            f for f in findings if f.person == person and f.site and f.declared_site and mirror_site(f.site) != f.site
        ]
        if len(sided) >= 2 and all(f.swapped for f in sided):
            out.append(
                f"All sensors of person {person} fit the other side: they were put on so, or the video is mirrored."
            )
    if not any(f.located for f in findings):
        out.append("Nothing was located: if clocks are not synchronised, do that first, or search a range of lags.")
    return tuple(out)


def _words(site: str | None) -> str:
    return (site or "").replace("_", " ")
