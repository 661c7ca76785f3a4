"""The universal model as a matcher: its scores against the plainest way to compute them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import made_up_body
from kinebind.bench.assignment import sites_table
from kinebind.bench.in_part import LEG_SITES, in_part
from kinebind.bench.scenes import filmed, worn
from kinebind.body.made_up import made_up_motion
from kinebind.body.segments import posture
from kinebind.clock import ClockMap
from kinebind.nn.universal import PER_TOKEN, RATE_HZ, UNKNOWN_SITE, Universal, UniversalConfig
from kinebind.parts import SITES
from kinebind.tasks.binder import shipped_once
from kinebind.tasks.matching import lags_between
from kinebind.tasks.streams import felt_stream, seen_stream
from kinebind.tasks.universal_matcher import UniversalMatcher


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)).eval()


@pytest.fixture(scope="module")
def streams():
    poses, imus = made_up_body.take(3, 6.0, ClockMap(0.3))
    return poses, imus[0]


def plainly(model, imu, poses, site, step):
    """The cosine of both token sequences where sample i of the sensor's grid meets sample i + step of the video's."""
    felt, seen = felt_stream(imu), seen_stream(poses)
    told = torch.tensor([UNKNOWN_SITE if imu.site is None else SITES.index(imu.site)])
    with torch.inference_mode():
        x = model.embed_felt(felt.channels(), told)[0]
        apart = felt.first + step - seen.first
        phase = apart % PER_TOKEN
        limb = seen.channels(site)
        count = limb.shape[-1] // PER_TOKEN * PER_TOKEN
        # The last token may reach beyond the end, where what is last stands on.
        limb = torch.cat([limb, limb[..., -1:].expand(-1, -1, PER_TOKEN - 1)], dim=-1)
        y = model.embed_seen(limb[..., phase : phase + count], torch.tensor([SITES.index(site)]))[0][0]
    valid_y = torch.as_tensor(seen.shows(site))[phase:]
    by = (apart - phase) // PER_TOKEN
    both, whole = [], 0
    for k in range(len(x)):
        there = felt.valid[k * PER_TOKEN : (k + 1) * PER_TOKEN].mean() > 0.5
        whole += int(there)
        j = k + by
        if there and 0 <= j < len(y) and valid_y[j * PER_TOKEN : (j + 1) * PER_TOKEN].sum() > PER_TOKEN / 2:
            both.append((x[k], y[j]))
    a, b = (torch.stack([pair[i] for pair in both]).flatten().double() for i in (0, 1))
    return float(a @ b / (a.norm() * b.norm())) * (len(both) / whole) ** 0.5


@pytest.mark.parametrize("known", [True, False])
def test_scores_are_cosines_of_aligned_sequences(model, streams, known):
    poses, imu = streams
    imu = imu if known else imu.replace(site=None, name="imu")
    matcher = UniversalMatcher(model, told=0.0)
    steps = [-61, -20, -3, 0, 4, 15, 37]
    own = matcher.scores([matcher.felt(imu)], [matcher.seen(poses, "left_wrist")], np.array(steps) / RATE_HZ)
    for k, step in enumerate(steps):
        assert own[0, 0, k] == pytest.approx(plainly(model, imu, poses, "left_wrist", step), abs=1e-4), step


def test_a_table_is_that_of_its_pairs(model, streams):
    poses, imu = streams
    later = imu.replace(time_s=imu.time_s + 0.34)
    matcher = UniversalMatcher(model)
    felt = [matcher.felt(i) for i in (imu, later)]
    seen = [matcher.seen(poses, site) for site in ("left_wrist", "head", "right_shank")]
    lags_s = np.array([-0.1, 0.0, 0.36])
    table = matcher.scores(felt, seen, lags_s)
    assert table.shape == (2, 3, 3)
    for i, f in enumerate(felt):
        for j, s in enumerate(seen):
            np.testing.assert_allclose(table[i, j], matcher.scores([f], [s], lags_s)[0, 0], atol=1e-5)
    # A clock that runs 0.34 s ahead fits 0.34 s earlier.
    shifted = matcher.scores(felt, seen, lags_s - 0.34)
    np.testing.assert_allclose(shifted[1], table[0], atol=1e-4)


def test_with_slack_a_lag_is_as_good_as_its_best_neighbour(model, streams):
    poses, imu = streams
    exact, slack = UniversalMatcher(model, told=0.0), UniversalMatcher(model, told=0.0, slack_s=0.04)
    lags_s = lags_between((-0.5, 0.5))
    own = exact.scores([exact.felt(imu)], [exact.seen(poses, "left_wrist")], lags_s)[0, 0]
    near = slack.scores([slack.felt(imu)], [slack.seen(poses, "left_wrist")], lags_s[2:-2][::3])[0, 0]
    wanted = [own[k - 2 : k + 3].max() for k in range(2, own.size - 2)][::3]
    np.testing.assert_allclose(near, wanted, atol=1e-6)


def test_streams_that_never_meet_score_zero(model, streams):
    poses, imu = streams
    matcher = UniversalMatcher(model)
    far = matcher.scores([matcher.felt(imu)], [matcher.seen(poses, "left_wrist")], np.array([-100.0, 100.0]))
    assert not far.any()
    nobody = poses.replace(keypoints_px=np.full_like(poses.keypoints_px, np.nan))
    unseen = matcher.scores([matcher.felt(imu)], [matcher.seen(nobody, "left_wrist")], np.array([0.0]))
    assert not unseen.any()


def test_what_pose2imu_says_counts_by_its_weight(model, streams):
    poses, imu = streams
    lags_s = np.array([-0.2, 0.0, 0.3])
    tables = []
    for told in (0.0, 0.5, 1.0):
        matcher = UniversalMatcher(model, told=told)
        tables.append(matcher.scores([matcher.felt(imu)], [matcher.seen(poses, "left_wrist")], lags_s))
    np.testing.assert_allclose(tables[2] - tables[0], 2.0 * (tables[1] - tables[0]), atol=1e-6)
    assert np.abs(tables[2] - tables[0]).max() > 0.0
    without = imu.replace(gyr_sensor=None, rot_world_from_sensor=None)
    matcher = UniversalMatcher(model, told=1.0)
    plain = UniversalMatcher(model, told=0.0)
    assert np.array_equal(
        matcher.scores([matcher.felt(without)], [matcher.seen(poses, "left_wrist")], lags_s),
        plain.scores([plain.felt(without)], [plain.seen(poses, "left_wrist")], lags_s),
    )  # fmt: skip


def test_legs_alone_in_view_are_told_apart_by_the_weights_that_are_shipped():
    """As where a treadmill is filmed from the hips down: nothing says where the shoulders are."""
    matcher = shipped_once().matcher()
    right = []
    for seed in range(8):
        rng = np.random.default_rng([5, seed])
        body = posture(made_up_motion(6.5, np.random.default_rng(seed), rate_hz=50.0))
        imus = worn(body, LEG_SITES, "clean", rng, clocks=[ClockMap(0.0)], start_s=0.0, duration_s=6.0)
        poses = filmed(body, "clean", rng, start_s=0.0, duration_s=6.0)
        table = sites_table(matcher, imus, in_part(poses, "legs"), ClockMap(0.0))
        right.append(np.argmax(table, axis=1) == np.arange(len(LEG_SITES)))
    assert np.mean(right) > 0.6  # one seventh by chance
