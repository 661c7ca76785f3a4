"""The universal model: reach of its tokens, and its scores against plain loops."""

from __future__ import annotations

import pytest
import torch

from kinebind.errors import InputError
from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.nn.universal import (
    FELT_TOLD,
    PER_TOKEN,
    REACH,
    UNKNOWN_SITE,
    Universal,
    UniversalConfig,
    lag_scores,
    pair_scores,
)

SMALL = UniversalConfig(width=16, stem=8, blocks=2, heads=2, token=8)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Universal(SMALL).eval()


def test_shapes(model):
    felt = model.embed_felt(torch.randn(3, FELT_CHANNELS, 103), torch.tensor([0, 4, UNKNOWN_SITE]))
    seen, told = model.embed_seen(torch.randn(2, SEEN_CHANNELS, 60), torch.tensor([1, 2]))
    assert felt.shape == (3, 20, 8)
    assert seen.shape == (2, 12, 8)
    assert told.shape == (2, FELT_TOLD, 60)


def test_a_token_sees_its_reach_and_no_further(model):
    x = torch.randn(1, FELT_CHANNELS, 800)
    site = torch.tensor([3])
    before = model.embed_felt(x, site)
    at = 80
    x[..., at * PER_TOKEN : (at + 1) * PER_TOKEN] += 3.0
    changed = (model.embed_felt(x, site) - before).abs().amax(dim=2)[0] > 1e-6
    reach = 2 * REACH + 3  # two blocks, and the stem's samples
    where = torch.nonzero(changed)[:, 0]
    assert changed[at]
    assert where.min() >= at - reach
    assert where.max() <= at + reach
    assert where.max() - where.min() > REACH


def test_the_site_changes_what_is_looked_for(model):
    x = torch.randn(1, SEEN_CHANNELS, 100)
    one, two = (model.embed_seen(x, torch.tensor([s]))[0] for s in (0, 5))
    assert (one - two).abs().max() > 1e-3


def test_pair_scores_are_cosines_of_what_both_have():
    torch.manual_seed(1)
    felt, seen = torch.randn(3, 7, 4), torch.randn(5, 7, 4)
    felt_there, seen_there = torch.rand(3, 7) > 0.3, torch.rand(5, 7) > 0.3
    got = pair_scores(felt, seen, felt_there, seen_there)
    for n in range(3):
        for m in range(5):
            both = felt_there[n] & seen_there[m]
            wanted = torch.cosine_similarity(felt[n, both].flatten(), seen[m, both].flatten(), dim=0)
            assert float(got[n, m]) == pytest.approx(float(wanted), abs=1e-5)


def test_lag_scores_are_cosines_of_the_overlap_times_its_root():
    torch.manual_seed(2)
    felt, seen = torch.randn(2, 12, 4), torch.randn(2, 12, 4)
    lags = range(-5, 6)
    got = lag_scores(felt, seen, lags)
    for k, lag in enumerate(lags):
        t = [i for i in range(12) if 0 <= i + lag < 12]
        for b in range(2):
            x, y = felt[b, t].flatten(), seen[b, [i + lag for i in t]].flatten()
            wanted = torch.cosine_similarity(x, y, dim=0) * (len(t) / 12) ** 0.5
            assert float(got[b, k]) == pytest.approx(float(wanted), abs=1e-5)


def test_a_shifted_copy_scores_highest_at_its_shift():
    torch.manual_seed(3)
    felt = torch.randn(1, 30, 8)
    seen = torch.roll(felt, 4, dims=1)
    assert int(lag_scores(felt, seen, range(-8, 9)).argmax()) - 8 == 4


@pytest.mark.parametrize("wrong", [{"width": 0}, {"heads": 5}])
def test_sizes_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        UniversalConfig(**wrong)
