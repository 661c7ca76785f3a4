"""Where sensors are aligned, and labels, as stretches of the video for programs in which people annotate."""

from __future__ import annotations

from kinebind.output.aligned import given_pieces
from kinebind.recording import Label, Recording
from kinebind.tasks.sync.result import Piece, SyncResult


def stretches_of(recording: Recording, result: SyncResult) -> dict[str, list[Label]]:
    """Stretches on the video's clock by tier: a tier for each sensor, and one of labels.

    A sensor's stretch says where it is worn, its offset and how sure that is, or that its clock was refused; a refused
    one has no place in time and spans the video.
    """
    start_s = float(min((p.time_s[0] for p in recording.people), default=0.0))
    end_s = float(max((p.time_s[-1] for p in recording.people), default=0.0))
    tiers: dict[str, list[Label]] = {}
    for imu in recording.imus:
        answer = next((a for a in result.answers if a.clock_id == imu.clock_id), None)
        if answer is None:
            continue
        site = next((s.site for s in answer.sensors if s.name == imu.name), None) or imu.site
        where = f"{site.replace('_', ' ')}, " if site else ""
        if answer.answered:
            tiers[imu.name] = [
                Label(max(low, start_s), min(high, end_s), f"{where}{_told(piece)}")
                for _, piece, *_ in given_pieces(answer)
                for low, high in [(float(piece.clock.to_video(t)) for t in (piece.start_s, piece.end_s))]
                if min(high, end_s) > max(low, start_s)
            ]
        else:
            told = answer.reason.what if answer.reason is not None else "refused"
            tiers[imu.name] = [Label(start_s, end_s, f"{where}clock refused: {told}")]
    for label in recording.labels:
        tier = "labels" if label.person is None else f"labels {label.person}"
        tiers[tier] = [*tiers.get(tier, []), label]
    return tiers


def _told(piece: Piece) -> str:
    return f"offset {piece.clock.offset_s:+.3f} s, {100 * piece.confidence:.0f} % sure"
