"""How sure an answer is: the stated probability that its timing error stays within a tolerance.

Two parts, both fitted on simulated recordings and development data: that the peak is the right one (a logistic
regression), and that the error about the right peak stays within the tolerance (a Laplace distribution whose scale
follows the width of the peak). The product is the confidence, so one fit serves every tolerance.
"""

from __future__ import annotations

import math

from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.support import Support

TOLERANCE_S = 0.05
"""Timing error that a confidence is about unless another is asked for."""
RIGHT_PEAK_S = 0.15
"""An answer within this of the truth stands on the right peak."""
FEATURES = (
    "log_margin", "log_evidence", "log_sigma", "log_range",
    "density", "log_rest", "cues_for", "parts_for", "sensors_for", "against",
)  # fmt: skip


def features(
    evidence_nats: float, margin_nats: float, sigma_s: float, range_s: float, support: Support
) -> dict[str, float]:
    """What the confidence is computed from, each compressed so that no single one can run away.

    evidence_nats: log-likelihood ratio of the answer against 'unrelated'. margin_nats: the same against the best
    rival lag. sigma_s: width of the peak, seconds (NaN, an unbounded peak, counts as 1 s). range_s: seconds of
    lags that were searched: the wider, the more chances for a wrong peak. support: how broadly the answer stands:
    evidence per second of data, without its best kind of cue, shares of cues, parts of the time and sensors in
    favour, and how far the worst part is against it.
    """
    sigma_s = sigma_s if math.isfinite(sigma_s) else 1.0
    kinds = sum(support.kinds)
    return {
        "log_margin": math.log1p(max(margin_nats, 0.0)),
        "log_evidence": math.log1p(max(evidence_nats, 0.0)),
        "log_sigma": math.log(min(max(sigma_s, 1e-4), 1.0) / 0.01),
        "log_range": math.log(min(max(range_s, 1.0), 1e4)),
        "density": math.log1p(max(kinds, 0.0) / max(support.data_s, 0.5)),
        "log_rest": math.log1p(max(kinds - max(support.kinds, default=0.0), 0.0)),
        "cues_for": _share_for(support.kinds),
        "parts_for": _share_for(support.parts),
        "sensors_for": _share_for(support.sensors),
        "against": min(max(-min(support.parts, default=0.0), 0.0), 10.0) / 3.0,
    }


def _share_for(nats: tuple[float, ...]) -> float:
    return sum(value > 0 for value in nats) / max(len(nats), 1)


def confidence(values: dict[str, float], tolerance_s: float = TOLERANCE_S) -> float:
    """Probability 0..1 that the timing error is at most `tolerance_s`, from `features`."""
    fitted = calibration()["confidence"]
    score = fitted["intercept"] + sum(fitted[name] * values[name] for name in FEATURES)
    right_peak = 1.0 / (1.0 + math.exp(-min(max(score, -30.0), 30.0)))
    return right_peak * (1.0 - math.exp(-tolerance_s / error_scale_s(values)))


def error_scale_s(values: dict[str, float]) -> float:
    """Mean absolute timing error about the right peak, seconds."""
    fitted = calibration()["confidence"]
    return math.exp(fitted["scale_intercept"] + fitted["scale_log_sigma"] * values["log_sigma"])
