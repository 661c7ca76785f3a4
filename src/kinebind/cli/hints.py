"""Where to look first: an offset, moments seen in both streams, or the time at which the video was started."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinebind.cli.settings import Pair, Settings
from kinebind.errors import InputError
from kinebind.recording import Recording
from kinebind.tasks.sync import Hint

ANCHOR_WIDTH_S = 2.0
"""How well a moment is picked by eye in a video and in a plot."""
START_WIDTH_S = 60.0
"""How far a camera's clock may be off; many cameras note the end of a video as its time, so its length is added."""
_MOST_SKEW = 0.02
_UNIX_FROM_S = 1e8


def hint_of(settings: Settings, recording: Recording) -> tuple[Hint | None, tuple[str, ...]]:
    """The hint that the settings give, and what to tell about it.

    Raises InputError where several kinds of hint are given, where anchors contradict each other, and where a
    video's start is given without a sensor that shows UNIX time.
    """
    given = [name for name in ("near", "anchor", "video_start") if getattr(settings, name) not in (None, ())]
    if len(given) > 1:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{flags} say the same thing in two ways.", "Give the one that you trust most.")
    if settings.near is not None:
        return Hint(settings.near), ()
    if settings.anchor:
        return _anchored(settings.anchor)
    if settings.video_start is not None:
        return _started(settings.video_start, recording)
    return None, ()


def _anchored(pairs: Sequence[Pair]) -> tuple[Hint, tuple[str, ...]]:
    imu_s, video_s = np.array(pairs).T
    offset_s = video_s - imu_s
    hint = Hint(float(offset_s.mean()), ANCHOR_WIDTH_S + 0.5 * float(np.ptp(offset_s)), "--anchor")
    if len(pairs) == 1:
        return hint, ()
    if np.unique(imu_s).size < len(pairs):
        raise InputError("Two anchors stand at the same IMU time.", "Pick moments far apart.")
    skew = float(np.polyfit(imu_s - imu_s.mean(), offset_s, 1)[0])
    if abs(skew) > _MOST_SKEW:
        raise InputError(
            f"By the anchors one clock runs {100 * abs(skew):.1f} % faster than the other, which no clock does.",
            "Check that each anchor is IMU_TIME=VIDEO_TIME of one moment, and the video's frame rate (--fps).",
        )
    # Two moments picked by eye cannot tell parts per million; what the data say is the answer.
    sure_ppm = 1e6 * ANCHOR_WIDTH_S / 2.0 / float(np.ptp(imu_s))
    return hint, (f"The anchors say an offset of {hint.offset_s:.2f} s and a skew of {1e6 * skew:.0f} ppm, which "
                  f"picking by eye makes sure to about {sure_ppm:.0f} ppm.",)  # fmt: skip


def _started(video_start_s: float, recording: Recording) -> tuple[Hint, tuple[str, ...]]:
    starts = {imu.name: float(imu.time_s[0]) for imu in recording.imus}
    if not any(start > _UNIX_FROM_S for start in starts.values()):
        name, start = next(iter(starts.items()), ("", 0.0))
        raise InputError(
            f"--video-start needs a sensor whose clock shows UNIX time; '{name}' starts at {start:.1f} s.",
            "Leave it out, or say the offset with --near.",
        )
    video = recording.people[0] if recording.people else None
    first_s, length_s = (float(video.time_s[0]), video.duration_s) if video else (0.0, 0.0)
    if first_s > _UNIX_FROM_S:
        raise InputError("--video-start means nothing: the video's frames have UNIX times already.", "Leave it out.")
    hint = Hint(-video_start_s, START_WIDTH_S + length_s, "--video-start")
    return hint, (f"By --video-start the offset is about {hint.offset_s:.1f} s.",)
