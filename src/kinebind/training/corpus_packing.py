"""How frames of motion lie in a corpus file: rounded, differenced, folded and packed.

Rotations are quaternions whose signs do not jump, times 32767, as 16-bit integers; roots are multiples of 0.05 mm.
Both are rounded first and then differenced twice along the clip's time in wrapping arithmetic, so that nothing drifts
and what was written comes back to the bit. Differences are folded to be non-negative (0, −1, 1, −2, ... become
0, 1, 2, 3, ...), laid out by byte, then by column, then by time, which is what xz packs best, and packed.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.body.segments import SEGMENTS
from kinebind.resample import continuous_quaternions

ROT_SCALE = 32767
"""What a quaternion's components are multiplied by to be 16-bit integers."""
ROOT_STEP_M = 5e-5
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 22, "lc": 0, "lp": 0, "pb": 0}]

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]


def rounded(
    rot_world_from_segment: npt.NDArray[np.float64], root_world: npt.NDArray[np.float64]
) -> tuple[Int16, Int32]:
    """Rotations (T, 13, 4), scalar last, times `ROT_SCALE`, and roots (T, 3), metres, in steps of `ROOT_STEP_M`."""
    rot = np.round(continuous_quaternions(rot_world_from_segment) * ROT_SCALE).astype(np.int16)
    return rot, np.round(root_world / ROOT_STEP_M).astype(np.int32)


def pack(rots: Sequence[Int16], roots: Sequence[Int32]) -> bytes:
    """A block of clips, of each what `rounded` gives."""
    flat = [rot.reshape(len(rot), -1) for rot in rots]
    return lzma.compress(_bytes_of(flat) + _bytes_of(roots), format=lzma.FORMAT_XZ, filters=_FILTERS)


def unpack(packed: bytes, frames: Sequence[int]) -> tuple[Int16, Int32]:
    """What `pack` was given, end to end; frames: of each clip. Raises ValueError where that cannot be."""
    width = 4 * len(SEGMENTS)
    split = 2 * width * sum(frames)
    try:
        data = lzma.decompress(packed, format=lzma.FORMAT_XZ)
    except (EOFError, lzma.LZMAError) as error:
        raise ValueError(str(error)) from error
    rot = _values_of(data[:split], frames, width, np.int16)
    return rot.reshape(len(rot), len(SEGMENTS), 4), _values_of(data[split:], frames, 3, np.int32)


def _bytes_of(clips: Sequence[npt.NDArray[Any]]) -> bytes:
    """Columns of clips, each (T, U) of signed integers, differenced, folded, and laid out (byte, column, time)."""
    folded = []
    for values in clips:
        change = np.diff(values, 2, axis=0, prepend=np.zeros((2, values.shape[1]), values.dtype))
        folded.append((change << 1) ^ (change >> (8 * values.itemsize - 1)))
    columns = np.ascontiguousarray(np.concatenate(folded).T)  # (U, ΣT)
    little = columns.astype(columns.dtype.newbyteorder("<"))
    return np.moveaxis(little.view(np.uint8).reshape(*columns.shape, -1), -1, 0).tobytes()


def _values_of(data: bytes, frames: Sequence[int], width: int, dtype: Any) -> npt.NDArray[Any]:
    """What `_bytes_of` was given, end to end: (ΣT, width)."""
    signed = np.dtype(dtype)
    by_byte = np.frombuffer(data, np.uint8).reshape(signed.itemsize, width, sum(frames))
    little = np.ascontiguousarray(np.moveaxis(by_byte, 0, -1)).view(f"<u{signed.itemsize}")[..., 0]
    folded = little.astype(f"u{signed.itemsize}").T  # (ΣT, width)
    change = (folded >> 1).astype(signed) ^ -(folded & 1).astype(signed)
    out = np.empty(change.shape, signed)
    at = 0
    for count in frames:
        once = np.cumsum(change[at : at + count], axis=0, dtype=signed)
        np.cumsum(once, axis=0, dtype=signed, out=out[at : at + count])
        at += count
    return out
