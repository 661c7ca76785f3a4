"""How sure an answer is: the stated probability that its timing error is at most 50 ms."""

from __future__ import annotations

import math

from kinebind.tasks.sync.calibration import calibration

FEATURES = ("log_margin", "log_evidence", "log_sigma")


def features(evidence_nats: float, margin_nats: float, sigma_s: float) -> dict[str, float]:
    """What the confidence is computed from, each compressed so that no single one can run away.

    evidence_nats: log-likelihood ratio of the answer against 'unrelated'. margin_nats: the same against the best
    rival lag. sigma_s: width of the peak, seconds (NaN, an unbounded peak, counts as 1 s).
    """
    sigma_s = sigma_s if math.isfinite(sigma_s) else 1.0
    return {
        "log_margin": math.log1p(max(margin_nats, 0.0)),
        "log_evidence": math.log1p(max(evidence_nats, 0.0)),
        "log_sigma": math.log(min(max(sigma_s, 1e-4), 1.0) / 0.01),
    }


def confidence(values: dict[str, float]) -> float:
    """Probability 0..1 by the fitted logistic regression on `features`."""
    fitted = calibration()["confidence"]
    score = fitted["intercept"] + sum(fitted[name] * values[name] for name in FEATURES)
    return 1.0 / (1.0 + math.exp(-min(max(score, -30.0), 30.0)))
