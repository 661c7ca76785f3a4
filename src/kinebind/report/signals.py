"""The signals that the report draws: how fast a sensor turns, and how fast its limb turns in the video."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from kinebind.body.gravity_frame import angular_rate_from_orientation
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.resample import resample_vectors
from kinebind.tasks.sync.limb_signals import FAST_HZ, Track, grid, limb_signals, track
from kinebind.tasks.sync.result import SyncResult

_WHOLE_BODY = ("left_wrist", "right_wrist", "left_shank", "right_shank")


@dataclass(frozen=True, eq=False)
class Trace:
    """A non-negative signal on its own clock: time_s (T,), value (T,), NaN where unknown, and its unit."""

    time_s: FloatArray
    value: FloatArray
    unit: str

    def within(self, start_s: float, end_s: float) -> Trace:
        """The samples with start_s <= time <= end_s; possibly none."""
        inside = (self.time_s >= start_s) & (self.time_s <= end_s)
        return Trace(self.time_s[inside], self.value[inside], self.unit)


def _turns(imu: Imu) -> bool:
    return imu.gyr_sensor is not None or imu.rot_world_from_sensor is not None


def limb_motion(person: Track, site: str, *, by_acceleration: bool = False) -> Trace:
    """How the limb at a site moves in the image, by the estimator's own cues.

    Its turning: m/s of its end about its start. Or, `by_acceleration`, ||acceleration + g| − g|, m/s².
    """
    signals = limb_signals(person, site)
    if by_acceleration:
        return Trace(person.time_s, np.abs(signals["load"] - GRAVITY_M_S2), "m/s²")
    return Trace(person.time_s, signals["turn"], "m/s")


def sensor_motion(imu: Imu, *, by_acceleration: bool = False) -> Trace:
    """How fast a sensor turns, |angular rate| in rad/s on its own clock, as finely as the estimator looks.

    Without angular rate and orientation, or where asked `by_acceleration`: ||specific force| − g|, m/s².
    """
    if _turns(imu) and not by_acceleration:
        rate = imu.gyr_sensor if imu.gyr_sensor is not None else angular_rate_from_orientation(imu)
        norm, unit = np.linalg.norm(rate, axis=1), "rad/s"
    else:
        norm, unit = np.abs(np.linalg.norm(imu.acc_sensor, axis=1) - GRAVITY_M_S2), "m/s²"
    time_s = grid(imu.time_s[0], imu.time_s[-1])
    if time_s.size < 2:
        return Trace(imu.time_s, norm, unit)
    value = resample_vectors(imu.time_s, norm[:, None], time_s, cutoff_hz=min(FAST_HZ, 0.4 * imu.rate_hz))[:, 0]
    return Trace(time_s, np.clip(value, 0.0, None), unit)


@dataclass(eq=False)
class Reference:
    """What the clocks were aligned to: a person in the video, or another sensor; remembers what it worked out."""

    source: Poses | Imu
    _traces: dict[tuple[str | None, bool], Trace] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["video", "reference"]:
        """The word for it in texts."""
        return "video" if isinstance(self.source, Poses) else "reference"

    @property
    def name(self) -> str:
        """The person's or the sensor's name."""
        return self.source.person if isinstance(self.source, Poses) else self.source.name

    @property
    def time_s(self) -> FloatArray:
        """Its sample times, seconds on its own clock."""
        return self.source.time_s

    @property
    def frame_s(self) -> float:
        """Length of one frame or sample, seconds."""
        return 1.0 / self.source.rate_hz

    @cached_property
    def mirrored(self) -> Reference:
        """The same with left and right keypoints exchanged; a sensor stays as it is."""
        return Reference(self.source.left_right_swapped()) if isinstance(self.source, Poses) else self

    @cached_property
    def _person(self) -> Track:
        assert isinstance(self.source, Poses)
        return track(self.source)

    def compare(self, imu: Imu, site: str | None) -> tuple[Trace, Trace]:
        """A sensor's trace on its own clock, and the limb's (wrists and shanks together where the site is unknown) or
        the reference sensor's that it is compared with.

        Turning with turning where both have it, else acceleration with acceleration.
        """
        if isinstance(self.source, Imu):
            by_acceleration = not (_turns(imu) and _turns(self.source))
        else:
            by_acceleration = not _turns(imu) or not np.isfinite(self._trace(site, False).value).any()
        return sensor_motion(imu, by_acceleration=by_acceleration), self._trace(site, by_acceleration)

    def _trace(self, site: str | None, by_acceleration: bool) -> Trace:
        key = (site, by_acceleration)
        if key not in self._traces:
            if isinstance(self.source, Imu):
                trace = sensor_motion(self.source, by_acceleration=by_acceleration)
            elif site is not None:
                trace = limb_motion(self._person, site, by_acceleration=by_acceleration)
            else:
                trace = _together([self._trace(s, by_acceleration) for s in _WHOLE_BODY])
            self._traces[key] = trace
        return self._traces[key]


def _together(limbs: list[Trace]) -> Trace:
    """Root mean square of several limbs' traces, over those that are seen."""
    stack = np.stack([limb.value for limb in limbs])
    known = np.isfinite(stack).any(axis=0)
    whole = np.full(stack.shape[1], np.nan)
    whole[known] = np.sqrt(np.nanmean(stack[:, known] ** 2, axis=0))
    return Trace(limbs[0].time_s, whole, limbs[0].unit)


def find_references(recording: Recording, result: SyncResult) -> list[Reference]:
    """What each of a result's clocks was aligned to, in their order; one object for each person or sensor.

    Raises InputError where the recording does not have it.
    """
    compared = {s.name for a in result.answers for s in a.sensors}
    # A person may be called as a sensor is; the sensor is meant where it is the one that was not compared.
    sensor = next((i for i in recording.imus if i.name == result.reference and i.name not in compared), None)
    if sensor is not None:
        return [Reference(sensor)] * len(result.answers)
    people = {track.person: Reference(track) for track in recording.people}
    out = []
    for answer in result.answers:
        # A clock that nobody was compared with is shown beside the first person.
        name = answer.person or next(iter(people), "")
        if name not in people:
            raise InputError(
                f"The recording has no person or sensor '{name or result.reference}' that clock "
                f"'{answer.clock_id}' was synchronised with.",
                "Pass the recording that the result was computed from.",
            )
        out.append(people[name])
    return out


def busiest_window(trace: Trace, span_s: float, allowed_s: tuple[float, float]) -> tuple[float, float] | None:
    """Start and end of the `span_s` seconds inside `allowed_s` in which the trace is highest in the mean.

    The whole of `allowed_s` where it is shorter; None where it is empty. Unknown values count as rest.
    """
    low, high = max(allowed_s[0], trace.time_s[0]), min(allowed_s[1], trace.time_s[-1])
    if not high > low:
        return None
    if high - low <= span_s:
        return low, high
    inside = trace.within(low, high)
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(inside.value))])
    width = int(np.searchsorted(inside.time_s, inside.time_s[0] + span_s))
    sums = total[width:] - total[:-width]
    start = float(inside.time_s[int(np.argmax(sums))])
    return start, start + span_s


def envelope(time_s: FloatArray, value: FloatArray, columns: int) -> tuple[FloatArray, ...]:
    """Middle, lowest, mean and highest value of `columns` equal stretches of time: four arrays (columns,).

    time_s (T,) increasing, value (T,). NaN where a stretch has no known sample.
    """
    edges = np.linspace(time_s[0], time_s[-1], columns + 1)
    known = np.isfinite(value)
    t, v = time_s[known], value[known]
    starts = np.searchsorted(t, edges[:-1])
    stops = np.append(starts[1:], t.size)
    full = stops > starts
    low, mean, high = (np.full(columns, np.nan) for _ in range(3))
    if full.any():
        low[full] = np.minimum.reduceat(v, starts[full])
        mean[full] = np.add.reduceat(v, starts[full]) / (stops - starts)[full]
        high[full] = np.maximum.reduceat(v, starts[full])
    return (edges[:-1] + edges[1:]) / 2, low, mean, high


def correlation(a: Trace, b: Trace) -> float:
    """Correlation of two traces over the times that both know, b interpolated at a's times; NaN where below 1 s."""
    if a.time_s.size < 2 or b.time_s.size < 2:
        return float("nan")
    at_a = np.interp(a.time_s, b.time_s, b.value, left=np.nan, right=np.nan)
    both = np.isfinite(at_a) & np.isfinite(a.value)
    step = float(np.median(np.diff(a.time_s)))
    if both.sum() * step < 1.0 or np.ptp(at_a[both]) == 0 or np.ptp(a.value[both]) == 0:
        return float("nan")
    return float(np.corrcoef(a.value[both], at_a[both])[0, 1])
