"""What every stream shares: frozen arrays, a clock, slices in seconds."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray, floats, median_rate_hz
from kinebind.errors import InputError

S = TypeVar("S", bound="Stream")


def frozen(values: npt.ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    """A read-only float64 copy of `values`; raises InputError unless it has `shape`, or where it holds ±inf."""
    array = floats(values, name)
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}, expected {shape}.", "Check the columns that were read.")
    if np.isinf(array).any():
        raise InputError(f"{name} holds infinite values.", "Mark missing samples as NaN.")
    array.flags.writeable = False
    return array


def frozen_quaternions(values: npt.ArrayLike, shape: tuple[int, ...], name: str) -> FloatArray:
    """Unit quaternions, scalar last, read-only; NaN rows stay; raises InputError where a norm is not 1 ± 0.05."""
    q: FloatArray = frozen(values, shape, name).copy()
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if (np.abs(norm[np.isfinite(norm)] - 1.0) > 0.05).any():
        raise InputError(
            f"{name} holds quaternions whose norm is not 1.", "Check that the four columns are a quaternion."
        )
    # Unit ones are left alone, so that a copy of a copy is the same to the last bit.
    np.divide(q, norm, out=q, where=~(np.abs(norm - 1.0) <= 1e-12))
    q.flags.writeable = False
    return q


class Stream:
    """Base of `Imu`, `Poses` and `Motion`: frozen dataclasses whose arrays have time as their first axis."""

    time_s: FloatArray

    @property
    def rate_hz(self) -> float:
        """Samples per second, from the median step."""
        return median_rate_hz(self.time_s)

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last."""
        return float(self.time_s[-1] - self.time_s[0])

    def _over_time(self) -> dict[str, FloatArray]:
        """The fields that hold one row a sample, without `time_s`."""
        length = self.time_s.size
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {
            name: value
            for name, value in fields.items()
            if name != "time_s" and isinstance(value, np.ndarray) and value.shape[:1] == (length,)
        }

    def replace(self: S, **changes: Any) -> S:
        """A copy with some fields changed, validated anew."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def take(self: S, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> S:
        """The samples at an index or mask, at least two, in order of time."""
        arrays = {name: value[index] for name, value in self._over_time().items()}
        return self.replace(time_s=self.time_s[index], **arrays)

    def slice_s(self: S, start_s: float, end_s: float) -> S:
        """The samples with start_s <= time < end_s, on the stream's own clock.

        Raises InputError where fewer than two samples lie inside.
        """
        inside = (self.time_s >= start_s) & (self.time_s < end_s)
        if np.count_nonzero(inside) < 2:
            raise InputError(
                f"Fewer than two samples lie in {start_s:.3f}–{end_s:.3f} s.",
                f"The stream covers {self.time_s[0]:.3f}–{self.time_s[-1]:.3f} s of its own clock.",
            )
        return self.take(inside)
