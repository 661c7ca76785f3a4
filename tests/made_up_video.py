"""Small videos for tests, encoded on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 90_000


def plain(width: int, height: int) -> Callable[[int], np.ndarray]:
    """Frames whose upper left corner is white and whose brightness tells their number."""

    def image(number: int) -> np.ndarray:
        frame = np.full((height, width, 3), 40 + (5 * number) % 120, dtype=np.uint8)
        frame[: height // 4, : width // 4] = 255
        return frame

    return image


def write_video(
    path: Path,
    image: Callable[[int], np.ndarray],
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    format: str = "mp4",
    metadata: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Encode frames that are shown at some times, seconds."""
    first = image(0)
    with av.open(str(path), "w", format=format, options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(image(number), format="rgb24")
            frame.pts, frame.time_base = round(time_s * TICKS), Fraction(1, TICKS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A second of a tone, in a file that might hold a video."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16_000)
        stream.layout = "mono"
        tone = np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 440).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


_TURNED = {
    90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0),
}  # fmt: skip


def turn(path: Path, degrees: int) -> Path:
    """Set the rotation flag of an MP4: a player shows it turned counter-clockwise by so much."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    matrix = at + (40 if data[at] == 0 else 52)  # behind version, flags, times, track, duration, layer, volume
    a, b, c, d = _TURNED[degrees]
    values = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join((v & 0xFFFFFFFF).to_bytes(4, "big") for v in values)
    path.write_bytes(bytes(data))
    return path
