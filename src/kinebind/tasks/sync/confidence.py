"""How sure an answer is: the stated probability that its timing error stays within a tolerance.

Three things must hold, all fitted on simulated recordings and development data: that sensors and poses belong together
and agree (a logistic function of how much and how broadly they do); that of several lags that fit this is the right one
(a logistic function of its lead over the best rival: a stride has its like one stride later, however well it fits); and
that the error about the right peak stays within the tolerance (a Laplace distribution, cut off where the peak ends,
whose scale follows the width of the peak and how well the signals agree). The product is the confidence, so one fit
serves every tolerance.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.result import Method
from kinebind.tasks.sync.support import Support

TOLERANCE_S = 0.05
"""Timing error that a confidence is about unless another is asked for."""
RIGHT_PEAK_S = 0.15
"""An answer within this of the truth stands on the right peak."""
WIDE_S = 4.0
"""Who searches over no more than this many seconds knows that the recordings belong together."""
FEATURES = (
    "evidence", "log_margin", "log_range", "log_data", "log_density", "middle_part", "cues_for", "against",
)  # fmt: skip
AGAINST = ("log_range", "against")
"""Those of FEATURES that speak against an answer, the more the larger; the others speak for it."""
AMONG_FEATURES = ("log_margin",)
"""What decides between the answer and its rivals."""
SCALE_FEATURES = ("log_sigma", "log_density")
"""What the error about the right peak grows with: a wide peak, and signals that agree only roughly."""


def features(nats: float, margin_nats: float, sigma_s: float, range_s: float, support: Support) -> dict[str, float]:
    """What the confidence is computed from, each compressed so that no single one can run away.

    nats: evidence that sensors and poses fit at the answer, log-likelihood ratio against that they have nothing to do
    with each other. margin_nats: of the answer against the best rival lag. sigma_s: width of the peak, seconds (NaN, an
    unbounded peak, counts as 1 s). range_s: seconds of lags that were searched: the wider, the more chances for a wrong
    peak; who searches narrowly vouches that the two belong together. support: how broadly the answer stands: seconds of
    data, evidence per second of them and in the middling part of the time, share of cues in favour, and how far the
    worst part is against it.
    """
    sigma_s = sigma_s if math.isfinite(sigma_s) else 1.0
    data_s = max(support.data_s, 0.5)
    return {
        "evidence": math.asinh(nats / 2.0),
        "log_margin": math.log1p(max(margin_nats, 0.0)),
        "log_sigma": math.log(min(max(sigma_s, 1e-4), 1.0) / 0.01),
        "log_range": math.log(min(max(range_s, 1.0), 1e4)),
        "log_data": math.log(data_s),
        "log_density": math.log(max(sum(support.kinds), 0.1) / data_s + 0.05),
        "middle_part": math.asinh(statistics.median(support.parts or (0.0,)) / 2.0),
        "cues_for": sum(own > 0 for own in support.kinds) / max(len(support.kinds), 1),
        "against": min(max(-min(support.parts, default=0.0), 0.0), 10.0) / 3.0,
    }


def confidence(values: dict[str, float], method: Method, tolerance_s: float = TOLERANCE_S) -> float:
    """Probability 0..1 that the timing error of an answer found by `method` is at most `tolerance_s`, by `features`."""
    scale_s = error_scale_s(values, method)
    # An answer on the right peak is within RIGHT_PEAK_S by definition: the distribution ends there.
    within = math.expm1(-min(tolerance_s, RIGHT_PEAK_S) / scale_s) / math.expm1(-RIGHT_PEAK_S / scale_s)
    fitted = calibration()["confidence"][method]
    agrees = _logistic(fitted, "", FEATURES, values)
    return agrees * _logistic(fitted, "among_", AMONG_FEATURES, values) * within


def _logistic(fitted: Mapping[str, float], prefix: str, names: tuple[str, ...], values: dict[str, float]) -> float:
    score = fitted[f"{prefix}intercept"] + sum(fitted[f"{prefix}{name}"] * values[name] for name in names)
    return 1.0 / (1.0 + math.exp(-min(max(score, -30.0), 30.0)))


def expected_error_s(values: dict[str, float], method: Method) -> float:
    """Mean absolute timing error to expect if the peak is the right one, seconds."""
    scale_s = error_scale_s(values, method)
    beyond = math.exp(-RIGHT_PEAK_S / scale_s)
    return scale_s - RIGHT_PEAK_S * beyond / (1.0 - beyond)


def error_scale_s(values: dict[str, float], method: Method) -> float:
    """Scale of the Laplace distribution, cut off at RIGHT_PEAK_S, of the timing error about the right peak, s."""
    fitted = calibration()["confidence"][method]
    return math.exp(fitted["scale_intercept"] + sum(fitted[f"scale_{name}"] * values[name] for name in SCALE_FEATURES))
