"""Numbers and reasons in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NONE = "–"
"""Stands where there is no number."""


def signed(value: float | None, digits: int, *, plus: bool = True) -> str:
    """A number with a true minus sign, thin spaces between thousands; `NONE` where it is missing."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:{'+' if plus else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace(",", "\u202f").replace("-", "\u2212")


def plain(value: float | None, digits: int) -> str:
    """A number without a plus sign."""
    return signed(value, digits, plus=False)


def percent(share: float | None) -> str:
    """A probability in per cent that never says 0 or 100 where it is not."""
    if share is None or not math.isfinite(share):
        return NONE
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.{1 if 0 < share < 0.01 or 0.99 < share < 1 else 0}f} %"


def clock_time(seconds: float, digits: int = 0) -> str:
    """Seconds as m:ss or h:mm:ss."""
    total = round(abs(seconds), digits)
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:0{3 + digits if digits else 2}.{digits}f}"
    sign = "\u2212" if seconds < 0 and total > 0 else ""
    return f"{sign}{hours}:{minutes:02d}:{text}" if hours else f"{sign}{minutes}:{text}"


def span(seconds: float) -> str:
    """A length of time in words: 24.0 s, 12 min 5 s, 1 h 0 min."""
    if seconds < 180:
        return f"{plain(seconds, 1)} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def confidence_word(confidence: float, needed: float) -> str:
    """How a confidence is called, where an answer is given from `needed` on."""
    if confidence < needed:
        return "too low to answer"
    return next(
        (word for low, word in ((0.99, "near certain"), (0.9, "high"), (0.7, "fair")) if confidence >= low), "weak"
    )


def why(answer: Mapping[str, Any], frame_s: float, word: str) -> list[str]:
    """Sentences that say what an answer of `SyncResult.to_dict` rests on; `word` is "video" or "reference"."""
    out: list[str] = []
    sensors = sorted(answer["sensors"], key=lambda s: -(s["evidence_nats"] or 0.0))
    total = sum(max(s["evidence_nats"] or 0.0, 0.0) for s in sensors)
    whole = answer["features"].get("evidence_nats") or total
    if sensors and answer["pieces"]:
        told = f"The evidence for this offset is {plain(whole, 1)} nats"
        if len(sensors) > 1 and total > 0:
            share = percent(sensors[0]["evidence_nats"] / total)
            told += f" from {len(sensors)} sensors; {sensors[0]['name']} says most, {share}"
        out.append(told + ".")
    if answer["rivals"]:
        rival = answer["rivals"][0]
        less = answer["features"].get("margin_nats")
        less = whole - rival["evidence_nats"] if less is None else less
        out.append(
            f"The strongest rival, at {signed(rival['offset_s'], 3)} s, has "
            + (f"{plain(less, 1)} nats less." if less > 0 else "no less than the best guess.")
        )
    elif answer["pieces"]:
        out.append("No other offset in the searched range comes near.")
    if answer["overlap_s"]:
        out.append(f"Sensors and {word} share {span(answer['overlap_s'])}.")
    deviation = answer["offset_uncertainty_s"]
    if answer["status"] == "answered" and deviation is not None:
        frames = f", {plain(deviation / frame_s, 2)} of a frame" if word == "video" else ""
        out.append(f"If the peak is the right one, the offset is good to ±{plain(1e3 * deviation, 1)} ms{frames}.")
    return out
