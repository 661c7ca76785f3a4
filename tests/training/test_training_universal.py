"""Training the universal model: it learns, and what was stopped goes on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import segment_motion
from kinebind.nn.universal import TOKEN_S, Universal, UniversalConfig
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_file import written_corpus
from kinebind.training.draw.moves import Library
from kinebind.training.draw.windows import Drawing, draw
from kinebind.training.universal import Trainer, UniversalTraining, losses

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


def test_a_perfect_model_has_hardly_a_loss(library):
    """Tokens that tell moment and body apart: the truth of pairs and lags is that of the batch."""
    drawn = draw(library, 6, 2.0, 0.5, Drawing(sensors=1), torch.Generator().manual_seed(1))
    # Lags on the tokens' grid, so that a token can be its very moment.
    steps = torch.round(drawn.lag_s / TOKEN_S)
    drawn = dataclasses.replace(drawn, lag_s=steps * TOKEN_S)

    class Oracle(Universal):
        def embed_felt(self, channels, site):
            return self.moments(torch.zeros(6))

        def embed_seen(self, channels, site):
            return self.moments(-steps), drawn.told

        def moments(self, by):
            place = torch.arange(20)[None] + by[:, None] + 40 * torch.arange(6)[:, None]
            return torch.nn.functional.one_hot(place.long() + 20, 300).float()

    model = Oracle(TINY.model)
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
