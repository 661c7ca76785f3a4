"""Simulated recordings for a matcher: clocks of short clips in hard conditions, over what makes them hard, and places.

"3 s ±2 s" means: the sensors last 3 s, the true offset lies anywhere within ±2 s, which is searched, and the video
lasts 3 + 2·2 s, so that the sensors' whole piece is inside the video at every offset that is searched.

All functions take the cases (`kinebind.bench.sim_cases.SimCases`, drawn once and given to all methods) and a matcher or
a way to find an offset. Figures of motion that repeats itself have `_periodic` behind their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kinebind.bench.assignment import HOWS, NOW_S, SITES_HOW, on_video_clock, people_table, shares_right, sites_table
from kinebind.bench.in_part import LEG_SITES, Part, in_part
from kinebind.bench.measured import Cases, Measured, timing
from kinebind.bench.offset_finders import OffsetFinder, SyncCase, errors_s
from kinebind.bench.scenes import CONDITIONS
from kinebind.bench.sim_cases import SimCases, Spec, first_sensors
from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.parts import SITES, mirror_site
from kinebind.tasks.locate import How
from kinebind.tasks.matching import Matcher

CLIPS, PERIODIC_CLIPS = 200, 60
"""Cases of a figure by which the benchmark is judged, and of the periodic one beside it."""
POINT_CLIPS, GROUPS = 80, 40
"""Cases of a point of a curve or of what is told of places, and groups of people."""
HEADLINE = {
    "sim_wrist_3s": Spec("hard", 3.0, 2.0),
    "sim_six_2s": Spec("hard", 2.0, 2.0, sensors=6),
    "sim_sway_5s": Spec("sway", 5.0, 3.0),
}
"""What the benchmark is judged by."""
USUAL = Spec("normal", 5.0, 2.0)
"""What the curves change one thing of."""
SENSORS = Spec("normal", 3.0, 2.0, sensors=6)
RATES_HZ = (20.0, 50.0, 100.0, 200.0)
LENGTHS_S = (2.0, 3.0, 5.0, 10.0, 20.0)
PLACES = Spec("normal", 5.0, 0.5, sensors=len(SITES), periodic=None)
PEOPLE = {"": ("normal", 5.0), "_2s": ("hard", 2.0)}
"""Conditions and seconds in which people are told apart, by what is put behind the figures' names."""
MOST_PEOPLE = 8
PAIRS = {"wrists": "left_wrist", "shanks": "left_shank"}
"""Sensors on both sides that may have been swapped."""
VIEWS: dict[Part, int] = {"upper": 0, "legs": 1, "side": 1}
"""What alone is in the image: the body above the hips, hips and legs, the sensor's own side; and whether a wrist or a
shank is then looked for, by its number among the sensors.
"""


def matched(cases: SimCases, matcher: Matcher) -> Measured:
    """All figures that are about which fits which."""
    return sites(cases, matcher) | swapped(cases, matcher) | people(cases, matcher)


def trivial(cases: SimCases) -> Measured:
    """What needs no method: `sim_wrist_3s_predict_zero_within_100ms` and so on."""
    out: Measured = {}
    for name, spec in HEADLINE.items():
        zero = np.array([abs(c.truth.offset_s) for c in cases.of(spec, CLIPS)])
        out[f"{name}_predict_zero_within_100ms"] = Cases(np.asarray(zero <= 0.1, dtype=np.float64))
    return out


# -- clocks ----------------------------------------------------------------------------------------------------


def headline(cases: SimCases, finder: OffsetFinder) -> Measured:
    """`sim_wrist_3s_within_100ms`, `sim_six_2s_…`, `sim_sway_5s_…`, and of what repeats itself `…_periodic`."""
    out: Measured = {}
    for name, spec in HEADLINE.items():
        out |= _both(cases, finder, name, spec)
    return out


def curves(cases: SimCases, finder: OffsetFinder) -> Measured:
    """How the share within 100 ms and the median error go with one thing at a time.

    `sim_sensors_N_…` (3 s), `sim_row_ROW_…`, `sim_rate_HZ_…` and `sim_length_S_…` (one wrist, 5 s and 100 Hz where it
    is not they that change), all ±2 s and in normal conditions; lengths also of what repeats itself.
    """
    out: Measured = {}
    six = cases.of(SENSORS, POINT_CLIPS)
    for count in range(1, SENSORS.sensors + 1):
        out |= _timed(f"sim_sensors_{count}", finder, first_sensors(six, count), SENSORS)
    usual = _timed("", finder, cases.of(USUAL, POINT_CLIPS), USUAL)
    for curve, points in _points().items():
        for label, spec in points.items():
            # The usual one is a point of each curve.
            own = usual if spec == USUAL else _timed("", finder, cases.of(spec, POINT_CLIPS), spec)
            out |= {f"sim_{curve}_{label}{key}": values for key, values in own.items()}
    for label, spec in _points()["length"].items():
        again = replace(spec, periodic=True)
        found = _timed(f"sim_length_{label}", finder, cases.of(again, PERIODIC_CLIPS), again)
        out |= {f"{key}_periodic": values for key, values in found.items()}
    return out | _in_view(cases, finder)


def _in_view(cases: SimCases, finder: OffsetFinder) -> Measured:
    """`sim_view_upper_…` of a wrist where the image ends above the hips; of a shank `sim_view_legs_…` where it begins
    with them, and `sim_view_side_…` where nothing of the other side is seen; `sim_view_upper_whole_…` and so on with
    the whole body in it.
    """
    out: Measured = {}
    spec = replace(USUAL, sensors=2)
    for view, number in VIEWS.items():
        whole = [replace(c, imus=c.imus[number : number + 1]) for c in cases.of(spec, POINT_CLIPS)]
        cut = [replace(c, poses=in_part(c.poses, view, c.imus[0].site or "")) for c in whole]
        out |= _timed(f"sim_view_{view}", finder, cut, spec) | _timed(f"sim_view_{view}_whole", finder, whole, spec)
    return out


def _points() -> dict[str, dict[str, Spec]]:
    return {
        "row": {row: replace(USUAL, row=row) for row in CONDITIONS},
        "rate": {f"{hz:g}hz": replace(USUAL, rate_hz=hz) for hz in RATES_HZ},
        "length": {f"{s:g}s": replace(USUAL, duration_s=s) for s in LENGTHS_S},
    }


def _both(cases: SimCases, finder: OffsetFinder, name: str, spec: Spec) -> Measured:
    """What does not repeat itself, and what does."""
    out = _timed(name, finder, cases.of(spec, CLIPS), spec)
    again = replace(spec, periodic=True)
    found = _timed(name, finder, cases.of(again, PERIODIC_CLIPS), again)
    return out | {f"{key}_periodic": values for key, values in found.items()}


def _timed(prefix: str, finder: OffsetFinder, cases: Sequence[SyncCase], spec: Spec) -> Measured:
    return timing(prefix, errors_s(finder, cases, (-spec.range_s, spec.range_s)))


# -- places and people -----------------------------------------------------------------------------------------


def sites(cases: SimCases, matcher: Matcher) -> Measured:
    """`sim_sites_argmax` and `sim_sites_assigned`: share of the sensors, sites hidden, that are put where they are.

    A sensor at each of the sites that the body has (13 at most), for 5 s with the right clock: each for itself, and
    all together, one to each site. `…_argmax_but_for_side`: the same site on the other side counts as right.
    `sim_sites_upper_…`, `sim_sites_legs_…`: those of one half of the body, which alone is in the image.
    """
    drawn = cases.of(PLACES, POINT_CLIPS)
    tables = [sites_table(matcher, c.imus, c.poses, c.truth) for c in drawn]
    out: Measured = {}
    for how, name in SITES_HOW.items():
        out[f"sim_sites_{name}"] = Cases(np.array([shares_right(t, len(t), how)[0] for t in tables]))
    either = []
    for table, c in zip(tables, drawn, strict=True):
        worn = [imu.site or "" for imu in c.imus]
        chosen = [worn[k] for k in np.argmax(table, axis=1)]
        either.append(np.mean([b in (a, mirror_site(a)) for a, b in zip(worn, chosen, strict=True)]))
    out["sim_sites_argmax_but_for_side"] = Cases(np.array(either))
    halves: tuple[Part, ...] = ("upper", "legs")
    for view in halves:
        cut = []
        for c in drawn:
            imus = [imu for imu in c.imus if (imu.site in LEG_SITES) == (view == "legs")]
            cut.append(sites_table(matcher, imus, in_part(c.poses, view), c.truth))
        for how, ending in SITES_HOW.items():
            out[f"sim_sites_{view}_{ending}"] = Cases(np.array([shares_right(t, len(t), how)[0] for t in cut]))
    return out


def swapped(cases: SimCases, matcher: Matcher) -> Measured:
    """`sim_swapped_wrists` and `sim_swapped_shanks`: share of clips of which it is told that no side was swapped.

    Told by which of the two ways the scores of both sensors add up higher; 5 s, the right clock, chance is a half.
    """
    out: Measured = {}
    for name, left in PAIRS.items():
        right = []
        for c in cases.of(PLACES, POINT_CLIPS):
            both = [imu for imu in c.imus if imu.site in (left, mirror_site(left))]
            if len(both) == 2:
                right.append(_straight(matcher, [on_video_clock(imu, c.truth) for imu in both], c))
        out[f"sim_swapped_{name}"] = Cases(np.array(right, dtype=np.float64))
    return out


def _straight(matcher: Matcher, both: Sequence[Imu], c: SyncCase) -> float:
    """1 where two sensors fit their own sites better than each other's, half where they fit both alike."""
    felt = [matcher.felt(imu.replace(site=None, name="imu")) for imu in both]
    table = matcher.scores(felt, [matcher.seen(c.poses, imu.site or "") for imu in both], NOW_S)[..., 0]
    return 0.5 * (1.0 + float(np.sign(table[0, 0] + table[1, 1] - table[0, 1] - table[1, 0])))


def people(cases: SimCases, matcher: Matcher) -> Measured:
    """`sim_person_assigned_P` and `sim_person_each_P` of 2 to 8 people: share of sensors given to their wearers.

    Different bodies, a sensor on the same wrist of each, normal conditions, 5 s, the right clock; the groups of P are
    the first P people of the groups of 8. Chance is 1/P. `…_P_2s`: 2 s in hard conditions.
    """
    out: Measured = {}
    for ending, (row, duration_s) in PEOPLE.items():
        tables = [people_table(matcher, g) for g in cases.groups(row, duration_s, MOST_PEOPLE, GROUPS)]
        for count in range(2, MOST_PEOPLE + 1):
            for how, name in HOWS.items():
                out[f"sim_person_{name}_{count}{ending}"] = Cases(_first(tables, count, how))
    return out


def _first(tables: Sequence[FloatArray], count: int, how: How) -> FloatArray:
    return np.array([shares_right(t[:count, :count], count, how)[0] for t in tables])
