"""What a recogniser is set against: a small temporal convolution, and gradient boosting on features by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.nn.recogniser import AXES, StreamModel, Streams
from kinebind.nn.universal import RATE_HZ
from kinebind.tasks.recognise.by_examples import Looks
from kinebind.tasks.recognise.stretches import Labelled
from kinebind.training.recognise_windows import batch_of

_BANDS_HZ = (0.3, 1.0, 2.0, 4.0, 8.0, 15.0)


class Tcn(StreamModel):
    """Sensors' own axes through dilated convolutions (Bai et al., arXiv 1803.01271, here not causal), the mean over
    what was measured of all sensors, one layer to the classes.
    """

    def __init__(self, classes: int, width: int = 64, blocks: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.enter = nn.Conv1d(AXES, width, 5, padding=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(8, width), nn.GELU(), nn.Conv1d(width, width, 5, padding=2 * 2**k, dilation=2**k),
                nn.GroupNorm(8, width), nn.GELU(), nn.Dropout(dropout),
                nn.Conv1d(width, width, 5, padding=2 * 2**k, dilation=2**k),
            )
            for k in range(blocks)
        )  # fmt: skip
        self.out = nn.Linear(width, classes)

    def forward(self, streams: Streams) -> Tensor:
        b, n = streams.axes.shape[:2]
        x = self.enter(streams.axes.flatten(0, 1))
        for block in self.blocks:
            x = x + block(x)
        there = streams.felt_there.flatten(0, 1).to(x)[:, None]
        pooled = (x * there).sum(dim=-1) / there.sum(dim=-1).clamp_min(1.0)
        logits: Tensor = self.out(pooled.view(b, n, -1).mean(dim=1))
        return logits


def features(known: Sequence[Labelled], looks: Looks, place: float = 0.5) -> FloatArray:
    """Features (M, F) of a window of each stretch's first sensor: of each own axis and of both norms mean, deviation,
    quartiles, extremes, mean change, energy in bands of frequency; and the axes' correlations.
    """
    streams = batch_of([own.stretch.alone() for own in known], looks, place)
    out = []
    for axes, there in zip(streams.axes[:, 0].double().numpy(), streams.felt_there[:, 0].numpy(), strict=True):
        x = axes[:, there] if there.sum() >= 4 else axes
        x = np.concatenate(
            [x, np.linalg.norm(x[:3], axis=0, keepdims=True), np.linalg.norm(x[3:], axis=0, keepdims=True)]
        )
        middle = x - x.mean(axis=1, keepdims=True)
        power = np.abs(np.fft.rfft(middle, axis=1)) ** 2 / x.shape[1]
        hz = np.fft.rfftfreq(x.shape[1], 1.0 / RATE_HZ)
        bands = [
            power[:, (hz >= low) & (hz < high)].sum(axis=1)
            for low, high in zip((0.0, *_BANDS_HZ), (*_BANDS_HZ, np.inf), strict=True)
        ]
        spread = middle / np.maximum(middle.std(axis=1, keepdims=True), 1e-9)
        related = (spread @ spread.T / x.shape[1])[np.triu_indices(len(x), 1)]
        moments = [
            x.mean(axis=1), x.std(axis=1), *np.percentile(x, (5, 25, 50, 75, 95), axis=1),
            np.abs(np.diff(x, axis=1)).mean(axis=1),
        ]  # fmt: skip
        out.append(np.concatenate([*moments, *(np.log(band + 1e-6) for band in bands), related, [there.sum()]]))
    return np.stack(out)


def boosted(known: Sequence[Labelled], asked: Sequence[Labelled], looks: Looks, seed: int) -> np.ndarray:
    """Classes (M,) that gradient boosting on the features gives to what is asked; it learns from three windows of each.

    Raises InputError where scikit-learn, which comes with the extra `text`, is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise InputError("The boosted baseline needs scikit-learn.", "pip install 'kinebind[text]'.") from error

    x = np.concatenate([features(known, looks, place) for place in (0.0, 0.5, 1.0)])
    y = np.tile([own.label for own in known], 3)
    model = HistGradientBoostingClassifier(
        max_iter=100, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=3, l2_regularization=1.0,
        random_state=seed, early_stopping=False,
    )  # fmt: skip
    model.fit(x, y)
    found = sum(model.predict_proba(features(asked, looks, place)) for place in (0.0, 0.5, 1.0))
    return np.asarray(model.classes_[np.asarray(found).argmax(axis=1)])
