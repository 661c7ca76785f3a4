"""A clip of four sensors, the truth about it, and answers that must be given."""

from __future__ import annotations

import made_up_body
from kinebind import ClockMap, Imu, Recording, sync
from kinebind.bench.scenes import timing_error_s

CLIP = made_up_body.clip(1)
POSES, IMUS, TRUTH = CLIP.recording.people[0], CLIP.recording.imus, CLIP.truth["recorder"]


def answered(recording: Recording, **options):
    """The first clock's answer, which must be given."""
    answer = sync(recording, **options).answers[0]
    assert answer.answered, answer.reason
    assert answer.confidence >= 0.5
    return answer


def error_s(answer, truth: ClockMap = TRUTH, imu: Imu = IMUS[0]) -> float:
    """Timing error of an answer about the clip, seconds."""
    return timing_error_s(answer.clock, truth, imu, POSES)


def with_imus(*imus: Imu) -> Recording:
    """The clip with other sensors."""
    return Recording((POSES,), imus)
