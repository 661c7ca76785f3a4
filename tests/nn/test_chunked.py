"""Long streams: piece by piece is the same as in one go, a token sees as far as is said, and memory is bounded."""

from __future__ import annotations

import doctest

import pytest
import torch

from kinebind.nn import chunked
from kinebind.nn.chunked import CHUNK, felt_tokens, reach_tokens, seen_at_every_phase, seen_tokens, tokens_there
from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.nn.universal import PER_TOKEN, Universal, UniversalConfig

SMALL = UniversalConfig(width=16, stem=8, blocks=2, heads=2, token=6)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = Universal(SMALL)
    for block in (*made.felt.blocks, *made.seen.blocks):
        torch.nn.init.normal_(block.distance)
    return made.eval()


def channels(count: int, samples: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, count, samples, generator=torch.Generator().manual_seed(samples))


@pytest.mark.parametrize("samples", [5, 153, 400, 1203])
@torch.inference_mode()
def test_pieces_are_the_whole(model, samples):
    site = torch.tensor([3, 13])
    felt, seen = channels(FELT_CHANNELS, samples), channels(SEEN_CHANNELS, samples)
    whole, (tokens, told) = model.embed_felt(felt, site), model.embed_seen(seen, site - 1)
    for chunk in (17, 80):
        torch.testing.assert_close(felt_tokens(model, felt, site, chunk), whole, atol=1e-5, rtol=0)
        found, says = seen_tokens(model, seen, site - 1, chunk)
        torch.testing.assert_close(found, tokens, atol=1e-5, rtol=0)
        torch.testing.assert_close(says, told, atol=1e-5, rtol=0)


@pytest.mark.parametrize("samples", [0, 3, 5, 52, 154])
@torch.inference_mode()
def test_every_phase_is_the_stream_from_there_on(model, samples):
    given, site = channels(SEEN_CHANNELS, samples, batch=1), torch.tensor([4])
    tokens, told = seen_at_every_phase(model, given, site)
    assert tokens.shape == (PER_TOKEN, samples // PER_TOKEN, SMALL.token)
    assert told.shape == (3, samples)
    said: list[list[torch.Tensor]] = [[] for _ in range(samples)]
    for p in range(PER_TOKEN if samples >= PER_TOKEN else 0):
        # The last token may reach beyond the end, where what is last stands on.
        longer = torch.cat([given, given[..., -1:].expand(-1, -1, 4)], dim=-1)
        own, says = model.embed_seen(longer[..., p : p + samples // PER_TOKEN * PER_TOKEN], site)
        torch.testing.assert_close(tokens[p], own[0], atol=1e-5, rtol=0)
        for k in range(says.shape[-1]):
            if p + k < samples:
                said[p + k].append(says[0, :, k])
    for k, values in enumerate(said):
        expected = torch.stack(values).mean(dim=0) if values else torch.zeros(3)
        torch.testing.assert_close(told[:, k], expected, atol=1e-5, rtol=0)


def test_a_token_depends_on_what_is_within_its_reach_and_no_more(model):
    felt = channels(FELT_CHANNELS, 120 * PER_TOKEN, batch=1).requires_grad_()
    model.embed_felt(felt, torch.tensor([0]))[0, 60].sum().backward()
    touched = felt.grad[0].abs().sum(dim=0).view(120, PER_TOKEN).sum(dim=1).nonzero().flatten()
    assert int((touched - 60).abs().max()) == reach_tokens(SMALL)


def test_an_hour_never_lies_before_the_model_at_once():
    class Wide:
        config = UniversalConfig()
        longest = 0

        def embed_felt(self, given, site):
            self.longest = max(self.longest, given.shape[-1])
            return given[:, :1, ::PER_TOKEN].transpose(1, 2)

    wide, hour = Wide(), torch.arange(3600 * 50.0)[None, None]
    tokens = felt_tokens(wide, hour, torch.tensor([0]))
    assert wide.longest == (CHUNK + 2 * reach_tokens(wide.config)) * PER_TOKEN
    assert torch.equal(tokens[0, :, 0], hour[0, 0, ::PER_TOKEN])


def test_a_token_is_there_where_most_of_it_was_measured():
    valid = torch.tensor([0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1], dtype=torch.bool)
    assert tokens_there(valid, 0, 2).tolist() == [True, False]
    assert tokens_there(valid, 3, 2).tolist() == [False, False]
    assert tokens_there(valid, 1, 2).tolist() == [True, False]
    assert tokens_there(valid[:5], 1, 1).tolist() == [True]  # of 1, 1, 1, 0 and what is not there
    assert tokens_there(valid[:4], 2, 1).tolist() == [False]


def test_examples():
    assert doctest.testmod(chunked).failed == 0
