"""Synchronisation of tokens: a shift gives itself back, and what is not known is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.tasks.sync.token_correlation import lagged_cosine
from kinebind.tasks.sync.token_stream import TokenStream, stitched
from kinebind.tasks.sync.tokens import sync_tokens
from kinebind.tasks.sync.vote import sub_window_starts_s, vote

seeds = st.integers(0, 2**32 - 1)
RATE_HZ = 5.0


class Movement:
    """Tokens (N, T, D) of a movement at any moments: smooth random functions of time, as a perfect model's would be."""

    def __init__(self, seed=0, parts=2, width=12, smooth_s=0.25):
        rng = np.random.default_rng(seed)
        self.rate = rng.normal(size=(parts, 200)) / smooth_s
        self.phase = rng.uniform(0, 2 * np.pi, (parts, 200))
        self.mix = rng.normal(size=(parts, 200, width)) / np.sqrt(200)

    def __call__(self, time_s):
        waves = np.cos(time_s[None, :, None] * self.rate[:, None] + self.phase[:, None])
        return waves @ self.mix


def stream(movement, event_s, start_s=0.0, noise=0.3, seed=0):
    """A stream whose tokens (P, T) show the movement's moments event_s, with noise of its own."""
    tokens = np.stack([movement(at_s) for at_s in np.atleast_2d(event_s)])
    tokens = tokens + noise * np.random.default_rng(seed).normal(size=tokens.shape)
    return TokenStream(tokens, np.ones(tokens.shape[:3], dtype=bool), RATE_HZ, start_s)


def grid_s(length_s, phases=1):
    """Times (P, T) of tokens on a stream's own clock from 0."""
    return (np.arange(round(length_s * RATE_HZ)) + np.arange(phases)[:, None] / phases) / RATE_HZ


def pair(offset_s, length_s=20.0, phases=1, skew=0.0, seed=0, noise=0.3, pose_length_s=None, smooth_s=0.25):
    """IMU and pose streams with video = imu + offset + skew·(imu − length/2)."""
    movement = Movement(seed, smooth_s=smooth_s)
    video_s = grid_s(pose_length_s or length_s, phases)
    imu_s = (video_s - offset_s + skew * length_s / 2) / (1 + skew)
    return (
        stream(movement, grid_s(length_s), noise=noise, seed=seed + 1),
        stream(movement, imu_s, noise=noise, seed=seed + 2),
    )


@given(
    seeds, st.integers(1, 2), st.integers(1, 3), st.integers(2, 9), st.integers(2, 40), st.integers(-45, 8),
    st.integers(0, 40),
)  # fmt: skip
def test_correlation_is_that_of_loops(seed, windows, parts, length, other, first, more):
    rng = np.random.default_rng(seed)
    x_mask, y_mask = rng.random((windows, parts, length)) < 0.7, rng.random((parts, other)) < 0.7
    x = rng.normal(size=(windows, parts, length, 3)) * x_mask[..., None]
    y = rng.normal(size=(parts, other, 3)) * y_mask[..., None]
    cosine, pairs = lagged_cosine(x, x_mask, y, y_mask, first, first + more)
    assert cosine.shape == pairs.shape == (windows, parts, more + 1)
    for k, n, at in np.ndindex(cosine.shape):
        i = np.arange(length)
        j = i - (first + at)
        i, j = i[(j >= 0) & (j < other)], j[(j >= 0) & (j < other)]
        both = x_mask[k, n, i] & y_mask[n, j]
        a, b = x[k, n, i[both]].ravel(), y[n, j[both]].ravel()
        assert pairs[k, n, at] == both.sum()
        expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b) if both.any() else 0.0
        assert cosine[k, n, at] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=25)
@given(st.floats(-8, 8), st.sampled_from([1, 2, 5]), st.integers(0, 100))
def test_a_shift_gives_itself_back_between_the_tokens(offset_s, phases, seed):
    answer = sync_tokens(*pair(offset_s, phases=phases, seed=seed))
    assert answer.answered
    assert answer.clock.offset_s == pytest.approx(offset_s, abs=0.05)


def test_the_mean_error_is_far_below_a_token_and_unbiased():
    offsets_s = np.random.default_rng(0).uniform(-7, 7, 40)
    error_s = np.array([sync_tokens(*pair(o, seed=i)).clock.offset_s - o for i, o in enumerate(offsets_s)])
    assert np.abs(error_s).mean() < 0.02
    assert abs(error_s.mean()) < 0.01


def test_phases_find_peaks_that_tokens_alone_are_too_far_apart_for():
    offsets_s = np.random.default_rng(1).uniform(-3, 3, 12)
    one, four = (
        np.mean([
            abs(sync_tokens(*pair(o, phases=p, seed=i, smooth_s=0.1)).clock.offset_s - o)
            for i, o in enumerate(offsets_s)
        ])
        for p in (1, 4)
    )  # fmt: skip
    assert four < 0.004
    assert four < one / 2


def test_half_the_votes_error_on_the_same_embeddings():
    """Ours and the paper's on the same tokens; a sub-window is the mean of its tokens, as the model pools."""
    offsets_s = np.random.default_rng(2).uniform(-7, 7, 20)
    ours, votes = [], []
    starts = np.round(sub_window_starts_s(20.0) * RATE_HZ).astype(int)
    for i, offset_s in enumerate(offsets_s):
        imu, pose = pair(offset_s, phases=2, seed=i, smooth_s=0.5)
        ours.append(sync_tokens(imu, pose, (-7, 7)).clock.offset_s)
        windows = (np.stack([s.tokens[0, :, a : a + 25].mean(axis=1).ravel() for a in starts]) for s in (imu, pose))
        votes.append(vote(*windows).offset_s)
    ours_mae_s, vote_mae_s = (np.abs(np.array(found) - offsets_s).mean() for found in (ours, votes))
    assert vote_mae_s > 0.04
    assert ours_mae_s < min(0.02, vote_mae_s / 2)


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize(("imu_s", "pose_s"), [(180.0, 180.0), (180.0, 120.0), (120.0, 180.0), (180.0, 25.0)])
def test_offset_and_skew_whichever_stream_is_longer(imu_s, pose_s, phases):
    imu, pose = pair(4.3, imu_s, phases, skew=4e-4, pose_length_s=pose_s, seed=3)
    answer = sync_tokens(imu, pose)
    assert answer.answered
    piece = answer.main
    at_s = np.linspace(piece.start_s, piece.end_s, 5)
    assert answer.to_video(at_s) == pytest.approx(at_s + 4.3 + 4e-4 * (at_s - imu_s / 2), abs=0.03)
    if pose_s > 100:
        assert answer.clock.skew_ppm == pytest.approx(400, abs=150)
    # The overlap, on the IMU's clock.
    assert piece.start_s == pytest.approx(0.0, abs=0.1)
    assert piece.end_s == pytest.approx(min(imu_s, pose_s - 4.3), abs=0.3)
    assert piece.clock.ref_time_s == pytest.approx((piece.start_s + piece.end_s) / 2)


def test_clocks_that_begin_anywhere():
    imu, pose = pair(1.1, seed=4)
    moved_imu = TokenStream(imu.tokens, imu.mask, RATE_HZ, start_s=1.6e9)
    moved_pose = TokenStream(pose.tokens, pose.mask, RATE_HZ, start_s=-50.0)
    plain, moved = sync_tokens(imu, pose), sync_tokens(moved_imu, moved_pose)
    assert moved.clock.offset_s == pytest.approx(plain.clock.offset_s - 50.0 - 1.6e9, abs=1e-4)
    assert moved.confidence == pytest.approx(plain.confidence)
    lag_s = moved.curve.lag_s[np.argmax(moved.curve.evidence_nats)]
    assert lag_s == pytest.approx(moved.clock.offset_s, abs=0.2)


def test_a_jump_of_the_recorder_makes_two_pieces():
    movement = Movement(5)
    video_s = grid_s(240.0)
    imu_s = np.where(video_s < 152.0, video_s - 2.0, video_s - 2.7)  # at IMU time 150, video jumps ahead by 0.7
    answer = sync_tokens(stream(movement, grid_s(240.0), seed=1), stream(movement, imu_s, seed=2))
    assert [p.clock.offset_s for p in answer.pieces] == pytest.approx([2.0, 2.7], abs=0.03)
    assert answer.pieces[0].end_s == answer.pieces[1].start_s == pytest.approx(150.0, abs=0.5)


@settings(max_examples=10)
@given(seeds)
def test_what_the_space_of_embeddings_looks_like_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    imu, pose = pair(-2.37, phases=2, seed=6)
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    order = rng.permutation(2)

    def changed(own):
        tokens = (own.tokens @ turn * 3.0 + rng.normal(size=12))[:, order]
        return TokenStream(tokens, own.mask, RATE_HZ)

    plain, other = sync_tokens(imu, pose), sync_tokens(changed(imu), changed(pose))
    assert other.clock.offset_s == pytest.approx(plain.clock.offset_s, abs=1e-3)
    assert other.features["margin_nats"] == pytest.approx(plain.features["margin_nats"], rel=1e-3)


def test_masked_tokens_have_no_say():
    imu, pose = pair(1.83, seed=7)
    rng = np.random.default_rng(0)
    masks = [rng.random(s.mask.shape) < 0.7 for s in (imu, pose)]
    masks[0][0, 1, :60] = False  # one sensor is off for most of the time
    filled = []
    for fill in (np.nan, 1e3):
        streams = [
            TokenStream(np.where(m[..., None], s.tokens, fill), m, RATE_HZ)
            for s, m in zip((imu, pose), masks, strict=True)
        ]
        filled.append(sync_tokens(*streams))
    assert filled[0].clock == filled[1].clock
    assert filled[0].answered
    assert filled[0].clock.offset_s == pytest.approx(1.83, abs=0.05)


def test_strangers_are_refused():
    for seed in range(10):
        length_s = 20.0 if seed % 2 else 90.0
        imu = stream(Movement(seed), grid_s(length_s), seed=1)
        pose = stream(Movement(seed + 100), grid_s(length_s), seed=2)
        answer = sync_tokens(imu, pose)
        assert not answer.answered
        assert answer.reason.code == "no_match"
        assert answer.confidence < 0.3
        assert answer.pieces  # the best guess stays at hand


def test_periodic_motion_is_refused_as_such():
    # 1.4 s strides from end to end of the clip, and nothing else.
    def walk(at_s):
        return np.stack([np.cos(2 * np.pi * k * at_s / 1.4 + 0.3 * k) for k in range(1, 4)], axis=-1)[None]

    imu, pose = stream(walk, grid_s(20.0), seed=1), stream(walk, grid_s(20.0) - 0.5, seed=2)
    answer = sync_tokens(imu, pose)
    assert answer.reason.code == "periodic"
    strides = float(re.search(r"offset ([\d.]+) s away", answer.reason.what)[1]) / 1.4
    assert strides == pytest.approx(round(strides), abs=0.15)
    assert round(strides) >= 1
    # Told within which stride it is, the best guess is right; that it is the right stride stays unproved.
    near = sync_tokens(imu, pose, search_s=(0.0, 1.0))
    assert near.clock.offset_s == pytest.approx(0.5, abs=0.03)


def test_stillness_and_missing_overlap_are_refused_as_such():
    imu, pose = pair(0.0)
    flat = TokenStream(np.ones_like(imu.tokens) * 0.7, imu.mask, RATE_HZ)
    unseen = TokenStream(pose.tokens, np.zeros_like(pose.mask), RATE_HZ)
    assert sync_tokens(flat, pose).reason.code == "no_motion_imu"
    assert sync_tokens(imu, flat).reason.code == "no_motion_pose"
    assert sync_tokens(imu, unseen).reason.code == "no_motion_pose"
    nowhere = sync_tokens(imu, pose, search_s=(30.0, 40.0))
    assert nowhere.reason.code == "too_little_overlap"
    assert nowhere.clock is None
    # Parts of which only one stream has any tokens share nothing.
    left, right = imu.mask.copy(), pose.mask.copy()
    left[:, 0], right[:, 1] = False, False
    apart = sync_tokens(TokenStream(imu.tokens, left, RATE_HZ), TokenStream(pose.tokens, right, RATE_HZ))
    assert apart.reason.code == "too_little_overlap"


def test_the_answer_stays_inside_the_search():
    imu, pose = pair(3.0, seed=8)
    inside, outside = sync_tokens(imu, pose, (2.0, 4.0)), sync_tokens(imu, pose, (-4.0, 2.0))
    assert inside.clock.offset_s == pytest.approx(3.0, abs=0.03)
    assert outside.clock.offset_s < 2.3
    assert not outside.answered


def test_places_in_windows_are_taken_out():
    """Windows cut alike in both streams agree on where a token stands in them, at every lag of whole windows."""
    movement, place = Movement(9), 2.0 * np.random.default_rng(0).normal(size=(2, 25, 12))
    offset_s = 1.7

    def windows(shift_s, seed):
        starts_s = np.arange(12) * 5.0
        tokens = np.stack([movement(s + grid_s(5.0)[0] - shift_s) for s in starts_s]) + place
        return tokens + 0.3 * np.random.default_rng(seed).normal(size=tokens.shape)

    def answer(mean):
        streams = []
        for shift_s, seed in ((0.0, 1), (offset_s, 2)):
            own = windows(shift_s, seed)
            tokens, mask = stitched(own, np.ones(own.shape[:3], dtype=bool), 25, mean)
            streams.append(TokenStream(tokens[None], mask[None], RATE_HZ))
        return sync_tokens(*streams)

    assert answer(np.zeros_like(place)).clock.offset_s == pytest.approx(0.0, abs=0.1)  # the windows' own lag
    assert answer(None).clock.offset_s == pytest.approx(offset_s, abs=0.03)
    assert answer(place).clock.offset_s == pytest.approx(offset_s, abs=0.03)


@given(seeds, st.integers(1, 6))
def test_overlapping_windows_of_one_function_are_stitched_to_it(seed, hop):
    rng = np.random.default_rng(seed)
    long = rng.normal(size=(2, 3 * hop + 6, 4))
    windows = np.stack([long[:, w * hop : w * hop + 6] for w in range(4)])
    mask = rng.random((4, 2, 6)) < 0.8
    tokens, there = stitched(np.where(mask[..., None], windows, np.nan), mask, hop, np.zeros((2, 6, 4)))
    assert tokens[there] == pytest.approx(long[there])
    assert (tokens[~there] == 0).all()
    assert there.sum() >= mask[0].sum()


def streams_with(**changed):
    values = {"tokens": np.ones((1, 2, 9, 4)), "mask": np.ones((1, 2, 9), bool), "rate_hz": 5.0, "start_s": 0.0}
    return TokenStream(**(values | changed))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: streams_with(mask=np.ones((1, 2, 8), bool)), "do not fit"),
        (lambda: streams_with(rate_hz=0.0), "token rate of 0.0"),
        (lambda: streams_with(start_s=np.nan), "from nan s on"),
        (lambda: streams_with(tokens=np.full((1, 2, 9, 4), np.nan)), "not finite"),
        (lambda: sync_tokens(streams_with(), streams_with(rate_hz=10.0)), "5 Hz .* 10 Hz"),
        (
            lambda: sync_tokens(streams_with(), streams_with(tokens=np.ones((1, 2, 9, 3)))),
            "2 parts of 4 dimensions, the pose 2 of 3",
        ),
        (
            lambda: sync_tokens(*[streams_with(tokens=np.ones((2, 2, 9, 4)), mask=np.ones((2, 2, 9), bool))] * 2),
            "several phases",
        ),
        (lambda: stitched(np.ones((3, 2, 5, 4)), np.ones((3, 2, 4), bool), 5), "do not fit"),
        (lambda: stitched(np.ones((3, 2, 5, 4)), np.ones((3, 2, 5), bool), 6), "begin 6 apart"),
        (lambda: stitched(np.ones((3, 2, 5, 4)), np.ones((3, 2, 5), bool), 5, np.ones((2, 4, 4))), "places"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(InputError, match=says) as error:
        call()
    assert error.value.fix
