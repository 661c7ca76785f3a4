"""Videos made for benchmarks: frames encoded at their times, and a clip repeated without being encoded again."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from kinebind.video.backend import Image

_TICKS = 90_000  # a second


def write_video(images: Iterable[Image], path: Path, rate_hz: float, *, loops: int = 1) -> Path:
    """Encode frames at an even rate, H.264, and repeat them so many times."""
    packets: list[Any] = []
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1001))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "20", "preset": "veryfast", "bf": "0"}
        stream.codec_context.time_base = Fraction(1, _TICKS)
        count = 0
        for image in images:
            if count == 0:
                stream.height, stream.width = image.shape[:2]
            shown = av.VideoFrame.from_ndarray(image, format="rgb24")
            shown.pts, shown.time_base = round(count / rate_hz * _TICKS), Fraction(1, _TICKS)
            packets += stream.encode(shown)
            count += 1
        packets += stream.encode(None)
        lasts = round(count / rate_hz * _TICKS)
        content = [(bytes(p), p.pts, p.is_keyframe) for p in packets]
        for loop in range(loops):
            for data, pts, first in content:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, _TICKS)
                packet.pts = packet.dts = (pts or 0) + loop * lasts
                packet.is_keyframe = first
                out.mux(packet)
    return path
