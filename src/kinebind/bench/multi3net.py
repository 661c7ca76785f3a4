"""Multi3Net's recipe at a size for two cores, judged: its pairs, its series, and few labels of a real wrist sensor.

`kinebind bench multi3net`: trained on the sets of motion that are there to train, chosen by those that validate, on
which pairs and series are judged as well; the labels are UTD-MHAD's 21 wrist actions, subjects 1, 3 and 5 (2 of each
action, and all), asked of subject 7, with `--final` of 2, 4, 6 and 8. Plain keys are the whole recipe's. Behind a key:
`_no_text`, `_no_pose2imu`, `_no_reconstruct` leave a task out, `_contrast` leaves both series out, `_scratch` is the
network without pretraining, `_frozen` its encoder left as it is, `_experts_N` other numbers of experts than four.
Intervals of labels are over seeds, the others over windows. A training goes on in its folder where it was stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinebind.bench.har_data import LOOKS, UTD_WRIST, few, utd_split
from kinebind.bench.measured import Cases, Measured, figures
from kinebind.bench.multi3net_head import WristRecogniser, series_r, with_norms
from kinebind.bench.processes import parallel
from kinebind.nn.multi3net import Multi3Net
from kinebind.tasks.recognise.scores import class_scores
from kinebind.training.batches import batches
from kinebind.training.loop import train
from kinebind.training.models import load_model
from kinebind.training.recipe import Recipe, load_recipe
from kinebind.training.recognise_tuning import RecogniseTuning, fit, logits_of
from kinebind.training.sources import store_for
from kinebind.training.step import recall_at_1
from kinebind.training.store import WindowStore, open_store
from kinebind.training.windows import split_windows

log = logging.getLogger(__name__)

SIZE: Mapping[str, Any] = {
    "model.width": 128, "model.feedforward": 256, "model.dropout": 0.0, "train.batch_size": 64, "train.max_epochs": 10,
    "train.patience_epochs": 10,
}  # fmt: skip
"""What differs from the recipe, so that two cores do it in minutes."""
SMALL: Mapping[str, Any] = {"model.width": 16, "model.heads": 2, "model.feedforward": 16, "train.max_epochs": 1}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {}, "_no_text": {"model.text": 0}, "_no_pose2imu": {"loss.pose2imu": 0.0},
    "_no_reconstruct": {"loss.reconstruct": 0.0}, "_contrast": {"loss.pose2imu": 0.0, "loss.reconstruct": 0.0},
}  # fmt: skip
SITE = "right_wrist"
SEEDS = 5
EXPERTS = (1, 2, 8)
_STEPS = {"2shot": 120, "all": 300}


def recipe_of(variant: str, *, small: bool = False) -> Recipe:
    """The recipe of a variant, at the benchmark's size."""
    changes = {**SIZE, **(SMALL if small else {}), **VARIANTS[variant], "name": f"multi3net{variant}"}
    return load_recipe("multi3net").changed(changes)


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the trainings, two at a time; names of those that are left when the minutes are over."""
    end_s = float("inf") if minutes is None else time.time() + 60.0 * minutes
    _store(data, folder)  # is made once, before the processes read it
    go_on = partial(_trained, data, folder, small, end_s)
    done = [go_on(variant) for variant in VARIANTS] if small else parallel(go_on, VARIANTS)
    return [recipe_of(variant).name for variant, finished in zip(VARIANTS, done, strict=True) if not finished]


def _trained(data: Path, folder: Path, small: bool, end_s: float, variant: str) -> bool:
    """Train a variant until it is done or a time of the clock has come; whether it is."""
    torch.set_num_threads(1)
    minutes = (end_s - time.time()) / 60.0
    place = _best(folder, variant, small).parent
    if minutes <= 0.0:
        return False
    recipe = recipe_of(variant, small=small)
    log.info("%s", recipe.name)
    most = None if minutes == float("inf") else minutes
    return train(recipe, recipe.build(), _store(data, folder), place, max_minutes=most).finished


def metrics(data: Path, folder: Path, *, final: bool, small: bool) -> dict[str, float]:
    """All figures of trainings that are done, flat."""
    suffix = "_test" if final else "_dev"
    seeds = 1 if small else SEEDS
    out: dict[str, float] = {}
    for variant in VARIANTS:
        model = load_model(_best(folder, variant, small))
        assert isinstance(model, Multi3Net)
        out |= figures({f"{key}{variant}": own for key, own in judged(model, _store(data, folder)).items()})
        out |= figures({f"{k}{variant}": own for k, own in labelled(data, model, final, seeds).items()}, suffix)
        if not variant:
            fresh = recipe_of("", small=small).build()
            assert isinstance(fresh, Multi3Net)
            out |= figures({f"{k}_scratch": v for k, v in labelled(data, fresh, final, seeds).items()}, suffix)
            frozen = labelled(data, model, final, seeds, frozen=True)
            out |= figures({f"{k}_frozen": v for k, v in frozen.items()}, suffix)
            for count in EXPERTS:
                some = labelled(data, model, final, seeds, experts=count)
                out |= figures({f"{k}_experts_{count}": v for k, v in some.items()}, suffix)
    return out


@torch.inference_mode()
def judged(model: Multi3Net, store: WindowStore) -> Measured:
    """On the windows that validate: `m3_imu_pose_r1` among all of them, `pose2imu_r_wrist` of the norms of both wrists,
    `pose2imu_axes_r`, and `recon_r` of what was hidden.
    """
    model.eval()
    torch.manual_seed(0)
    windows = split_windows(store, model.contract, load_recipe("multi3net").data, "val")
    felt, seen, norms, axes, hidden_r = [], [], [], [], []
    for batch in batches(store, model.contract, windows, 256):
        both = batch.imu_mask[:, model.at].all(dim=1) & batch.pose_mask.flatten(1).any(dim=1)
        some = batch.each(lambda tensor, both=both: tensor[both])  # type: ignore[misc]
        if not len(some):
            continue
        felt.append(model.embed_imu(some.imu, some.imu_mask).whole)
        seen.append(model.embed_pose(some.pose, some.pose_mask).whole)
        true = some.imu[:, model.at]
        if len(model.pose2imu):
            told = model.imu_from_pose(some.pose, some.pose_mask)
            norms.append(_mean_r(with_norms(told.flatten(0, 1)), with_norms(true.flatten(0, 1)), len(model.at)))
            axes.append(_mean_r(told.flatten(0, 1), true.flatten(0, 1), len(model.at)))
        if len(model.reconstruct):
            hidden = model.hidden_samples(len(some), some.imu.device)
            told = model.reconstructed(some.imu, hidden)
            hidden_r.append(_mean_r(told.flatten(0, 1), true.flatten(0, 1), len(model.at), hidden.flatten(0, 1)))
    a, b = (torch.cat([x for x in rows if x is not None]) for rows in (felt, seen))
    out: Measured = {"m3_imu_pose_r1": Cases(np.array([0.5 * (recall_at_1(a, b) + recall_at_1(b, a))]))}
    for key, rows in (("pose2imu_r_wrist", norms), ("pose2imu_axes_r", axes), ("recon_r", hidden_r)):
        if rows:
            out[key] = Cases(np.concatenate(rows))
    return out


def labelled(
    data: Path, model: Multi3Net, final: bool, seeds: int, *, frozen: bool = False, experts: int = 4
) -> Measured:
    """`m3_utd_2shot_f1` and `m3_utd_all_f1`: macro F1 of UTD-MHAD's wrist actions, a seed each."""
    asked = [(labels, seed) for labels in _STEPS for seed in range(seeds)]
    found = parallel(partial(_learnt, data, model, final, frozen, experts), asked)
    return {
        f"m3_utd_{labels}_f1": Cases(np.array([f1 for own, f1 in zip(asked, found, strict=True) if own[0] == labels]))
        for labels in _STEPS
    }


def _learnt(data: Path, model: Multi3Net, final: bool, frozen: bool, experts: int, which: tuple[str, int]) -> float:
    """Macro F1 of what the wrist's encoder makes of so many labels, drawn and learnt by a seed."""
    torch.set_num_threads(1)
    labels, seed = which
    split = utd_split(data / "utd-mhad", "published", "inertial", final=final, actions=UTD_WRIST)
    truth = np.array([own.label for own in split.asked])
    known = few(split.known, 2, seed) if labels == "2shot" else list(split.known)
    config = RecogniseTuning(steps=_STEPS[labels], looks=LOOKS["inertial"], frozen=frozen, seed=seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        head = WristRecogniser(model, SITE, UTD_WRIST, experts)
        encoder = list(head.encoder.parameters())
        for p in encoder:
            p.requires_grad_(not frozen)
        tuned = fit(head, encoder, known, UTD_WRIST, config)
    answer = logits_of(tuned, split.asked, config).argmax(dim=1).numpy()
    return float(class_scores(truth, answer, UTD_WRIST).macro_f1)


def _mean_r(told: torch.Tensor, true: torch.Tensor, sensors: int, where: torch.Tensor | None = None) -> np.ndarray:
    """(B,) correlations, the mean over the sensors of a window; told, true (B · K, C, T)."""
    r = series_r(told, true, where).view(-1, sensors).mean(dim=1)
    return np.asarray(r.double().numpy())


def _best(folder: Path, variant: str, small: bool) -> Path:
    return folder / f"{'small' if small else 'run'}{variant}" / "best.safetensors"


def _store(data: Path, folder: Path) -> WindowStore:
    """The windows, made where they are not there yet."""
    place = folder / "windows"
    recipe = load_recipe("multi3net")
    if not (place / "index.json").exists():
        store_for(recipe, data, place)
    return open_store(place, recipe.contract)
