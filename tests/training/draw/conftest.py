"""A small library of made-up people, from which windows are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import segment_motion
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_file import written_corpus
from kinebind.training.draw.moves import Library


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "people.kbcorpus"
    with written_corpus(path, {"made-up": "Free."}) as writer:
        for k, (seconds, rate_hz) in enumerate(((12, 120), (4, 30), (9, 60))):
            motion = made_up_motion(seconds, np.random.default_rng(k), rate_hz=rate_hz)
            writer.add(segment_motion(motion), source="made-up", group=f"p{k}", label="gestures", name=f"clip {k}")
    return Corpus.open(path)


@pytest.fixture(scope="session")
def library(corpus):
    return Library.of(corpus)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)
