"""Whether people stay who they are: simulated people who cross before one camera, a detector's errors, and IDF1.

Needs no data set. People walk between places in a room and give way to each other; the nearer hide the farther. What
is seen of them goes through `kinebind.video.people.people_of`, as a video's does, and who is found is compared with
who was there: IDF1 of Ristani et al., "Performance measures and a data set for multi-target, multi-camera tracking",
2016, with a match where the keypoints' similarity is at least 0.5.

`idf1_N` is that of N people, `id_switches_N` how often a minute each of them becomes somebody else, both with their
95 % intervals over clips (`_lo`, `_hi`); `idf1_N_alike` is that of people in the same clothes. Four clips of 30 s at
30 frames/s for each, by themselves:

    python -c "from kinebind.bench.video_tracking import run; print(run(clips=4))"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from kinebind.bench.measured import Cases, Measured, figures
from kinebind.bench.processes import parallel_if_many
from kinebind.body.camera import Camera, look_at, project
from kinebind.body.detector import DetectorErrors, detect
from kinebind.clock import FloatArray
from kinebind.parts import COCO17, COCO17_EDGES
from kinebind.poses import Poses
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import Step
from kinebind.video.found import FrameFound
from kinebind.video.oks import similarity
from kinebind.video.people import people_of, poses_of

BoolArray = npt.NDArray[np.bool_]

PEOPLE = (2, 3, 4, 5, 6, 7, 8)
CLIPS = 12
DURATION_S = 30.0
MATCH = 0.5
"""Least similarity of keypoints at which somebody found is somebody there."""
VISIBLE = 5
"""Somebody with fewer joints in view and unhidden is not there to be found, and no detector gives her."""

_STEP_S = 0.02  # of the walk
_DEPTH_M = (3.5, 9.0)  # of the places that people walk to, before the camera
_ASIDE = 0.5  # how far from the camera's axis they are, over their depth: the image ends at 0.64
_GIVE_WAY_M = 0.45
_BINS = 20
_BONE_M, _TRUNK_M, _HEAD_M = 0.06, 0.17, 0.12  # radii of what hides others
_JOINT = {name: k for k, name in enumerate(COCO17)}
_CORNERS = [_JOINT[n] for n in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
_FACE = slice(0, 5)


@dataclass(frozen=True)
class Noise:
    """What a detector does wrong.

    white_percent, correlated_percent: σ per image axis of noise, of the body's size, as `DetectorErrors` has it.
    lost_joints: share of keypoints not found. missed: share of people not found in a frame. false_per_frame: people
    found where nobody is, for one frame. swapped: share of people whose left and right are exchanged. alike: 0 where
    everybody wears clothes of other colours, 1 where all wear the same.
    """

    white_percent: float = 3.0
    correlated_percent: float = 2.0
    lost_joints: float = 0.10
    missed: float = 0.02
    false_per_frame: float = 0.005
    swapped: float = 0.01
    alike: float = 0.3


REALISTIC = Noise()


@dataclass(frozen=True, eq=False)
class Clip:
    """People before a camera. time_s (F,). points_px (F, P, 17, 2): where their keypoints are, hidden or not; NaN
    behind the camera. visible (F, P, 17): inside the image and unhidden. metre_px (F, P): pixels to a metre.
    """

    time_s: FloatArray
    points_px: FloatArray
    visible: BoolArray
    metre_px: FloatArray
    image_size_px: tuple[int, int]

    @property
    def there(self) -> BoolArray:
        """(F, P) whether a person can be found."""
        return np.asarray(self.visible.sum(axis=-1) >= VISIBLE)


@dataclass(frozen=True)
class Score:
    """IDF1, 0..1, and how often a minute in view a person is taken for another than before."""

    idf1: float
    switches_per_minute: float


def run(
    *, clips: int = CLIPS, people: Sequence[int] = PEOPLE, noise: Noise = REALISTIC, duration_s: float = DURATION_S
) -> dict[str, float]:
    """The figures: `clips` of each number of people, and of the largest also in the same clothes."""
    cases = [(count, noise) for count in people] + [(max(people), replace(noise, alike=1.0))]
    items = [(count, errors, seed, duration_s) for count, errors in cases for seed in range(clips)]
    scores = parallel_if_many(_scored, items)
    measured: Measured = {}
    for k, (count, errors) in enumerate(cases):
        own = scores[k * clips : (k + 1) * clips]
        name = f"{count}_alike" if errors is not noise else f"{count}"
        measured[f"idf1_{name}"] = Cases(np.array([s.idf1 for s in own]))
        measured[f"id_switches_{name}"] = Cases(np.array([s.switches_per_minute for s in own]), less_is_better=True)
    return figures(measured)


def idf1(
    people: int, noise: Noise = REALISTIC, seed: int = 0, *, rate_hz: float = 30.0, duration_s: float = DURATION_S
) -> float:
    """IDF1 of one clip of so many people, 0..1."""
    return score(people, noise, seed, rate_hz=rate_hz, duration_s=duration_s).idf1


def score(
    people: int, noise: Noise = REALISTIC, seed: int = 0, *, rate_hz: float = 30.0, duration_s: float = DURATION_S
) -> Score:
    """How well the people of one clip are kept apart. The same seed and people walk the same at any noise."""
    filmed = clip(people, np.random.default_rng([seed, people, 0]), rate_hz=rate_hz, duration_s=duration_s)
    frames = seen_in(filmed, noise, np.random.default_rng([seed, people, 1]))
    persons, _ = people_of(frames)
    return compared(filmed, poses_of(persons, frames, filmed.image_size_px))


def _scored(item: tuple[int, Noise, int, float]) -> Score:
    people, noise, seed, duration_s = item
    return score(people, noise, seed, duration_s=duration_s)


# -- the measure -------------------------------------------------------------------------------------------------


def compared(truth: Clip, found: Sequence[Poses]) -> Score:
    """Tracks against those who were there. Frames in which a person is too hidden to be found do not count for her."""
    count = truth.there.shape[1]
    alike = np.zeros((truth.time_s.size, count, len(found)))
    here = np.zeros((truth.time_s.size, len(found)), dtype=bool)
    for g, track in enumerate(found):
        rows = np.searchsorted(truth.time_s, track.time_s - 1e-9)
        here[rows, g] = True
        for f, points in zip(rows, track.keypoints_px, strict=True):
            alike[f, :, g] = similarity(truth.points_px[f], points[None])[:, 0]
    alike[~truth.there] = 0.0
    matched = alike >= MATCH
    matches = matched.sum(axis=0)
    # A track over somebody too hidden to be found is neither right nor wrong.
    ignored = here & ~matched.any(axis=1) & _over_hidden(truth, found)
    return Score(
        idf1_of(matches, truth.there.sum(axis=0), (here & ~ignored).sum(axis=0)),
        float(switches(alike, truth.there) / max(truth.there.sum() * np.median(np.diff(truth.time_s)) / 60.0, 1e-9)),
    )


def idf1_of(matches: npt.NDArray[np.int64], there: npt.NDArray[np.int64], found: npt.NDArray[np.int64]) -> float:
    """IDF1 of frames (P, G) in which person p and track g match, of p's frames (P,) and g's (G,).

    One track is given to one person, all of them together so that most frames match: these are the true positives
    IDTP, and IDF1 = 2·IDTP / (2·IDTP + IDFP + IDFN) = 2·IDTP / (all frames of people + all frames of tracks).
    NaN where there is neither.

    >>> idf1_of(np.array([[60, 40], [0, 0]]), np.array([100, 100]), np.array([60, 40]))
    0.4
    """
    rows, columns = linear_sum_assignment(matches, maximize=True)
    total = int(there.sum() + found.sum())
    return float(2.0 * matches[rows, columns].sum() / total) if total else float("nan")


def _over_hidden(truth: Clip, found: Sequence[Poses]) -> BoolArray:
    """(F, G) whether a track lies on somebody who is too hidden to be found."""
    out = np.zeros((truth.time_s.size, len(found)), dtype=bool)
    for g, track in enumerate(found):
        for f, points in zip(np.searchsorted(truth.time_s, track.time_s - 1e-9), track.keypoints_px, strict=True):
            hidden = truth.points_px[f][~truth.there[f]]
            out[f, g] = bool(hidden.size) and bool((similarity(hidden, points[None]) >= MATCH).any())
    return out


def switches(alike: FloatArray, there: BoolArray, match: float = MATCH) -> int:
    """How often people (F, P) change to another track than they last had, of similarities (F, P, G)."""
    last = np.full(there.shape[1], -1)
    count = 0
    for row, present in zip(alike, there, strict=True):
        people, tracks = linear_sum_assignment(row, maximize=True)
        for p, g in zip(people, tracks, strict=True):
            if present[p] and row[p, g] >= match:
                count += bool(last[p] not in (-1, g))
                last[p] = g
    return count


# -- what a detector sees ----------------------------------------------------------------------------------------


def seen_in(truth: Clip, noise: Noise, rng: np.random.Generator) -> list[FrameFound]:
    """A clip's frames through a detector with errors; colours of the torso where its corners are seen."""
    errors = DetectorErrors(
        white_percent=noise.white_percent, correlated_percent=noise.correlated_percent, swapped=noise.swapped
    )
    common = rng.dirichlet(np.full(_BINS, 0.5))
    seen: list[list[Seen]] = [[] for _ in truth.time_s]
    for p in range(truth.there.shape[1]):
        worn = (1.0 - noise.alike) * rng.dirichlet(np.full(_BINS, 0.3)) + noise.alike * common
        points, scores = _with_errors(truth, p, errors, rng)
        lost = ~truth.visible[:, p] | (rng.uniform(size=scores.shape) < noise.lost_joints)
        whole = np.where(lost[..., None], np.nan, np.dstack([points, scores]))
        found = truth.there[:, p] & (rng.uniform(size=lost.shape[0]) >= noise.missed) & (~lost).any(axis=1)
        for f in np.flatnonzero(found):
            # As if told from some hundred pixels, in light that changes.
            colours = rng.dirichlet(60.0 * worn + 0.02) if np.isfinite(whole[f, _CORNERS, 0]).all() else None
            seen[f].append(Seen(whole[f], None, colours))
    for f in np.flatnonzero(rng.uniform(size=truth.time_s.size) < noise.false_per_frame):
        seen[f].append(_nobody(truth, rng))
    still = Step(0, np.eye(2, 3))
    frames = []
    for time_s, people in zip(truth.time_s, seen, strict=True):
        shuffled = tuple(people[k] for k in rng.permutation(len(people)))
        frames.append(FrameFound(float(time_s), shuffled, (False,) * len(shuffled), still))
    return frames


def _with_errors(
    truth: Clip, p: int, errors: DetectorErrors, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Keypoints (F, 17, 2) px and scores (F, 17) of a person, with errors in proportion to her size then."""
    scale = truth.metre_px[:, p, None, None] / 1000.0  # millimetres, so that no coordinate looks normalised
    middle = truth.points_px[:, p, 11:13].mean(axis=1, keepdims=True)
    plain = Poses(truth.time_s, (truth.points_px[:, p] - middle) / scale, np.ones(truth.visible[:, p].shape))
    wrong = detect(plain, errors, rng)
    return wrong.keypoints_px * scale + middle, wrong.scores


def _nobody(truth: Clip, rng: np.random.Generator) -> Seen:
    """Somebody who is not there: a body's outline of any size, at any place, with low scores."""
    p = int(rng.integers(truth.points_px.shape[1]))
    shape = truth.points_px[int(rng.integers(truth.time_s.size)), p]
    shape = (shape - shape.mean(axis=0)) * rng.uniform(0.5, 1.5) + rng.uniform(0.0, 1.0, 2) * truth.image_size_px
    shape += rng.normal(0.0, 0.1 * np.ptp(shape[:, 1]), shape.shape)
    return Seen(np.column_stack([shape, rng.uniform(0.2, 0.6, 17)]), None, rng.dirichlet(np.full(_BINS, 0.5)))


# -- who is there ------------------------------------------------------------------------------------------------


def clip(people: int, rng: np.random.Generator, *, rate_hz: float = 30.0, duration_s: float = DURATION_S) -> Clip:
    """People who cross before a camera at the height of a tripod, 1920 × 1080 pixels."""
    time_s, place, velocity = _walks(people, rng, duration_s)
    points = np.stack([_body(time_s, place[:, p], velocity[:, p], rng) for p in range(people)], axis=1)
    frame_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    points = points[np.minimum(np.rint(frame_s / _STEP_S).astype(int), time_s.size - 1)]  # (F, P, 17, 3)
    camera = look_at(np.array([0.0, 0.0, 1.5]), np.array([0.0, 6.0, 1.0]), field_of_view_deg=65.0)
    pixels = project(points, camera)
    depth = points[..., 1].mean(axis=-1)  # the camera looks along y
    metre_px = camera.focal_px / np.maximum(depth, 0.5)
    size = np.array(camera.image_size_px)
    inside = ((pixels >= 0) & (pixels <= size)).all(axis=-1)
    visible = inside & ~_hidden(pixels, depth, metre_px) & ~_from_behind(points, camera)
    return Clip(frame_s, pixels, visible, metre_px, camera.image_size_px)


def _walks(people: int, rng: np.random.Generator, duration_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Times (T,), places (T, P, 2) and velocities on the floor, metres: x to the camera's right, y away from it.

    People go from place to place, mostly to the other side, stop for a while, and keep out of each other's way.
    """

    def somewhere(side: float) -> FloatArray:
        depth = rng.uniform(*_DEPTH_M)
        return np.array([side * rng.uniform(0.1, 1.0) * _ASIDE * depth, depth])

    time_s: FloatArray = np.arange(int((duration_s + 1.0) / _STEP_S), dtype=np.float64) * _STEP_S
    now = np.array([somewhere(rng.choice([-1.0, 1.0])) for _ in range(people)])
    aim, velocity = now.copy(), np.zeros((people, 2))
    speed, wait_s = rng.uniform(0.8, 1.6, people), rng.uniform(0.0, 0.5, people)
    place, moving = np.zeros((time_s.size, people, 2)), np.zeros((time_s.size, people, 2))
    for k in range(time_s.size):
        away = aim - now
        far = np.linalg.norm(away, axis=1)
        for p in np.flatnonzero(far < 0.4):
            wait_s[p] -= _STEP_S
            if wait_s[p] <= 0.0:
                aim[p] = somewhere(-np.sign(now[p, 0]) if rng.random() < 0.8 else np.sign(now[p, 0]))
                wait_s[p] = rng.uniform(0.0, 2.0) if rng.random() < 0.4 else 0.0
        wanted = away / np.maximum(far, 0.4)[:, None] * speed[:, None] * (far >= 0.4)[:, None]
        apart = now[:, None] - now[None]
        distance = np.linalg.norm(apart, axis=-1) + 10.0 * np.eye(people)
        # Social force: to one's goal within half a second, and off from whoever is close.
        push = (apart / distance[..., None] * (6.0 * np.exp((_GIVE_WAY_M - distance) / 0.15))[..., None]).sum(axis=1)
        velocity += _STEP_S * ((wanted - velocity) / 0.5 + np.clip(push, -12.0, 12.0))
        now = now + _STEP_S * velocity
        place[k], moving[k] = now, velocity
    return time_s, place, moving


def _body(time_s: FloatArray, place: FloatArray, velocity: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Keypoints (T, 17, 3), metres, of somebody of any stature who walks along places (T, 2); z up."""
    speed = np.linalg.norm(velocity, axis=1)
    heading = rng.uniform(-np.pi, np.pi) + np.zeros(time_s.size)  # of the body's front, from y to x
    for k in range(1, time_s.size):
        wanted = np.arctan2(velocity[k, 0], velocity[k, 1])
        turn = np.angle(np.exp(1j * (wanted - heading[k - 1])))
        heading[k] = heading[k - 1] + turn * min(1.0, speed[k] / 0.5) * _STEP_S / 0.3
    phase = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * np.cumsum(0.35 + 0.45 * speed) * _STEP_S
    stride = np.minimum(speed / 1.3, 1.2)
    stature = rng.uniform(0.9, 1.1)
    along, across, up = (np.zeros((time_s.size, 17)) for _ in range(3))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        j = {part: _JOINT[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
        leg = 0.42 * stride * np.sin(phase + (0.0 if side == "left" else np.pi))
        shank = leg - 0.7 * stride * np.maximum(np.cos(phase + (0.0 if side == "left" else np.pi)), 0.0)
        arm, forearm = -0.8 * leg, -0.8 * leg + 0.35
        for part, wide in (("shoulder", 0.18), ("elbow", 0.22), ("wrist", 0.2), ("hip", 0.1), ("knee", 0.1),
                           ("ankle", 0.1)):  # fmt: skip
            across[:, j[part]] = sign * wide
        up[:, j["hip"]], up[:, j["shoulder"]] = 0.92, 1.42
        for upper, lower, end, angles, lengths in (
            ("hip", "knee", "ankle", (leg, shank), (0.43, 0.41)),
            ("shoulder", "elbow", "wrist", (arm, forearm), (0.28, 0.25)),
        ):
            for above, below, angle, long in zip((upper, lower), (lower, end), angles, lengths, strict=True):
                along[:, j[below]] = along[:, j[above]] + long * np.sin(angle)
                up[:, j[below]] = up[:, j[above]] - long * np.cos(angle)
    for name, ahead, wide, high in (("nose", 0.11, 0.0, 1.6), ("eye", 0.08, 0.03, 1.64), ("ear", 0.0, 0.07, 1.62)):
        for side, sign in (("left", -1.0), ("right", 1.0)):
            k = _JOINT.get(f"{side}_{name}", _JOINT.get(name, 0))
            along[:, k], across[:, k], up[:, k] = ahead, sign * wide, high
    front = np.stack([np.sin(heading), np.cos(heading)], axis=1)[:, None]
    right = np.stack([np.cos(heading), -np.sin(heading)], axis=1)[:, None]
    floor = place[:, None] + stature * (along[..., None] * front + across[..., None] * right)
    return np.concatenate([floor, stature * up[..., None]], axis=-1)


def _from_behind(points: FloatArray, camera: Camera) -> BoolArray:
    """(F, P, 17) keypoints of the face that look away from the camera."""
    out = np.zeros(points.shape[:3], dtype=bool)
    front = points[:, :, 0] - points[:, :, 3:5].mean(axis=2)
    away = points[:, :, 0] - camera.position_world
    out[:, :, _FACE] = ((front[..., :2] * away[..., :2]).sum(axis=-1) > 0.05 * np.linalg.norm(away, axis=-1))[..., None]
    return out


def _hidden(pixels: FloatArray, depth: FloatArray, metre_px: FloatArray) -> BoolArray:
    """(F, P, 17) keypoints behind somebody nearer, whose limbs, trunk and head are as thick as a body's."""
    shoulders, hips = pixels[:, :, 5:7].mean(axis=2), pixels[:, :, 11:13].mean(axis=2)
    head = pixels[:, :, 3:5].mean(axis=2)
    limbs = [(pixels[:, :, a], pixels[:, :, b], _BONE_M) for a, b in COCO17_EDGES]
    limbs += [(shoulders, hips, _TRUNK_M), (head, head, _HEAD_M)]
    out = np.zeros(pixels.shape[:3], dtype=bool)
    for near, far in permutations(range(depth.shape[1]), 2):
        close = np.abs(hips[:, near, 0] - hips[:, far, 0]) < 1.5 * metre_px[:, near]
        rows = np.flatnonzero(close & (depth[:, near] < depth[:, far] - 0.1))
        joints = pixels[rows, far]
        for start, end, radius_m in limbs:
            a, along = start[rows, near][:, None], (end - start)[rows, near][:, None]
            share = ((joints - a) * along).sum(axis=-1) / np.maximum((along**2).sum(axis=-1), 1e-9)
            nearest = a + np.clip(share, 0.0, 1.0)[..., None] * along
            reach = radius_m * metre_px[rows, near][:, None]
            out[rows, far] |= np.linalg.norm(joints - nearest, axis=-1) < reach
    return out
