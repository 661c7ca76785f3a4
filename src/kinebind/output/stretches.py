"""Where sensors are aligned, and labels, as stretches of the video for programs in which people annotate."""

from __future__ import annotations

from collections.abc import Iterator

from kinebind.output.label_tracks import Stretches
from kinebind.recording import Label, Recording
from kinebind.tasks.sync.result import ClockAnswer, Piece, SyncResult


def stretches_of(recording: Recording, result: SyncResult) -> dict[str, Stretches]:
    """Stretches on the video's clock by tier, each with a probability: a tier for each sensor, and one of labels.

    A sensor's stretch says where it is worn, its offset and how sure that is, or that its clock was refused; a refused
    one has no place in time and spans the video.
    """
    start_s = min((p.time_s[0] for p in recording.people), default=0.0)
    end_s = max((p.time_s[-1] for p in recording.people), default=0.0)
    tiers: dict[str, Stretches] = {}
    for imu in recording.imus:
        answer = next((a for a in result.answers if a.clock_id == imu.clock_id), None)
        if answer is None:
            continue
        site = next((s.site for s in answer.sensors if s.name == imu.name), None) or imu.site
        where = f"{site.replace('_', ' ')}, " if site else ""
        if answer.answered:
            tiers[imu.name] = [
                (Label(max(low, start_s), min(high, end_s), f"{where}offset {piece.clock.offset_s:+.3f} s, "
                       f"{100 * piece.confidence:.0f} % sure"), piece.confidence)
                for piece, low, high in _shown(answer)
                if min(high, end_s) > max(low, start_s)
            ]  # fmt: skip
        else:
            told = answer.reason.what if answer.reason is not None else "refused"
            tiers[imu.name] = [(Label(float(start_s), float(end_s), f"{where}clock refused: {told}"), 0.0)]
    for label in recording.labels:
        tier = "labels" if label.person is None else f"labels {label.person}"
        tiers[tier] = [*tiers.get(tier, []), (label, 1.0)]
    return tiers


def _shown(answer: ClockAnswer) -> Iterator[tuple[Piece, float, float]]:
    """The pieces that are answered, with the video's times at which they begin and end."""
    for piece in answer.pieces:
        if piece.confidence >= answer.needed_confidence:
            yield piece, float(piece.clock.to_video(piece.start_s)), float(piece.clock.to_video(piece.end_s))
