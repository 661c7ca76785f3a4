"""Annotation files of the synchronisation protocol: which clips are cut, and by how much their streams are shifted.

One line a clip, `index start_s end_s subject action offset_ms` (papers.md 1.4). The IMU's clip is cut at start_s and
the pose's at start_s + offset, so an event stands earlier in the pose's clip by the offset: in Kinebind's convention,
video time minus IMU time, the answer to a line is −offset_ms / 1000.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.errors import InputError

CLIP_S, STRIDE_S, RANGE_S = 20.0, 5.0, 7.0
"""The paper's clips: length, stride, and the largest offset either way."""


@dataclass(frozen=True)
class Annotation:
    """One clip: where the IMU's is cut on the recording's common clock, and how much later the pose's is.

    start_s, end_s: seconds. subject, action: names; an EgoHumans list has the take as subject and the activity's
    number as action. offset_ms: milliseconds.
    """

    index: int
    start_s: float
    end_s: float
    subject: str
    action: str
    offset_ms: float

    def __post_init__(self) -> None:
        numbers = (self.start_s, self.end_s, self.offset_ms)
        if not np.isfinite(numbers).all() or self.end_s <= self.start_s:
            raise InputError(
                f"Clip {self.index} runs from {self.start_s} to {self.end_s} s with an offset of {self.offset_ms} ms.",
                "Give finite numbers, the end after the start.",
            )
        if len(self.subject.split()) != 1 or not self.action.split():
            raise InputError(
                f"Clip {self.index} has subject '{self.subject}' and action '{self.action}'.",
                "Give both, the subject without spaces, as fields of the file are separated by them.",
            )

    @property
    def offset_s(self) -> float:
        """The true offset between the two clips' clocks, each from its own start: video time minus IMU time, seconds.

        >>> Annotation(0, 30.0, 50.0, "subject1", "walk", 1500.0).offset_s
        -1.5
        """
        return -self.offset_ms / 1000.0

    @property
    def pose_start_s(self) -> float:
        """Where the pose's clip is cut, seconds."""
        return self.start_s + self.offset_ms / 1000.0

    @property
    def pose_end_s(self) -> float:
        """Where the pose's clip ends, seconds."""
        return self.end_s + self.offset_ms / 1000.0


def read_annotations(path: Path | str) -> tuple[Annotation, ...]:
    """The clips of an annotation file; raises InputError naming the line that cannot be read."""
    text = _text(Path(path))
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(parse_annotation(line))
            except InputError as error:
                raise error.at(f"{path}, line {number}") from error
    if not found:
        raise InputError(f"{path} holds no clips.", "Check that the download is complete.")
    return tuple(found)


def parse_annotation(line: str) -> Annotation:
    """The clip of one line; an action may have spaces. Raises InputError where a field is missing or no number.

    >>> parse_annotation("3 10.0 30.0 subject15 free form -250")
    Annotation(index=3, start_s=10.0, end_s=30.0, subject='subject15', action='free form', offset_ms=-250.0)
    """
    words = line.split()
    if len(words) < 6:
        raise InputError(
            f"'{line.strip()}' has {len(words)} fields.",
            "A line is: index start_s end_s subject action offset_ms, separated by spaces.",
        )
    try:
        index, start_s, end_s, offset_ms = int(words[0]), float(words[1]), float(words[2]), float(words[-1])
    except ValueError as error:
        raise InputError(
            f"'{line.strip()}': {error}.", "index is a whole number; start_s, end_s and offset_ms are numbers."
        ) from error
    return Annotation(index, start_s, end_s, words[3], " ".join(words[4:-1]), offset_ms)


def write_annotations(path: Path | str, annotations: Iterable[Annotation]) -> None:
    """Write clips as a file that `read_annotations` reads back to the same values."""
    lines = [
        f"{a.index} {float(a.start_s)!r} {float(a.end_s)!r} {a.subject} {a.action} {float(a.offset_ms)!r}\n"
        for a in annotations
    ]
    Path(path).write_text("".join(lines), encoding="utf-8")


def draw_annotations(
    start_s: float,
    end_s: float,
    subject: str,
    action: str,
    draws: int,
    rng: np.random.Generator,
    first_index: int = 0,
    clip_s: float = CLIP_S,
) -> list[Annotation]:
    """Clips of a recording from start_s to end_s, each `draws` times with an offset drawn anew.

    Stride and range are the paper's, and by default the length. Offsets are continuous, uniform over what the
    recording's ends leave of ±RANGE_S; the paper's lists clamp there instead, which makes a fifth of EgoHumans'
    exactly zero. Raises InputError where the recording is shorter than a clip.

    >>> clips = draw_annotations(0.0, 31.0, "s5", "walking", 2, np.random.default_rng(0))
    >>> [(c.index, c.start_s, c.end_s) for c in clips[1:4]]
    [(1, 0.0, 20.0), (2, 5.0, 25.0), (3, 5.0, 25.0)]
    >>> all(c.pose_start_s >= 0.0 and c.pose_end_s <= 31.0 for c in clips)
    True
    """
    if end_s - start_s < clip_s:
        raise InputError(f"{subject}, {action} lasts {end_s - start_s:g} s, a clip {clip_s:g} s.", "Leave it out.")
    clips: list[Annotation] = []
    for k in range(int((end_s - start_s - clip_s) / STRIDE_S + 1e-9) + 1):
        at_s = start_s + k * STRIDE_S
        low_s, high_s = max(-RANGE_S, start_s - at_s), min(RANGE_S, end_s - at_s - clip_s)
        for offset_s in rng.uniform(low_s, high_s, draws).tolist():
            clips.append(Annotation(first_index + len(clips), at_s, at_s + clip_s, subject, action, 1e3 * offset_s))
    return clips


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Check the path, and that it is a text file.") from error
