"""What a synchronisation answers: clock maps, a confidence, and the reasons."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from kinebind.clock import ClockMap, FloatArray

ANSWERED_AT = 0.5
"""No answer is given with less confidence than this."""

Method = Literal["universal", "classical"]
"""What clocks are found by: the universal model's tokens beside plain cues, or plain cues alone."""

ReasonCode = Literal[
    "no_motion_imu",
    "no_motion_pose",
    "little_motion",
    "too_little_overlap",
    "periodic",
    "no_match",
    "weak",
    "slow_motion",
]


@dataclass(frozen=True)
class Reason:
    """Why a clock was refused: a code for programs, a sentence for people, and what they can do."""

    code: ReasonCode
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Piece:
    """A stretch of an IMU's clock that one map holds for; a recorder that jumped gives several.

    start_s, end_s: on the IMU's clock. confidence: probability that the timing error over the stretch is ≤ 50 ms.
    """

    start_s: float
    end_s: float
    clock: ClockMap
    confidence: float


@dataclass(frozen=True)
class SensorFinding:
    """What was found of one sensor: the site it was taken to be worn at, and how much it says about the lag.

    evidence_nats: its share of the log-likelihood ratio at the answer. given: whether the user named the site.
    """

    name: str
    site: str | None
    given: bool
    evidence_nats: float


@dataclass(frozen=True, eq=False)
class Curve:
    """Evidence over the offset at `ref_time_s`: lag_s (L,), evidence_nats (L,) log-likelihood ratio."""

    lag_s: FloatArray
    evidence_nats: FloatArray


@dataclass(frozen=True, eq=False)
class Residuals:
    """Lag of single windows against the answer: imu_time_s (W,), residual_s (W,), weight (W,) 0..1."""

    imu_time_s: FloatArray
    residual_s: FloatArray
    weight: FloatArray


@dataclass(frozen=True, eq=False)
class ClockAnswer:
    """The answer for one clock.

    person: whom the sensors were taken to be worn by (the reference sensor's name where there is no video).
    confidence: stated probability that the timing error is ≤ 50 ms (or the tolerance that was asked for).
    needed_confidence: from which an answer is given; higher where the search was wide.
    pieces: at least one where there is a best guess, also in a refusal; empty where nothing could be computed.
    uncertainty_s: mean absolute timing error to expect if the peak is the right one, seconds.
    reason: set in a refusal. notes: what else the user should know (mirrored video, sites found, repairs).
    rivals_s: offsets of the best rival peaks, strongest first, with their evidence.
    method: what it was found by.
    """

    clock_id: str
    person: str
    sensors: tuple[SensorFinding, ...]
    pieces: tuple[Piece, ...]
    confidence: float
    uncertainty_s: float = math.nan
    skew_uncertainty: float = math.nan
    reason: Reason | None = None
    needed_confidence: float = ANSWERED_AT
    mirrored: bool = False
    overlap_s: float = 0.0
    rivals_s: tuple[tuple[float, float], ...] = ()
    curve: Curve | None = None
    residuals: Residuals | None = None
    features: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    method: Method = "classical"

    @property
    def answered(self) -> bool:
        """Whether the answer is given (else it is a refusal with a reason)."""
        return self.reason is None

    @property
    def main(self) -> Piece | None:
        """The longest piece."""
        return max(self.pieces, key=lambda p: p.end_s - p.start_s, default=None)

    @property
    def clock(self) -> ClockMap | None:
        """The map of the longest piece, also where it is only a refused best guess."""
        return self.main.clock if self.main else None

    def to_video(self, imu_time_s: FloatArray) -> FloatArray:
        """Video times of IMU times by the piece that each falls into (the nearest one outside all), seconds."""
        t = np.asarray(imu_time_s, dtype=np.float64)
        out = np.full(t.shape, np.nan)
        if not self.pieces:
            return out
        starts = np.array([p.start_s for p in self.pieces[1:]])
        which = np.searchsorted(starts, t, side="right")
        for i, piece in enumerate(self.pieces):
            out[which == i] = piece.clock.to_video(t[which == i])
        return out


@dataclass(frozen=True, eq=False)
class SyncResult:
    """Answers for all clocks of a recording against one reference (a person in the video, or an IMU)."""

    reference: str
    answers: tuple[ClockAnswer, ...]
    search_s: tuple[float, float]
    name: str = "recording"
    notes: tuple[str, ...] = ()

    @property
    def all_answered(self) -> bool:
        """Whether no clock was refused."""
        return all(a.answered for a in self.answers)

    def __getitem__(self, clock_id: str) -> ClockAnswer:
        for answer in self.answers:
            if answer.clock_id == clock_id:
                return answer
        raise KeyError(clock_id)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values, without the curves; NaN becomes null."""
        answers = []
        for a in self.answers:
            clock = a.clock
            answers.append({
                "clock_id": a.clock_id,
                "person": a.person,
                "status": "answered" if a.answered else "refused",
                "method": a.method,
                "confidence": a.confidence,
                "needed_confidence": a.needed_confidence,
                "offset_s": clock.offset_s if clock else None,
                "skew_ppm": clock.skew_ppm if clock else None,
                "ref_time_s": clock.ref_time_s if clock else None,
                "offset_uncertainty_s": a.uncertainty_s,
                "skew_uncertainty_ppm": a.skew_uncertainty * 1e6,
                "overlap_s": a.overlap_s,
                "mirrored": a.mirrored,
                "reason": asdict(a.reason) if a.reason else None,
                "pieces": [
                    {
                        "imu_start_s": p.start_s, "imu_end_s": p.end_s, "offset_s": p.clock.offset_s,
                        "skew_ppm": p.clock.skew_ppm, "ref_time_s": p.clock.ref_time_s,
                        "confidence": p.confidence,
                    }
                    for p in a.pieces
                ],
                "sensors": [asdict(s) for s in a.sensors],
                "rivals": [{"offset_s": lag, "evidence_nats": nats} for lag, nats in a.rivals_s],
                "features": a.features,
                "notes": list(a.notes),
            })  # fmt: skip
        out = {
            "format": "kinebind-sync-1", "recording": self.name, "reference": self.reference,
            "search_s": list(self.search_s), "answers": answers, "notes": list(self.notes),
        }  # fmt: skip
        return dict(_no_nan(out))

    def to_json(self) -> str:
        """`to_dict` as indented JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)


def _no_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _no_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_no_nan(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
