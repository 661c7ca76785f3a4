"""Training the universal model: it learns, and what was stopped goes on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from kinebind import InputError
from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import segment_motion
from kinebind.nn.universal import TOKEN_S, Universal, UniversalConfig
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_file import written_corpus
from kinebind.training.draw.moves import Library, Variety
from kinebind.training.draw.windows import Drawing, draw
from kinebind.training.draw.words import meanings
from kinebind.training.sentences import Sentences
from kinebind.training.universal import Trainer, UniversalTraining, _Batches, losses

TINY = UniversalTraining(
    steps=6, lengths=((2.0, 0.5, 1.0),), body_seconds=8.0, warm_steps=2,
    model=UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8),
)  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "people.kbcorpus"
    with written_corpus(path, {"made-up": "Free."}) as writer:
        for k in range(2):
            motion = made_up_motion(8.0, np.random.default_rng(k), rate_hz=60)
            writer.add(segment_motion(motion), source="made-up", group=f"p{k}")
    return Library.of(Corpus.open(path))


@pytest.fixture(scope="module")
def sentences(library):
    """Every phrase at a place of its own, those of one meaning near each other."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.tensor([len(own) for own in meanings(library.labels)])
    places = torch.randn(len(counts), 12, generator=generator).repeat_interleave(counts, 0)
    near = places + 0.1 * torch.randn(places.shape, generator=generator)
    first = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
    return Sentences(torch.nn.functional.normalize(near, dim=-1), first, "made-up")


def test_a_perfect_model_has_hardly_a_loss(library):
    """Tokens that tell moment and body apart: the truth of pairs and lags is that of the batch."""
    drawn = draw(library, 6, 2.0, 0.5, Drawing(sensors=1), torch.Generator().manual_seed(1))
    # Lags on the tokens' grid, so that a token can be its very moment.
    steps = torch.round(drawn.lag_s / TOKEN_S)
    drawn = dataclasses.replace(drawn, lag_s=steps * TOKEN_S)

    class Fixed(torch.nn.Module):
        def __init__(self, by):
            super().__init__()
            place = torch.arange(20)[None] + by[:, None] + 40 * torch.arange(6)[:, None]
            self.tokens = torch.nn.functional.one_hot(place.long() + 20, 300).float()

        def forward(self, channels, site):
            return self.tokens

    class Oracle(Universal):
        def told_of(self, hidden):
            return drawn.told

    model = Oracle(TINY.model)
    model.felt, model.seen = Fixed(torch.zeros(6)), Fixed(-steps)
    model.felt_token = model.seen_token = torch.nn.Identity()
    with torch.no_grad():
        model.pair_scale.fill_(4.0)
        model.lag_scale.fill_(4.0)
        terms = losses(model, drawn, 0.5, TINY)
    assert terms["pair_r1"] == 1.0
    assert terms["lag_hit"] == 1.0
    assert terms["pair"] < 1e-3
    assert terms["lag"] < 1e-3
    assert terms["told"] == 0.0


def test_steps_lower_the_loss(library, tmp_path):
    config = dataclasses.replace(TINY, steps=60, learning_rate=5e-3)
    trainer = Trainer(config, tmp_path, "cpu")
    assert trainer.train(library, None, every=10)
    assert trainer.history[-1]["total"] < trainer.history[0]["total"] - 0.3


def test_what_was_stopped_goes_on_with_what_would_have_come(library, tmp_path):
    whole = Trainer(TINY, tmp_path / "whole", "cpu")
    whole.train(library, None, every=1)
    parts = Trainer(dataclasses.replace(TINY), tmp_path / "parts", "cpu")
    parts.config = dataclasses.replace(TINY, steps=3)
    parts.rate = lambda: Trainer.rate(whole_rate(parts))
    parts.train(library, None, every=1)
    again = Trainer(TINY, tmp_path / "parts", "cpu")
    assert again.step == 3
    assert again.train(library, None, every=1)
    for name, tensor in whole.mean.state_dict().items():
        assert torch.allclose(tensor, again.mean.state_dict()[name], atol=1e-6), name
    assert len(json.loads((tmp_path / "parts" / "history.json").read_text())) == 6


def test_windows_drawn_by_the_process_that_learns_are_the_same(library, tmp_path, monkeypatch):
    """As on a GPU; on a CPU another process draws them."""
    apart = Trainer(TINY, tmp_path / "apart", "cpu")
    apart.train(library, None)
    monkeypatch.setattr(Trainer, "_batches", lambda self, library: iter(_Batches(library, self.config, self.step)))
    here = Trainer(TINY, tmp_path / "here", "cpu")
    assert here.train(library, None)
    for name, tensor in apart.mean.state_dict().items():
        assert torch.allclose(tensor, here.mean.state_dict()[name], atol=1e-5), name


def test_words_are_learnt_and_resumed_as_well(library, sentences, tmp_path):
    calm = dataclasses.replace(TINY.drawing, variety=Variety(acted=0.8, alike=0.0))
    config = dataclasses.replace(TINY, steps=60, learning_rate=5e-3, said=1.0, drawing=calm)
    trainer = Trainer(config, tmp_path / "a", "cpu", sentences=sentences)
    assert trainer.model.config.text == 12
    assert trainer.train(library, None, every=20)
    first, *_, last = trainer.history
    assert last["said_felt"] + last["said_seen"] < first["said_felt"] + first["said_seen"] - 0.1
    assert torch.allclose(trainer.mean.sentence_mean, sentences.mean())
    few = dataclasses.replace(config, steps=4)
    whole = Trainer(few, tmp_path / "whole", "cpu", sentences=sentences)
    whole.train(library, None, every=1)
    assert Trainer(few, tmp_path / "whole", "cpu", sentences=sentences).step == 4
    for step in range(3):
        drawn = sentences.drawn(torch.Generator().manual_seed(step))
        assert drawn.shape == (len(meanings(library.labels)), 12)


def test_a_training_begins_with_an_earlier_one(library, sentences, tmp_path):
    before = Trainer(TINY, tmp_path / "before", "cpu")
    before.train(library, None)
    state = tmp_path / "before" / "state.pt"
    after = Trainer(TINY, tmp_path / "after", "cpu", sentences=sentences, start=state)
    for name, tensor in before.mean.named_parameters():
        assert torch.equal(tensor, dict(after.mean.named_parameters())[name]), name
    assert after.step == 0
    assert after.before["pairs"] == before.pairs
    after.train(library, None)
    assert torch.load(tmp_path / "after" / "state.pt", weights_only=True)["before"]["step"] == TINY.steps
    other = dataclasses.replace(TINY, model=dataclasses.replace(TINY.model, blocks=2))
    with pytest.raises(InputError, match="another model"):
        Trainer(other, tmp_path / "other", "cpu", start=state)


def test_nothing_named_is_no_loss(library, sentences):
    calm = dataclasses.replace(TINY.drawing, variety=Variety(acted=0.0, standing=1.0))
    drawn = draw(library, 4, 2.0, 0.5, calm, torch.Generator().manual_seed(1))
    model = Universal(dataclasses.replace(TINY.model, text=12))
    found = losses(model, drawn, 0.5, TINY, sentences.drawn(torch.Generator().manual_seed(1)))
    assert found["said_felt"] == found["said_seen"] == 0.0
    assert torch.isfinite(found["total"])


def whole_rate(trainer):
    """A stand-in that has the trainer's step and the whole schedule."""
    stand_in = Trainer.__new__(Trainer)
    stand_in.config, stand_in.step = TINY, trainer.step
    return stand_in


def test_its_time_can_be_up_before_it_begins(library, tmp_path):
    trainer = Trainer(TINY, tmp_path, "cpu")
    assert not trainer.train(library, 0.0)
    assert (tmp_path / "state.pt").exists()
    assert trainer.step <= 1


def test_a_machine_with_torch_numpy_scipy_and_safetensors_can_train():
    """What else Kinebind depends on is kept out, as on a cluster's bare nodes."""
    script = (
        "import sys\n"
        "class Barred:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('rich', 'pyarrow', 'typer', 'vqf', 'matplotlib', 'jinja2', 'tensorboard'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Barred())\n"
        "import kinebind.training.universal\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
