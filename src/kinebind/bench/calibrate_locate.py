"""Fit what localisation makes of a matcher's scores, on simulated crowds of the training sources.

    python -m kinebind.bench.calibrate_locate --data DIR

writes `tasks/locate/calibration.json` for the model that comes with Kinebind (some minutes on one core);
other matchers' numbers in it are kept. Evidence is fitted as a choice among all pairs and "nobody", the stated
probabilities on what is then decided.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kinebind.bench.crowds import Crowd, Everybody, any_crowd
from kinebind.bench.scenes import Source, training_sources
from kinebind.clock import FloatArray
from kinebind.parts import SITES
from kinebind.store import written_whole
from kinebind.tasks.locate import evidence as evidence_module
from kinebind.tasks.locate.assign import assign
from kinebind.tasks.locate.evidence import FEATURES, NEVER, USUAL_S, Calibration, best_lag, evidence, features
from kinebind.tasks.locate.fitness import LEAST_S, unfit, usable
from kinebind.tasks.locate.pairs import PairScores, pair_scores
from kinebind.tasks.matching import Matcher, lags_between

SCENES = 60
SEARCHED_S = 0.5
_SEED = 211
_RIDGE = 1e-3
_FIRST = Calibration((-8.0, 20.0, 8.0, 0.2, -2.0), (-2.0, -0.5), (0.0, 1.0), (0.0, 1.0))
"""Where fitting starts: what finds lags well enough to begin with."""


@dataclass(frozen=True, eq=False)
class Case:
    """A crowd's scores. right (N,): index of the true pair among P · S, which is P · S itself for nobody."""

    scores: PairScores
    candidates_s: FloatArray
    right: np.ndarray

    @property
    def sharing(self) -> FloatArray:
        """How many sensors share each one's lag: all of them."""
        return np.full(self.right.size, float(self.right.size))


def case(drawn: Crowd, matcher: Matcher) -> Case | None:
    """Score a crowd; where its clock is off, lags are searched. None where no sensor can be compared."""
    searched = SEARCHED_S if drawn.offset_s else 0.0
    candidates_s = lags_between((-searched, searched)) if searched else np.zeros(1)
    imus = [usable(imu) for imu in drawn.recording.imus if unfit(imu) is None]
    if not imus:
        return None
    people = [p.person for p in drawn.recording.people]
    scores = pair_scores(imus, drawn.recording.people, SITES, matcher, candidates_s)
    worn = [drawn.truth[imu.name] for imu in imus]
    right = [
        len(people) * len(SITES) if w is None else people.index(w[0]) * len(SITES) + SITES.index(w[1]) for w in worn
    ]
    return Case(scores, candidates_s, np.array(right))


def fit(cases: Sequence[Case]) -> Calibration:
    """The numbers that make what is right likeliest, in two rounds: lags are searched with those of the first."""
    found = replace(_FIRST, wrong=_wrong_spread(cases))
    for _ in range(2):
        lags = [_lag(c, found) for c in cases]
        found = replace(found, evidence=_evidence(cases, lags, found))
    lags = [_lag(c, found) for c in cases]
    stated: dict[str, list[tuple[float, bool]]] = {"person": [], "site": []}
    for c, lag in zip(cases, lags, strict=True):
        nats = evidence(c.scores, np.full(c.right.size, lag), float(np.ptp(c.candidates_s)), c.sharing, found)
        sites = nats.shape[2]
        for choice, right in zip(assign(nats), c.right, strict=True):
            person = int(right) // sites if right < nats[0].size else -1
            stated["person"].append((choice.person_probability, choice.person == person))
            if person >= 0 and choice.person == person:
                stated["site"].append((choice.probability, choice.site == int(right) % sites))
            elif choice.person >= 0:
                stated["site"].append((choice.probability, False))
    return replace(found, person=_logistic(stated["person"]), site=_logistic(stated["site"]))


def _lag(c: Case, calibration: Calibration) -> float:
    return best_lag(c.scores, c.candidates_s, list(range(c.right.size)), calibration)


def _wrong_spread(cases: Sequence[Case]) -> tuple[float, float]:
    """Logarithm of the spread of scores at wrong lags at USUAL_S, and its slope with that of the seconds."""
    log_s, spread = [], []
    for c in cases:
        far = (np.abs(c.scores.lags_s) > 1.0 + SEARCHED_S) & c.scores.even
        own = c.scores.values[..., far].std(axis=-1)
        whole = (c.scores.seconds >= max(4.0, LEAST_S)) & (own > 1e-6)
        if whole.any():
            log_s.append(np.log(np.minimum(c.scores.seconds[whole], 60.0) / USUAL_S).mean())
            spread.append(np.log(own[whole]).mean())
    slope, intercept = np.polyfit(log_s, spread, 1)
    return float(intercept), float(slope)


def _evidence(cases: Sequence[Case], lags: Sequence[float], before: Calibration) -> tuple[float, ...]:
    """Weights of FEATURES: maximum likelihood, slightly ridged, of each sensor's pair among all and nobody."""
    tables = []
    for c, lag in zip(cases, lags, strict=True):
        count = c.right.size
        x = features(c.scores, np.full(count, lag), before.wrong).reshape(count, -1, len(FEATURES))
        there = (c.scores.seconds >= LEAST_S).reshape(count, -1)
        searched = np.log1p(np.ptp(c.candidates_s) / evidence_module._LAG_S) / c.sharing
        tables.append((x, there, searched))

    def cost(w: FloatArray) -> tuple[float, FloatArray]:
        total, slope, rows = 0.0, np.zeros_like(w), 0
        for (x, there, searched), c in zip(tables, cases, strict=True):
            nats = np.where(there, x @ w - searched[:, None], NEVER)
            nats = np.concatenate([nats, np.zeros((len(nats), 1))], axis=1)
            log_sum = np.logaddexp.reduce(nats, axis=1)
            own = np.arange(c.right.size)
            known = nats[own, c.right] > NEVER / 2  # a limb that is never seen cannot be found
            p = np.exp(nats - log_sum[:, None])
            total += float((log_sum - nats[own, c.right])[known].sum())
            p[own, c.right] -= 1.0
            slope += np.einsum("nk,nkf->f", (p * known[:, None])[:, :-1] * there, x)
            rows += int(known.sum())
        return total / rows + _RIDGE * float(w @ w), slope / rows + 2.0 * _RIDGE * w

    found = minimize(cost, np.asarray(before.evidence), jac=True, method="L-BFGS-B")
    return tuple(float(w) for w in found.x)


def _logistic(stated: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Intercept and slope of the logit of what was right on that of what was stated.

    The slope is 1 at most. Simulated crowds would allow more, but on real sensors (UTD-MHAD's development subjects, all
    in one action, 3 s) 0.89 would then be stated of what is right in 0.74.
    """
    p = np.clip([s for s, _ in stated], 1e-6, 1.0 - 1e-6)
    x, y = np.log(p / (1.0 - p)), np.array([right for _, right in stated], dtype=np.float64)

    def cost(w: FloatArray) -> float:
        z = w[0] + w[1] * x
        return float(np.mean(np.logaddexp(0.0, z) - y * z) + 1e-3 * (w[0] ** 2 + (w[1] - 1.0) ** 2))

    found = minimize(cost, np.array([0.0, 1.0]), method="L-BFGS-B", bounds=[(None, None), (0.0, 1.0)]).x
    return float(found[0]), float(found[1])


def cases(
    sources: Sequence[Source], matcher: Matcher, scenes: int = SCENES, say: Callable[[str], None] | None = None
) -> list[Case]:  # fmt: skip
    """Scored crowds of the sources, drawn by their numbers alone."""
    everybody = Everybody(sources)
    out = []
    for number in range(scenes):
        found = case(any_crowd(everybody, np.random.default_rng([_SEED, number]), SEARCHED_S), matcher)
        if found is not None:
            out.append(found)
        if say is not None and (number + 1) % 10 == 0:
            say(f"{number + 1} of {scenes} scenes")
    return out


def write(calibration: Calibration, matcher: str, about: dict[str, Any], path: Path | None = None) -> dict[str, Any]:
    """Put a matcher's numbers into `calibration.json`, whole or not at all, beside those of others; its new content."""
    path = path or Path(evidence_module.__file__).with_name("calibration.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    numbers = json.loads(json.dumps(calibration.to_dict()), parse_float=lambda text: round(float(text), 4))
    content[matcher] = numbers | {"fitted_on": about}
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    evidence_module._fitted.cache_clear()
    return content


def main() -> None:
    """Fit the numbers of the model that comes with Kinebind, or with --correlation those of plain correlation."""
    from kinebind.bench.correlation_matcher import CorrelationMatcher
    from kinebind.tasks.binder import shipped

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the unpacked data sets")
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--correlation", action="store_true")
    given = parser.parse_args()
    about: dict[str, Any] = {"sources": [s.name for s in training_sources(given.data)], "scenes": given.scenes}
    matcher: Matcher
    if given.correlation:
        matcher = CorrelationMatcher()
    else:
        binder = shipped()
        matcher = binder.matcher(told=0.0)
        about["weights"] = binder.about
    found = fit(cases(training_sources(given.data), matcher, given.scenes, print))
    print(json.dumps(write(found, matcher.name, about)[matcher.name], indent=2))


if __name__ == "__main__":
    main()
